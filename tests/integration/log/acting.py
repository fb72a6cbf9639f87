"""A hub on which every write is done once: calls as its owner, and what of them stands in the log."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.cli.entry import run
from allmende.flows import Services, open_services, run_log
from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from allmende.log import KEYS_EVENT
from allmende.registry import create_account, find_account, issue_token, set_password
from allmende.settings import Settings
from allmende.storage import metadata, outbox
from tests.databases import new_schema
from tests.scanners import scanner_in_process

API = "/api/allmende/v1"
PASSWORD = "a rather long word"
ORIGIN = {"Origin": "http://127.0.0.1"}
TABLES = ("repo", "ref", "account", "membership", "access_grant")
"""Where it shows that something was done which others see."""


@dataclass
class Hub:
    """A hub with alice, who is an operator too, and calls as her."""

    client: TestClient
    services: Services
    data: Path
    made: int = 0

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer token-of-alice", "Content-Type": "application/json"}
        answer = self.client.request(method, path, headers=headers | more, content=content)
        assert answer.status_code < 400, (method, path, answer.text)
        return answer

    def form(self, target: str, /, **fields: str) -> httpx2.Response:
        """A form of a page, by alice's browser."""
        return self.browse(target, data=fields)

    def browse(self, target: str, **body: Any) -> httpx2.Response:
        """What a page or its script sends, by alice's browser."""
        if "allmende_session" not in self.client.cookies:
            signed_in = {"name": "alice", "password": PASSWORD}
            assert self.client.post("/login", data=signed_in, headers=ORIGIN).status_code == 303
        answer = self.client.post(target, headers=ORIGIN, **body)
        assert answer.status_code in (200, 303), (target, answer.text)
        return answer

    def repo(self, files: dict[str, bytes | str] | None = None) -> str:
        """A new repo of alice with a card and these files."""
        self.made += 1
        name = f"alice/made-{self.made}"
        self.send("POST", "/api/repos/create", {"name": f"made-{self.made}"})
        self.commit(name, {"README.md": "# Made\n", **(files or {})})
        return name

    def commit(self, name: str, files: dict[str, bytes | str]) -> str:
        lines: list[Any] = [{"key": "header", "value": {"summary": "change"}}]
        for path, data in files.items():
            text = data if isinstance(data, str) else data.decode("latin-1")
            encoded = {"content": text, "encoding": "utf-8"}
            if isinstance(data, bytes):
                encoded = {"content": _base64(data), "encoding": "base64"}
            lines.append({"key": "file", "value": {"path": path, **encoded}})
        body = "\n".join(map(json.dumps, lines)).encode()
        answer = self.send("POST", f"/api/models/{name}/commit/main", body)
        return str(answer.json()["commitOid"])

    def large(self, name: str, data: bytes) -> str:
        """A large file in a repo; its SHA-256."""
        oid = sha256(data).hexdigest()
        asked = {"operation": "upload", "objects": [{"oid": oid, "size": len(data)}]}
        (told,) = self.send("POST", f"/{name}.git/info/lfs/objects/batch", asked).json()["objects"]
        if "actions" in told:
            assert self.client.put(told["actions"]["upload"]["href"], content=data).status_code < 300
        value = {"path": "large.bin", "algo": "sha256", "oid": oid}
        lines = [{"key": "header", "value": {"summary": "large"}}, {"key": "lfsFile", "value": value}]
        self.send("POST", f"/api/models/{name}/commit/main", "\n".join(map(json.dumps, lines)).encode())
        return oid

    def work(self, *named: str) -> int:
        """Do the waiting jobs of these kinds, or of all; returns how many they were."""
        count = 0
        every = handlers(self.services)
        kinds = {kind: every[kind] for kind in named or every}
        while (job := self.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(self.services.queue, job))
            assert self.services.queue.finish(job)
            count += 1
        return count

    def lifted(self, name: str) -> int:
        """The number of the only override in a repo."""
        (found,) = self.send("GET", f"{API}/models/{name}/scan/overrides").json()["overrides"]
        return int(found["number"])

    def command(self, *words: str) -> None:
        assert run((*words, "--data", str(self.data))) in (0, 1), words

    def last(self) -> int:
        with self.services.database.read() as uow:
            return max((row.id for row in uow.all(select(outbox.c.id))), default=0)

    def since(self, last: int, *wanted: str) -> list[str]:
        """The kinds of the acts after one, once these are there and each is an entry of the log."""
        deadline = time.monotonic() + 60.0
        rows: Sequence[Any] = ()
        while time.monotonic() < deadline:
            # The hub's own thread may be at it, and then this one does nothing.
            run_log(self.services)
            with self.services.database.read() as uow:
                rows = uow.all(select(outbox.c.kind, outbox.c.log_index).where(outbox.c.id > last))
            signed = self.services.log.signed()
            kinds = [row.kind for row in rows]
            logged = all(row.log_index is not None and signed and row.log_index < signed.size for row in rows)
            if logged and set(wanted) <= set(kinds):
                return kinds
            time.sleep(0.02)
        raise AssertionError(f"not all in the log: {rows}, where {wanted} should be")

    def seen(self) -> list[tuple[Any, ...]]:
        """What others see of the hub's state."""
        with self.services.database.read() as uow:
            rows = [(name, *row) for name in TABLES for row in uow.all(select(metadata.tables[name]))]
        return sorted(rows, key=repr)


def _base64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("every") / "data"
    services = replace(
        open_services(Settings(data=data, workers=0, sign_up=True)), scanner=scanner_in_process()
    )
    new_schema(services.database)
    with services.database.write() as uow:
        alice = create_account(uow, "alice", "user", is_admin=True)
        issue_token(uow, alice, "t", "admin", secret="token-of-alice")
        bob = create_account(uow, "bob", "user")
        issue_token(uow, bob, "t", "write", secret="token-of-bob")
        create_account(uow, "lab", "org")
    with services.database.write() as uow:
        known = find_account(uow, "alice")
        assert known is not None
        set_password(uow, known, PASSWORD)
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        hub = Hub(client, services, data)
        # The hub tells of its keys by itself, some time after its start: acts are counted from behind that.
        hub.since(0, KEYS_EVENT)
        yield hub
    services.database.close()
