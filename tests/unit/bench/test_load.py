"""The client of the bench: it counts only whole, good answers."""

import json
import socket
import threading

import pytest

from bench import load


def _serve(listener: socket.socket, answers: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        while connection.recv(65536):
            for piece in answers:
                connection.sendall(piece)


@pytest.fixture
def address():
    """The address of a server that says what it is told to."""
    listeners = []

    def start(*answers: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_serve, args=(listener, list(answers)), daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def test_answers_in_pieces_are_counted_once_each(address, capsys):
    load.main(address(b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 5\r\n\r\nab", b"cde"), "/x", "0", "0.2")
    latencies = json.loads(capsys.readouterr().out)
    assert latencies
    assert all(0 < seconds < 0.2 + 1 for seconds in latencies)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_an_error_or_an_answer_without_length_ends_it(address, answer):
    with pytest.raises(ValueError, match="the answer is"):
        load.main(address(answer), "/x", "0", "0.2")
