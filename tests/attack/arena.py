"""A hub under attack: the whole application in this process, asked byte by byte.

No HTTP library stands between: a request line may hold what no library would send, a body may be cut off or
lie about its length, and a header may come twice.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.to_thread import run_sync
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.types import Message

from allmende.app import create_app
from allmende.clock import system_clock
from allmende.flows import Services, open_services
from allmende.flows.worker import handlers
from allmende.jobs import JobContext, SqlJobQueue
from allmende.registry import (
    Scope,
    TokenRole,
    create_account,
    find_account,
    issue_token,
    lookup_repo,
    revoke_token,
    set_member,
)
from allmende.settings import Settings
from allmende.storage import Database, LinkSigner
from tests.databases import new_schema

__all__ = ["OUTSIDE", "SECRET", "Answer", "Arena", "build", "refused", "sha256"]

OUTSIDE = b"these bytes lie outside of every repo"
SECRET = b"the private bytes of alice, which nobody else has\n"
_MARKS = (OUTSIDE, SECRET, b"Traceback (most recent", b'File "/', b"root:x:0:0", b"site-packages")
_TIMEOUT_S = 60.0

Piece = bytes | Callable[[], bytes]


class MovableClock:
    """The real time, and a distance to it that a test chooses."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@dataclass(frozen=True)
