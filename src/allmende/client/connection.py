"""Requests to one hub: its address, the caller's token, and tries again where that makes sense.

Nothing is sent anywhere but to the endpoint and to where it redirects; the token goes to the endpoint alone.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from allmende.client.errors import HubUnreachable, UnexpectedAnswer, refusal
from allmende.errors import AllmendeError, BadRequest

__all__ = ["Answer", "Connection", "refused"]

Answer: TypeAlias = urllib3.BaseHTTPResponse

_TIMEOUT = urllib3.Timeout(connect=10.0, read=120.0)
_BUSY = (429, 502, 503, 504)
_TRIES = 5
_MAX_JSON_BYTES = 64 * 1024 * 1024
_MAX_REASON_BYTES = 64 * 1024


class Connection:
    """A hub at an address. May be used by several threads at once."""

    def __init__(self, endpoint: str, token: str | None = None, *, connections: int = 8) -> None:
        address = urlsplit(endpoint)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise BadRequest(
                f"{endpoint} is not the address of a hub.", hint="Such as https://hub.example.org"
            )
        self.endpoint = endpoint.rstrip("/")
        self._headers = {"User-Agent": "allmende"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._pool = urllib3.PoolManager(maxsize=connections, timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        """Nothing yet: connections are opened as they are needed."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close what is open."""
        self._pool.clear()

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        repeatable: bool = True,
    ) -> Iterator[Answer]:
        """The answer to a request, its body still to be read.

        `path` begins with a slash, or is a whole address on this hub. Tries again while the hub is not to be
        reached or busy, unless the request is not `repeatable`. Raises HubUnreachable, and what the hub
        refuses as the error that it names.
        """
        retries = urllib3.Retry(
            _TRIES if repeatable else 0,
            redirect=5,
            status_forcelist=_BUSY if repeatable else (),
            allowed_methods=None,
            backoff_factor=0.3,
            raise_on_status=False,
        )
        try:
            answer = self._pool.request(
                method,
                self._address(path),
                body=body,
                headers={**self._headers, **(headers or {})},
                retries=retries,
                preload_content=False,
            )
        except HTTPError as error:
            raise self._unreachable(error) from error
        try:
            if answer.status >= 400:
                raise _refusal(answer)
            yield answer
        except HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            answer.release_conn()

    def json(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        """The JSON of an answer of at most 64 MiB, and its headers. Raises UnexpectedAnswer."""
        with self.open_json(method, path, document) as answer:
            return _document(answer, path), answer.headers

    def document(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, repeatable: bool = True
    ) -> Any:
        """The JSON that a body is answered with, as `json`."""
        with self.open(method, path, headers=headers, body=body, repeatable=repeatable) as answer:
            return _document(answer, path)

    def open_json(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Answer]:
        """As `open`, with a document to send."""
        headers = {"Accept": "application/json, */*;q=0.5"}
        if document is None:
            return self.open(method, path, headers=headers)
        headers["Content-Type"] = "application/json"
        return self.open(method, path, headers=headers, body=json.dumps(document).encode())

    def _address(self, path: str) -> str:
        if path.startswith("/"):
            return self.endpoint + path
        if not path.startswith(f"{self.endpoint}/"):
            raise UnexpectedAnswer(f"The hub sends to another host for more: {path[:200]}")
        return path

    def _unreachable(self, error: HTTPError) -> HubUnreachable:
        return HubUnreachable(
            f"The hub at {self.endpoint} cannot be reached: {error}",
            hint="Is the address right (HF_ENDPOINT or --endpoint), and does the hub run?",
        )


def _document(answer: Answer, path: str) -> Any:
    data = answer.read(_MAX_JSON_BYTES + 1)
    if len(data) > _MAX_JSON_BYTES:
        raise UnexpectedAnswer(f"The hub's answer to {path} is larger than {_MAX_JSON_BYTES} bytes.")
    try:
        return json.loads(data)
    except ValueError as error:
        raise UnexpectedAnswer(f"The hub's answer to {path} is not JSON.") from error


def refused(
    status: int, said: str | None = None, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> AllmendeError:
    """What a hub refused, as an error, from all that it says of it."""
    found = headers or {}
    code = found.get("X-Error-Code")
    said = said or found.get("X-Error-Message")
    hint = None
    try:
        document = json.loads(body[:_MAX_REASON_BYTES])
    except ValueError:
        document = None
    if isinstance(document, dict):
        said = said or str(document.get("message") or document.get("error") or "") or None
        hint = document.get("hint") if isinstance(document.get("hint"), str) else None
    return refusal(status, said or f"The hub answered {status}.", code, hint)


def _refusal(answer: Answer) -> AllmendeError:
    return refused(answer.status, None, answer.headers, answer.read(_MAX_REASON_BYTES))
