"""`allmende applications`: the register of applications of a hub, over its API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from cyclopts import Parameter

from allmende.cli.exits import OK
from allmende.cli.output import AsJson, printable, say, say_json
from allmende.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from allmende.client import Connection

__all__ = ["delete", "evidence", "list_of_applications", "put", "show"]

_API = "/api/allmende/v1/applications"
_MAX_PACK_BYTES = 1024**3
_MAX_FILE_BYTES = 256 * 1024

_Name = Annotated[str, Parameter(help="namespace/name of the application.")]
_Endpoint = Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")]
_Token = Annotated[str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")]


class DescriptionMissing(NotFound):
    """There is no file with a description."""

    code = "path_missing"


def list_of_applications(
    namespace: Annotated[str | None, Parameter(help="Only those of this namespace.")] = None,
    /,
    *,
    endpoint: _Endpoint = None,
    token: _Token = None,
    as_json: AsJson = False,
) -> int:
    """List the applications that you may see."""
    found, after = [], None
    with _hub(endpoint, token) as hub:
        while True:
            wanted = {"namespace": namespace, "after": after}
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in wanted.items() if value)
            page, _ = hub.json("GET", f"{_API}?{query}")
            found += page["applications"]
            after = page["next"]
            if after is None:
                break
    if as_json:
        say_json("allmende.applications/1", {"applications": found})
    for one in found if not as_json else ():
        say(printable(f"{one['application']}{'  private' if one['private'] else ''}"))
    return OK


def put(
    name: _Name,
    description: Annotated[
        Path, Parameter(help="The description: a YAML file, as `allmende assess` reads it.")
    ],
    /,
    *,
    public: Annotated[bool, Parameter(help="A new application is shown to everybody.")] = False,
    endpoint: _Endpoint = None,
    token: _Token = None,
    as_json: AsJson = False,
) -> int:
    """Register an application, or describe it anew; its assessment follows at once."""
    if not description.is_file():
        raise DescriptionMissing(f"There is no file at {description}.")
    with description.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    path = _path(name)
    headers = {"Content-Type": "application/yaml"}
    with _hub(endpoint, token) as hub:
        try:
            hub.json("GET", path)
        except NotFound:
            new = f"{path}?private={'false' if public else 'true'}"
            answer = hub.document("POST", new, headers=headers, body=data, repeatable=False)
        else:
            answer = hub.document("PUT", path, headers=headers, body=data, repeatable=False)
    if as_json:
        say_json(str(answer.pop("schema")), answer)
        return OK
    told = f"{answer['application']}: description {answer['version']}, assessment {answer['assessment']}"
    say(printable(told))
    return OK


def show(
    name: _Name,
    /,
    *,
    lang: Annotated[str, Parameter(help="The language of sentences: en or de.")] = "en",
    endpoint: _Endpoint = None,
    token: _Token = None,
    as_json: AsJson = False,
) -> int:
    """Say what follows for an application, as it was assessed last."""
    form = "json" if as_json else "text"
    path = f"{_path(name)}/assessment?format={form}&lang={quote(lang, safe='')}"
    with _hub(endpoint, token) as hub, hub.open("GET", path) as answer:
        text = answer.read(_MAX_PACK_BYTES).decode()
    if as_json:
        document = json.loads(text)
        say_json(str(document.pop("schema")), document)
    else:
        for line in text.splitlines():
            say(printable(line))
    return OK


def delete(
    name: _Name, /, *, endpoint: _Endpoint = None, token: _Token = None, as_json: AsJson = False
) -> int:
    """Delete an application with all its descriptions and assessments."""
    with _hub(endpoint, token) as hub:
        deleted, _ = hub.json("DELETE", _path(name))
    if as_json:
        say_json("allmende.application-deleted/1", {"application": deleted["application"]})
    return OK


def evidence(
    name: _Name,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The archive to write.")],
    log: Annotated[bool, Parameter(help="The hub's log keeps the digest of its manifest.")] = False,
    endpoint: _Endpoint = None,
    token: _Token = None,
) -> int:
    """Fetch the evidence pack of an application. `allmende verify FILE.zip` verifies it."""
    method = "POST" if log else "GET"
    with (
        _hub(endpoint, token) as hub,
        hub.open(method, f"{_path(name)}/evidence", repeatable=not log) as answer,
    ):
        data = answer.read(_MAX_PACK_BYTES)
    output.write_bytes(data)
    say(str(output))
    return OK


@contextmanager
def _hub(endpoint: str | None, token: str | None) -> "Iterator[Connection]":
    from allmende.client import Connection, known_endpoint, known_token

    with Connection(endpoint or known_endpoint(), token or known_token()) as connection:
        yield connection


def _path(name: str) -> str:
    namespace, _, short = name.partition("/")
    if not namespace or not short or "/" in short:
        raise BadRequest(f"{name!r} is no name of an application.", hint="Give namespace/name.")
    return f"{_API}/{quote(namespace, safe='')}/{quote(short, safe='')}"
