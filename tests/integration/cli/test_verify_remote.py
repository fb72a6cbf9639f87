"""`allmende verify REPO` against hubs that lie: each under an address of its own, over real HTTP."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from allmende.cli.verification import Verification, verify_remote
from allmende.client import Connection, RemoteRepo
from tests.unit.proof.made_bundles import COMMIT, FILES, POLICY, good_bundle

LARGE = "model.safetensors"


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """What a hub lists, and what it gives when it is asked for a file."""

    listed: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    given: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    stopped: frozenset[str] = frozenset()
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        if path.startswith("/api/models/lab/base/revision/"):
            return 200, {}, json.dumps({"sha": COMMIT}).encode()
        if path.startswith("/api/models/lab/base/tree/"):
            return 200, {}, json.dumps([self.row(*item) for item in self.listed.items()]).encode()
        if path.startswith("/api/allmende/v1/models/lab/base/proof/"):
            return 200, {}, good_bundle().data
        name = path.removeprefix(f"/lab/base/raw/{COMMIT}/")
        self.asked.append(name)
        if name in self.stopped:
            return 403, {"X-Error-Code": "file_blocked"}, b"{}"
        return (200, {}, self.given[name]) if name in self.given else (404, {}, b"{}")

    @staticmethod
    def row(path: str, data: bytes) -> dict[str, object]:
        row: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": git_oid(data)}
        if path == LARGE:
            row["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
        return row

    def verified(self) -> Verification:
        with Connection(self.url) as connection:
            return verify_remote(connection, RemoteRepo("model", "lab/base"), "main", POLICY)


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = made.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing: the tests read no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_small_files_are_read_and_large_ones_are_not(hub: Hub) -> None:
    found = hub.verified()
    assert (found.verdict.state, found.withheld) == ("verified", ())
    assert sorted(hub.asked) == sorted(path for path in FILES if path != LARGE)


def test_a_small_file_of_the_same_size_is_another_file(hub: Hub) -> None:
    other = bytes([FILES["config.json"][0] ^ 1]) + FILES["config.json"][1:]
    hub.listed["config.json"] = hub.given["config.json"] = other
    found = hub.verified()
    assert found.verdict.code == "files_changed"
    assert found.verdict.files is not None
    assert found.verdict.files.changed == ("config.json",)


@pytest.mark.parametrize("given", [b"", b'{"a": 2}\n', b'{"a": 1}\n\n'])
def test_what_is_given_is_what_is_listed(hub: Hub, given: bytes) -> None:
    hub.given["config.json"] = given
    verdict = hub.verified().verdict
    assert (verdict.state, verdict.code) == ("refused", "bytes_differ")
    assert "config.json" in verdict.reason


def test_a_large_file_is_compared_by_what_the_hub_lists(hub: Hub) -> None:
    hub.listed[LARGE] = FILES[LARGE][:-1] + b"\0"
    assert hub.verified().verdict.code == "files_changed"


def test_what_a_scan_has_stopped_is_said_not_to_be_checked(hub: Hub) -> None:
    hub.stopped = frozenset({"sub/tokenizer.json"})
    found = hub.verified()
    assert (found.verdict.state, found.withheld) == ("verified", ("sub/tokenizer.json",))
    told = {one.name: (one.state, one.says) for one in found.checks}
    assert told["withheld"] == (
        "not_checked",
        "The hub's scan stops sub/tokenizer.json: compared by size alone.",
    )
    assert told["publisher"][0] == "not_checked"