class Answer:
    """What came back; `headers` in lower case, each name once."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.headers.get("x-error-code", "")


@dataclass
class Arena:
    """Requests as somebody, and the state behind them. Every token is `token-of-` and a name."""

    app: Starlette
    services: Services
    clock: MovableClock
    portal: BlockingPortal
    folder: Path

    def ask(
        self,
        method: str,
        target: str | bytes,
        *,
        by: str | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
        body: bytes | Sequence[Piece] = b"",
        json: object = None,
        length: int | str | None = None,
        cut: bool = False,
        host: bytes | None = b"hub.test",
    ) -> Answer:
        """One request. `body` may come in pieces; `length` is what Content-Length says (default: the truth
        for a body in one piece, nothing for pieces); `cut`: the client goes away instead of ending the body.
        A piece that is a function is called when the hub asks for it.
        """
        named = [(name.lower().encode(), _latin(value)) for name, value in headers]
        if json is not None:
            body = _dump(json)
            named.append((b"content-type", b"application/json"))
        pieces: list[Piece] = [body] if isinstance(body, bytes) else [*body] or [b""]
        if by is not None:
            named.append((b"authorization", f"Bearer token-of-{by}".encode()))
        if length is None and isinstance(body, bytes) and body:
            length = len(body)
        if length is not None:
            named.append((b"content-length", str(length).encode()))
        if host is not None:
            named.append((b"host", host))
        raw = target.encode("ascii") if isinstance(target, str) else target
        return self.portal.call(self._ask, method, raw, named, pieces, cut)

    async def _ask(
        self, method: str, raw: bytes, headers: list[tuple[bytes, bytes]], pieces: list[Piece], cut: bool
    ) -> Answer:
        path, _, query = raw.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1"), "utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", 8080),
            "state": {},
        }
        left = list(pieces)
        answered = anyio.Event()
        sent: list[Message] = []

        async def receive() -> Message:
            if left:
                piece = left.pop(0)
                chunk = piece if isinstance(piece, bytes) else await run_sync(piece)
                return {"type": "http.request", "body": chunk, "more_body": bool(left) or cut}
            if not cut:
                await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        with anyio.fail_after(_TIMEOUT_S):
            await self.app(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        found: dict[str, str] = {}
        for name, value in sent[0]["headers"]:
            assert name.decode() not in found, f"the header {name} comes twice"
            found[name.decode()] = value.decode("latin-1")
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], found, body)

    def token(self, user: str, role: TokenRole, name: str, **more: Any) -> None:
        """A further token of a user; `by=name` uses it. `ago`: it expired so many seconds ago."""
        ago = more.pop("ago", None)
        if ago is not None:
            more["expires_at"] = self.clock() - timedelta(seconds=ago)
        with self.services.database.write() as uow:
            account = find_account(uow, user)
            assert account is not None
            issue_token(uow, account, name, role, secret=f"token-of-{name}", replace=True, **more)

    def revoke(self, user: str, name: str) -> None:
        with self.services.database.write() as uow:
            account = find_account(uow, user)
            assert account is not None
            revoke_token(uow, account, name)

    def set_role(self, org: str, user: str, role: str | None) -> None:
        with self.services.database.write() as uow:
            organisation, person = find_account(uow, org), find_account(uow, user)
            assert organisation is not None
            assert person is not None
            set_member(uow, organisation, person, role)  # type: ignore[arg-type]

    def create(self, name: str, *, of_type: str = "model", by: str = "alice", **more: object) -> str:
        """A new repo; returns the address of its API."""
        namespace, _, short = name.partition("/")
        extra = {"sdk": "static"} if of_type == "space" else {}
        wanted = {"name": short, "organization": namespace, "type": of_type, **extra, **more}
        answer = self.ask("POST", "/api/repos/create", by=by, json=wanted)
        assert answer.status == 200, answer
        return f"/api/{of_type}s/{name}"

    def upload(self, api: str, data: bytes, *, by: str = "alice") -> str:
        """Send the bytes by LFS, unless they are there already; returns their SHA-256."""
        oid = sha256(data)
        actions = self.batch(api, oid, len(data), by=by).get("actions")
        assert actions is None or self.put(actions["upload"]["href"], data).status == 200
        return oid

    def batch(self, api: str, oid: str, size: int, *, by: str | None = "alice", **more: object) -> Any:
        """The answer of the LFS batch call about one object."""
        asked = {"operation": "upload", "objects": [{"oid": oid, "size": size}], **more}
        answer = self.ask("POST", f"{lfs_address(api)}/objects/batch", by=by, json=asked)
        assert answer.status == 200, answer
        return answer.json["objects"][0]

    def put(self, href: str, data: bytes | Sequence[Piece], **more: Any) -> Answer:
        """`PUT` to a link, without a token, as stock clients do."""
        return self.ask("PUT", target_of(href), body=data, **more)

    def commit(
        self, api: str, *operations: tuple[str, object], by: str = "alice", branch: str = "main", **more: Any
    ) -> Answer:
        lines: list[object] = [{"key": "header", "value": {"summary": "change"}}]
        lines += [{"key": key, "value": value} for key, value in operations]
        body = b"\n".join(_dump(line) for line in lines)
        return self.ask("POST", f"{api}/commit/{branch}", by=by, body=body, **more)

    def hide(self, name: str, of_type: str = "model", data: bytes = SECRET) -> str:
        """A private repo of alice that holds a card, a small file and a large one."""
        api = self.create(name, of_type=of_type, private=True)
        oid = self.upload(api, data)
        card = f"---\ntags: [hush-hush-{of_type}]\nlicense: mit\n---\nnobody should read this\n"
        done = self.commit(
            api,
            ("file", {"path": "README.md", "content": card}),
            ("file", {"path": "config.json", "content": '{"model_type": "hush"}'}),
            ("file", {"path": "dir/inner.txt", "content": "inner"}),
            ("lfsFile", {"path": "model.safetensors", "algo": "sha256", "oid": oid}),
        )
        assert done.status == 200, done
        for part in ("branch/side", "tag/main"):
            made = self.ask("POST", f"{api}/{part}", by="alice", json={"tag": "v1"})
            assert made.status == 200, made
        return api

    def state(self) -> dict[str, int]:
        """How many rows and stored files there are, but for what merely records that a token was used."""
        from allmende.storage import metadata

        with self.services.database.read() as uow:
            rows = {
                name: int(uow.connection.execute(select(func.count()).select_from(table)).scalar_one())
                for name, table in metadata.tables.items()
            }
        stored = len(list(self.services.contents.iterate()))
        return {**rows, "incoming": len(self.incoming()), "stored": stored}

    def refs(self) -> list[tuple[object, ...]]:
        """Every ref of every repo, and every repo's own row."""
        from allmende.storage import metadata

        found: list[tuple[object, ...]] = []
        with self.services.database.read() as uow:
            for name in sorted(metadata.tables):
                if name in {"repo", "git_ref", "ref", "account", "token", "membership", "access_grant"}:
                    table = metadata.tables[name]
                    columns = [column for column in table.columns if column.name != "last_used_at"]
                    found += [(name, *row) for row in uow.all(select(*columns))]
        return sorted(found, key=repr)

    def incoming(self) -> list[Path]:
        return list((self.services.settings.contents_dir / "incoming").iterdir())

    def work(self) -> None:
        """Do every job that waits, in this thread; what a handler raises reaches the test."""
        kinds = handlers(self.services)
        while (job := self.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(self.services.queue, job))
            assert self.services.queue.finish(job)

    def repo_id(self, api: str) -> int:
        types, _, name = api.removeprefix("/api/").partition("/")
        with self.services.database.read() as uow:
            repo = lookup_repo(uow, types.removesuffix("s"), name)  # type: ignore[arg-type]
        assert repo is not None
        return repo.id


