"""Before a hub's key is taken as it comes, the user's witnesses are asked: over HTTP, from this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import cast

import pytest

from allmende.client import (
    Connection,
    HubKeyChanged,
    KnownPolicy,
    LogForked,
    NamedWitness,
    WitnessInvalid,
    known_policy,
    meet,
    named_witnesses,
)
from allmende.errors import NotFound
from allmende.merkle import (
    Checkpoint,
    MalformedKey,
    MemoryTree,
    Note,
    SigningKey,
    TileName,
    leaf_hash,
    make_tile,
    monitoring_path,
    parse_path,
    read_policy,
    sign,
    signed_checkpoint,
)
from tests.unit.proof.made_bundles import LOG_KEY, NOW, ORIGIN, OTHER_KEY, WITNESSES
from tests.unit.proof.made_key_sets import KEYS, signed

WITNESS = WITNESSES[0]


def tree(size: int, *, other: bool = False) -> MemoryTree:
    word = "another" if other else "entry"
    return MemoryTree([leaf_hash(f"{word} {number}".encode()) for number in range(size)])


def checkpoint(grown: MemoryTree, *keys: SigningKey) -> Note:
    return signed_checkpoint(Checkpoint(ORIGIN, grown.size, grown.root()), keys or (LOG_KEY,))


class Hub:
    """A hub with a log of so many entries under these keys, and perhaps a set of them that a root signed."""

    def __init__(self, grown: MemoryTree, *keys: SigningKey, key_set: bytes = b"") -> None:
        self.tree = grown
        self.keys = keys or (LOG_KEY,)
        self.key_set = key_set

    @contextmanager
    def open(self, _method, path, **_headers):
        if path == "/log/keys" and not self.key_set:
            raise NotFound("no root")
        yield SimpleNamespace(read=lambda _size: self.served(path))

    def served(self, path: str) -> bytes:
        if path == "/log/vkey":
            return "".join(f"{key.verifier.text}\n" for key in self.keys).encode()
        if path == "/log/keys":
            return self.key_set
        if path == "/log/checkpoint":
            return bytes(checkpoint(self.tree, *self.keys))
        name = parse_path(path.removeprefix("/log/"))
        assert isinstance(name, TileName)
        return make_tile(name, self.tree)


class Answering:
    """A witness that answers with these bytes, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.location = 404, b"", ""
        self.asked: list[str] = []
        self.url = ""

    def shows(self, note: Note, witness: SigningKey = WITNESS) -> None:
        self.status, self.body = 200, bytes(note.with_signatures([sign(note.text, witness, NOW)]))


@pytest.fixture
def witness() -> Iterator[Answering]:
    made = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(made.status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, *_words: object) -> None:
            """Nothing: the tests read no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}/witness"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def met(hub: Hub, witness: Answering, key: SigningKey = WITNESS) -> KnownPolicy:
    found = meet(cast(Connection, hub), [NamedWitness(key.verifier, witness.url)])
    assert found is not None
    return found


@pytest.mark.parametrize("size", [1, 5, 300])
def test_a_witness_that_has_seen_the_same_is_said(witness: Answering, size: int) -> None:
    witness.shows(checkpoint(tree(size)))
    known = met(Hub(tree(300)), witness)
    assert known.is_new
    assert f"has seen this log with {size} entries" in known.told[0]
    assert witness.asked == [f"/witness/{monitoring_path(ORIGIN)}"]
    met(Hub(tree(300)), witness)
    assert len(witness.asked) == 1, "a hub that is known is not asked about again"


@pytest.mark.parametrize(("shown", "size"), [(5, 9), (9, 9), (12, 9)])
def test_another_history_than_the_witness_has_seen_is_refused(
    witness: Answering, shown: int, size: int
) -> None:
    witness.shows(checkpoint(tree(shown, other=True)))
    with pytest.raises(LogForked):
        met(Hub(tree(size)), witness)
    assert known_policy(ORIGIN) is None


def test_a_hub_that_shows_less_than_the_witness_has_seen_is_refused(witness: Answering) -> None:
    witness.shows(checkpoint(tree(9)))
    with pytest.raises(LogForked, match="shows only 5"):
        met(Hub(tree(5)), witness)
    assert known_policy(ORIGIN) is None


def test_another_key_than_the_witness_knows_is_refused(witness: Answering) -> None:
    witness.shows(checkpoint(tree(5), OTHER_KEY))
    with pytest.raises(HubKeyChanged):
        met(Hub(tree(9)), witness)
    # The true key stands in the list, but behind one of a stranger, who signs.
    with pytest.raises(HubKeyChanged):
        met(Hub(tree(9), LOG_KEY, OTHER_KEY), witness)
    assert known_policy(ORIGIN) is None


def test_only_keys_that_the_witness_confirms_are_kept(witness: Answering) -> None:
    witness.shows(checkpoint(tree(5), LOG_KEY))
    known = met(Hub(tree(9), LOG_KEY, OTHER_KEY), witness)
    assert [log.key for log in read_policy(known.data).logs] == [LOG_KEY.verifier]


def test_the_keys_of_a_root_are_compared_too(witness: Answering) -> None:
    witness.shows(checkpoint(tree(5), OTHER_KEY))
    with pytest.raises(HubKeyChanged):
        met(Hub(tree(9), key_set=signed(KEYS)), witness)
    witness.shows(checkpoint(tree(5)))
    known = met(Hub(tree(9), key_set=signed(KEYS)), witness)
    assert known.root == KEYS.root
    assert "the same key" in known.told[0]


def test_a_witness_that_has_seen_nothing_or_answers_nonsense_is_said(witness: Answering) -> None:
    hub = Hub(tree(9))
    assert "has seen nothing" in met(hub, witness).told[0]
    for status, body in (
        (200, b"nonsense"),
        (500, b""),
        (200, bytes(checkpoint(tree(5)))),
        (200, b"\n" * 2**20),
    ):
        known = known_policy(ORIGIN)
        assert known is not None
        known.path.unlink()
        witness.status, witness.body = status, body
        told = met(hub, witness).told
        assert "could not be asked" in told[0]
        assert told[1] == "No witness could confirm it."


def test_no_redirect_of_a_witness_is_followed(witness: Answering) -> None:
    witness.status, witness.location = 302, f"{witness.url}/elsewhere"
    assert "could not be asked" in met(Hub(tree(9)), witness).told[0]
    assert len(witness.asked) == 1


def test_a_witness_that_is_not_there_is_said(witness: Answering) -> None:
    witness.url = "http://127.0.0.1:9/witness"
    assert "could not be asked" in met(Hub(tree(9)), witness).told[0]


def test_the_users_file_names_witnesses(tmp_path: Path, witness: Answering) -> None:
    assert named_witnesses() == ()
    file = tmp_path / "allmende" / "witnesses"
    file.parent.mkdir()
    file.write_text(f"# mine\nwitness w {WITNESS.verifier.text} {witness.url}\n")
    [found] = named_witnesses()
    assert (found.key, found.url) == (WITNESS.verifier, witness.url)
    witness.shows(checkpoint(tree(5)))
    known = meet(cast(Connection, Hub(tree(9))))
    assert known is not None
    assert "has seen this log" in known.told[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        WITNESS.verifier.text,
        f"{WITNESS.verifier.text} ftp://x",
        f"{WITNESS.verifier.text} http://u:p@x",
        f"{LOG_KEY.verifier.text} http://x",
        "x http://x",
    ],
)
def test_what_names_no_witness(text: str) -> None:
    with pytest.raises((WitnessInvalid, MalformedKey)):
        named_witnesses([text])
