"""The whole application in this process over a filled hub, and people who look at it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.settings import Settings
from tests.databases import new_schema
from tests.integration.web.filled import fill
from tests.scanners import scanner_in_process

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ORIGIN = {"Origin": "http://testserver"}


@dataclass
class Person:
    """Somebody with a browser."""

    client: TestClient
    headers: dict[str, str] = field(default_factory=dict)

    def open(self, path: str, **headers: str) -> httpx2.Response:
        return self.client.get(path, headers={**HTML, **self.headers, **headers}, follow_redirects=False)

    def send(
        self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        own = ORIGIN if headers is None else headers
        return self.client.post(path, data=fields, headers={**HTML, **FORM, **own}, follow_redirects=False)

    def sign_in(self, name: str) -> httpx2.Response:
        return self.send("/login", {"token": f"token-of-{name}"})


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    data: Path = tmp_path_factory.mktemp("hub")
    opened = replace(open_services(Settings(data=data, workers=0)), scanner=scanner_in_process())
    new_schema(opened.database)
    fill(opened)
    yield opened
    opened.database.close()


@pytest.fixture
def stranger(services: Services) -> Person:
    return Person(TestClient(create_app(services), raise_server_exceptions=False))


@pytest.fixture
def alice(services: Services) -> Person:
    person = Person(TestClient(create_app(services), raise_server_exceptions=False))
    assert person.sign_in("alice").status_code == 303
    return person
