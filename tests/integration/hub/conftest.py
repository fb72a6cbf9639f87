"""The hub's edge in this process, alone, over a temporary database and store."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from allmende import hub as edge
from allmende.flows import HotContents, Services
from allmende.http import Edge, SegmentPaths, refused, register_convertors
from allmende.ids import GitOid, Sha256
from allmende.jobs import SqlJobQueue
from allmende.registry import (
    AddFile,
    LinkContent,
    Operation,
    Scope,
    Submission,
    TokenRole,
    authenticate,
    create_account,
    find_account,
    issue_token,
    lookup_repo,
    prepare,
    receive,
    set_member,
)
from allmende.settings import load_settings
from allmende.storage import (
    Database,
    LinkSigner,
    LocalContentStore,
    LocalPackStore,
    LocalXorbStore,
    add_content,
    take_possession,
)
from tests.scanners import scanner_in_process


@dataclass
class Hub:
    """Requests as somebody, and the state behind them. Every user's token is `token-of-` and the name."""

    client: TestClient
    services: Services

    def call(
        self,
        method: str,
        path: str,
        *,
        by: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        credentials = {} if by is None else {"Authorization": f"Bearer token-of-{by}"}
        return self.client.request(method, path, headers={**credentials, **(headers or {})}, **more)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, json: object = None, **more: Any) -> httpx2.Response:
        return self.call("POST", path, json={} if json is None else json, **more)

    def token(self, user: str, role: TokenRole, name: str, scopes: tuple[Scope, ...] = ()) -> str:
        """A further token of a user; requests use it with `by=name`."""
        with self.services.database.write() as uow:
            account = find_account(uow, user)
            assert account is not None
            return issue_token(uow, account, name, role, scopes=scopes, secret=f"token-of-{name}")

    def create(self, name: str, *, by: str = "alice", **more: Any) -> str:
        """A new repo; returns the path of its API."""
        namespace, _, short = name.partition("/")
        answer = self.post("/api/repos/create", {"name": short, "organization": namespace, **more}, by=by)
        assert answer.status_code == 200, answer.text
        return f"/api/{more.get('type', 'model')}s/{name}"

    def commit(
        self,
        api: str,
        files: dict[str, bytes],
        *,
        by: str = "alice",
        title: str = "change",
        branch: str = "main",
    ) -> GitOid:
        """Commit small files, past the edge."""
        return self.submit(api, [AddFile(path, data) for path, data in files.items()], by, title, branch)

    def link(self, api: str, path: str, data: bytes, *, by: str = "alice", title: str = "large") -> Sha256:
        """Store bytes and commit them as a large file, past the edge."""
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        writer = self.services.contents.open_write(sha256, len(data))
        writer.write(data)
        location = writer.finish()
        with self.services.database.write() as uow:
            add_content(uow, sha256, len(data), location)
            account = find_account(uow, by)
            assert account is not None
            take_possession(uow, account.id, sha256)
        self.submit(api, [LinkContent(path, sha256, len(data))], by, title, "main")
        return sha256

    def submit(self, api: str, operations: list[Operation], by: str, title: str, branch: str) -> GitOid:
        types, _, name = api.removeprefix("/api/").partition("/")
        submission = Submission(branch, title, "", operations, None, False)
        with self.services.database.write() as uow:
            actor = authenticate(uow, f"token-of-{by}")
            repo = lookup_repo(uow, types.removesuffix("s"), name)  # type: ignore[arg-type]
            assert repo is not None
            prepared = prepare(submission, self.services.settings.max_inline_bytes)
            return receive(uow, self.services.queue, actor, repo, prepared).commit_oid


@pytest.fixture
def says() -> Callable[[httpx2.Response, int, str], None]:
    """Whether an answer is an error in the one form that all have, on HEAD too."""
    return _says


def _says(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["x-error-code"]) == (status, code), answer.text
    assert answer.headers["x-error-message"]
    assert answer.headers["x-request-id"]


def application(services: Services) -> Starlette:
    """The edge with what every request passes, as `app` puts it together, without pages and workers."""
    register_convertors()
    app = Starlette(routes=edge.routes(), exception_handlers={HTTPException: refused})
    app.add_middleware(SegmentPaths)
    app.add_middleware(Edge, services=services)
    return app


@pytest.fixture
def hub(tmp_path: Path, database: Database, contents: LocalContentStore) -> Iterator[Hub]:
    settings = load_settings({"data": tmp_path}, {})
    signer = LinkSigner(b"k" * 32)
    xorbs = LocalXorbStore(contents.root / "xorbs", contents.incoming)
    scanner = scanner_in_process()
    packs = LocalPackStore(contents.root / "packs", contents.incoming)
    hot = HotContents(LocalContentStore(contents.root / "hot"), settings.hot_cache_bytes, settings.hot_reads)
    queue = SqlJobQueue(database)
    services = Services(settings, database, contents, signer, queue, xorbs, packs, hot, scanner=scanner)
    with database.write() as uow:
        people = {name: create_account(uow, name, "user") for name in ("alice", "bob", "rea")}
        lab = create_account(uow, "lab", "org", fullname="The Lab")
        set_member(uow, lab, people["alice"], "admin")
        set_member(uow, lab, people["rea"], "read")
        for name, person in people.items():
            issue_token(uow, person, "work", "write", secret=f"token-of-{name}")
    # Whoever meets an error of ours that became an exception sees it at once.
    with TestClient(application(services), follow_redirects=False) as client:
        yield Hub(client, services)


@pytest.fixture
def served() -> Callable[[Services], AbstractContextManager[Hub]]:
    """The edge over other services: those of `hub` with other settings, for one."""

    @contextmanager
    def serve(services: Services) -> Iterator[Hub]:
        with TestClient(application(services), follow_redirects=False) as client:
            yield Hub(client, services)

    return serve