@contextmanager
def build(folder: Path, **settings: Any) -> Iterator[Arena]:
    """A hub in `folder` with alice, bob and rea (who reads in `lab`); bytes lie outside of its repos."""
    data = folder / "data"
    data.mkdir(parents=True)
    for place in (folder / "outside.txt", data / "outside.txt", data / "README.md"):
        place.write_bytes(OUTSIDE)
    clock = MovableClock()
    opened = open_services(Settings(data=data, workers=0, **settings))
    opened.database.close()
    database = Database(opened.settings.database_url, clock)
    new_schema(database)
    (data / "contents" / "README.md").write_bytes(OUTSIDE)
    signer = LinkSigner(b"k" * 32, clock)
    services = replace(opened, database=database, signer=signer, queue=SqlJobQueue(database))
    with database.write() as uow:
        people = {name: create_account(uow, name, "user") for name in ("alice", "bob", "rea")}
        lab = create_account(uow, "lab", "org", fullname="The Lab")
        set_member(uow, lab, people["alice"], "admin")
        set_member(uow, lab, people["rea"], "read")
        for name, person in people.items():
            issue_token(uow, person, "work", "write", secret=f"token-of-{name}")
    with start_blocking_portal() as portal:
        arena = Arena(create_app(services), services, clock, portal, folder)
        arena.token("bob", "read", "bob-reads")
        own = (Scope("model/bob/own", "write"),)
        arena.token("bob", "fine_grained", "bob-fine", scopes=own)
        yield arena
    database.close()


def refused(answer: Answer, *statuses: int, code: str | None = None) -> None:
    """The answer is an error of ours, in the one form that all have, and shows nothing of the inside."""
    assert answer.status in statuses if statuses else 400 <= answer.status < 500, answer
    if code is not None:
        assert answer.code == code, answer
    formed(answer)


def formed(answer: Answer) -> None:
    """Every answer: an id, never a failure of the hub; every error: code and words in its headers."""
    assert re.fullmatch(r"[A-Za-z0-9=;:._-]{1,128}", answer.headers["x-request-id"]), answer
    assert answer.status < 500 or answer.status in {501, 503}, answer
    if answer.status >= 400:
        assert re.fullmatch(r"[A-Za-z_]{3,40}", answer.headers["x-error-code"]), answer
        assert re.fullmatch(r"[ -~]{1,1100}", answer.headers["x-error-message"]), answer
        # A page repeats its own address in its links, however long it is.
        assert len(answer.body) < 50_000 or b"<!doctype html>" in answer.body[:20], answer
    for mark in _MARKS:
        assert mark not in answer.body, answer
    for name, value in answer.headers.items():
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        assert re.fullmatch(r"[ -~]*", value), (name, value)


def lfs_address(api: str) -> str:
    types, _, name = api.removeprefix("/api/").partition("/")
    return f"/{'' if types == 'models' else types + '/'}{name}.git/info/lfs"


def target_of(href: str) -> str:
    """What stands in the request line for an absolute address."""
    parts = urlsplit(href)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


def _latin(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
