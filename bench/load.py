"""One client that asks for one address over one kept connection, as fast as it is answered.

    python -m bench.load HOST:PORT TARGET BEGIN SECONDS     (the token, if any, in the variable TOKEN)

Waits until BEGIN (a Unix time, so that several start together), asks for SECONDS, and prints the latencies
in seconds as JSON. A bare socket and no library, so that on a small machine the client costs little beside
the hub that shares the processors with it.
"""

import json
import os
import socket
import sys
import time

__all__ = ["main"]

_TIMEOUT_S = 30
_READ_BYTES = 256 * 1024


def main(address: str, target: str, begin: str, seconds: str) -> None:
    """Ask and print; raises ValueError at the first answer that is not a 200 with a length."""
    host, _, port = address.partition(":")
    token = os.environ.get("TOKEN")
    credentials = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {target} HTTP/1.1\r\nHost: {address}\r\n{credentials}Accept: */*\r\n\r\n".encode()
    latencies = []
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(max(0.0, float(begin) - time.time()))
        end = time.perf_counter() + float(seconds)
        while (started := time.perf_counter()) < end:
            connection.sendall(request)
            _receive(connection)
            latencies.append(time.perf_counter() - started)
    print(json.dumps(latencies))


def _receive(connection: socket.socket) -> None:
    received = connection.recv(_READ_BYTES)
    while (head_end := received.find(b"\r\n\r\n")) < 0:
        more = connection.recv(_READ_BYTES)
        if not more:
            raise ValueError(f"the connection ended after {received!r}")
        received += more
    head = received[:head_end].lower()
    length_at = head.find(b"content-length:")
    if not head.startswith(b"http/1.1 200") or length_at < 0:
        raise ValueError(f"the answer is {received[:500]!r}")
    left_bytes = int(head[length_at + 15 :].split(b"\r\n", 1)[0]) - (len(received) - head_end - 4)
    while left_bytes > 0:
        more = connection.recv(_READ_BYTES)
        if not more:
            raise ValueError("the connection ended before the answer did")
        left_bytes -= len(more)


if __name__ == "__main__":
    main(*sys.argv[1:])
