"""`allmende record` and `allmende bom`: all that is known of a model, and documents that follow from it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from allmende.cli.exits import OK
from allmende.cli.output import AsJson, note, printable, say, say_json, size_text
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from allmende.proof import JsonObject, JsonValue
    from allmende.record import Record

__all__ = ["Remote", "bom", "record", "record_of"]

_RepoType = Literal["model", "dataset", "space"]
_Format = Literal[
    "cyclonedx-1.6", "cyclonedx-1.7", "spdx-3.0.1", "croissant-1.1", "cff-1.2.0", "datacite-4.5"
]
_MAX_RECORD_BYTES = 64 * 1024 * 1024
_MAX_VALUE_CHARS = 100

_Type = Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")]
_Endpoint = Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")]
_Token = Annotated[str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")]
_Output = Annotated[Path | None, Parameter(name=["--output", "-o"], help="A file instead of the output.")]
_What = Annotated[
    str,
    Parameter(
        help="namespace/name or namespace/name@revision on a hub, the address of a repo's page, a folder or "
        "file here (./name), or a record that was saved as *.record.json."
    ),
]


def record(
    what: _What,
    /,
    *,
    repo_type: _Type = "model",
    against: Annotated[
        str | None, Parameter(help="Another revision, folder or record: say what this one says otherwise.")
    ] = None,
    envelope: Annotated[bool, Parameter(help="The signed form, as it stands in the log.")] = False,
    output: _Output = None,
    endpoint: _Endpoint = None,
    token: _Token = None,
    as_json: AsJson = False,
) -> int:
    """Show the transparency record: every fact with its source, and what is not known.

    Of a folder the record is made here, from the files alone.
    """
    if against is not None:
        if envelope:
            raise BadRequest("A difference is not signed.", hint="Leave --envelope or --against out.")
        before, after = (record_of(one, repo_type, endpoint, token) for one in (against, what))
        _tell_difference(before, after, output, as_json=as_json)
        return OK
    if envelope:
        document = Remote(what, repo_type, endpoint, token).fetch(signed=True)
        _write(_pretty(document), output)
        return OK
    found = record_of(what, repo_type, endpoint, token)
    if as_json or output is not None:
        _write(_pretty(found.document), output)
    else:
        _say(found)
        if found.subject.commit is not None and not what.endswith(".record.json"):
            _say_storage(Remote(what, repo_type, endpoint, token).storage())
    return OK


def bom(
    what: _What,
    /,
    *,
    form: Annotated[_Format, Parameter(name="--format", help="Which document.")] = "cyclonedx-1.6",
    completeness: Annotated[
        bool, Parameter(help="Say how complete it is, by the 48 fields that OWASP's generator looks at.")
    ] = False,
    repo_type: _Type = "model",
    output: _Output = None,
    endpoint: _Endpoint = None,
    token: _Token = None,
    as_json: AsJson = False,
) -> int:
    """Write a bill of materials, or another document that follows from the record.

    The same record gives the same bytes. Of a folder the record is made here, without a network.
    """
    from allmende.bom import render

    found = record_of(what, repo_type, endpoint, token)
    address = None if found.subject.commit is None else _address_of(what, endpoint)
    if completeness:
        _say_completeness(found, address, as_json=as_json)
        return OK
    _write(render(found, form, address), output)
    return OK


# --- where records come from ------------------------------------------------------------------------------


def record_of(what: str, repo_type: _RepoType, endpoint: str | None, token: str | None) -> "Record":
    """The record of a revision on a hub, of a folder or file here, or one that was saved."""
    from allmende.record import read_record

    place = Path(what)
    if what.endswith(".record.json") and place.is_file():
        return _read_file(place)
    if place.exists() and (place.is_absolute() or what.startswith(".") or "/" not in what):
        from allmende.cli.folder_record import folder_record

        name = place.resolve().name or "folder"
        return read_record(folder_record(place, name, repo_type, datetime.now(UTC)))
    return read_record(Remote(what, repo_type, endpoint, token).fetch(signed=False))


def _read_file(place: Path) -> "Record":
    from allmende.proof import read_json
    from allmende.record import read_record

    with place.open("rb") as reader:
        return read_record(read_json(reader.read(_MAX_RECORD_BYTES + 1), _MAX_RECORD_BYTES))


class Remote:
    """A revision of a repo on a hub."""

    def __init__(self, what: str, repo_type: _RepoType, endpoint: str | None, token: str | None) -> None:
        from allmende.client import RemoteRepo, known_endpoint

        name, _, revision = what.partition("@")
        self._endpoint = endpoint
        if what.startswith(("http://", "https://")):
            self._endpoint, repo_type, name, revision = _parts_of(what)
        self._endpoint = self._endpoint or known_endpoint()
        self._repo = RemoteRepo(repo_type, name)
        self._revision = revision or "main"
        self._token = token

    def fetch(self, *, signed: bool) -> "JsonObject":
        """The record of the revision, or its envelope."""
        """Its record, or the signed form."""
        from urllib.parse import quote

        path = f"record/{quote(self._revision, safe='')}"
        return self._get(f"{path}?envelope=1" if signed else path)

    def storage(self) -> "JsonObject":
        """What the repo takes on the hub at present."""
        return self._get("storage")

    def file(self, path: str, most_bytes: int) -> bytes | None:
        """A small file of the revision, one byte more than allowed at most; None where there is none."""
        from urllib.parse import quote

        from allmende.client import Connection, known_token
        from allmende.errors import NotFound

        before = "" if self._repo.type == "model" else f"{self._repo.type}s/"
        address = f"/{before}{self._repo.name}/resolve/{quote(self._revision, safe='')}/{quote(path)}"
        found: bytes | None = None
        with Connection(str(self._endpoint), self._token or known_token()) as hub:
            try:
                with hub.open("GET", address) as answer:
                    found = answer.read(most_bytes + 1)
            except NotFound:
                # No file of that name: the publisher has added nothing.
                found = None
        return found

    def _get(self, path: str) -> "JsonObject":
        from allmende.client import Connection, UnexpectedAnswer, known_token

        with Connection(str(self._endpoint), self._token or known_token()) as hub:
            document, _headers = hub.json(
                "GET", f"/api/allmende/v1/{self._repo.type}s/{self._repo.name}/{path}"
            )
        if not isinstance(document, dict):
            raise UnexpectedAnswer("The hub's answer is no record.")
        return document


def _parts_of(address: str) -> tuple[str, _RepoType, str, str]:
    """Hub, type, name and revision of the address of a repo's page."""
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    segments = [segment for segment in parts.path.split("/") if segment]
    repo_type: _RepoType = "model"
    if segments and segments[0] in ("datasets", "spaces"):
        repo_type = "dataset" if segments[0] == "datasets" else "space"
        segments = segments[1:]
    if len(segments) < 2:
        raise BadRequest(
            f"{address[:200]} is not the address of a repo.", hint="Such as https://hub.example.org/ns/name"
        )
    has_revision = len(segments) > 3 and segments[2] in ("tree", "blob", "resolve")
    revision = segments[3] if has_revision else ""
    return f"{parts.scheme}://{parts.netloc}", repo_type, "/".join(segments[:2]), revision


def _address_of(what: str, endpoint: str | None) -> str | None:
    if what.startswith(("http://", "https://")):
        return _parts_of(what)[0]
    if what.endswith(".record.json"):
        return endpoint
    from allmende.client import known_endpoint

    return endpoint or known_endpoint()


# --- what is said -----------------------------------------------------------------------------------------


def _say(found: "Record") -> None:
    subject = found.subject
    say(f"{subject.type} {printable(subject.name)}{f' at {subject.commit}' if subject.commit else ''}")
    say(f"dirHash {subject.tree_hash or 'none: a path holds a line break'}")
    width = max(len(name) for name in found.facts)
    for name, fact in found.facts.items():
        source = found.source(name)
        told = str(fact.get("reason", "")).replace("_", " ") if source == "unknown" else _short(found, name)
        say(f"{name.replace('_', ' ').ljust(width)}  {source.ljust(8)}  {printable(told)}")


def _say_storage(now: "JsonObject") -> None:
    """What is no fact of the revision: it changes with whatever else the hub keeps."""
    content, stored = now.get("content_bytes"), now.get("stored_bytes")
    if isinstance(content, int) and isinstance(stored, int):
        say(f"large files now take {size_text(stored)} on this hub, for {size_text(content)} of them")


def _tell_difference(before: "Record", after: "Record", output: Path | None, *, as_json: bool) -> None:
    from allmende.record import difference

    found = difference(before, after)
    if as_json or output is not None:
        _write(_pretty(found), output)
        return
    for one, word in ((before, "from"), (after, "to")):
        at = f" at {one.subject.commit}" if one.subject.commit else ""
        say(f"{word.ljust(4)} {one.subject.type} {printable(one.subject.name)}{at}")
    for word in ("added", "removed", "changed"):
        for row in _rows(found, word):
            say(f"{word.ljust(8)} {str(row.get('name')).replace('_', ' ')}")
            for side, mark in (("before", "-"), ("after", "+")):
                if side in row:
                    say(f"  {mark} {printable(_text(_value(row, side)))}")
            paths = row.get("paths")
            for kind in ("added", "removed", "changed") if isinstance(paths, dict) else ():
                for path in _listed(paths, kind):
                    say(f"    {kind.ljust(8)} {printable(str(path))}")
    say(f"{len(_listed(found, 'unchanged'))} of {len(after.facts)} facts say the same")


def _listed(value: object, key: str) -> "list[JsonValue]":
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _rows(value: "JsonObject", key: str) -> "list[JsonObject]":
    return [row for row in _listed(value, key) if isinstance(row, dict)]


def _value(row: "JsonObject", side: str) -> "JsonValue":
    fact = row[side]
    return fact.get("value") if isinstance(fact, dict) else None


def _short(found: "Record", name: str) -> str:
    if name == "files":
        said = found.object(name)
        return f"{said.get('count')} files, {said.get('size_bytes')} bytes"
    return _text(found.value(name))


def _text(value: "JsonValue") -> str:
    from allmende.proof import canonical_json

    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"


def _say_completeness(found: "Record", address: str | None, *, as_json: bool) -> None:
    import json

    from allmende.bom import YARDSTICK, completeness, render

    reached = completeness(json.loads(render(found, "cyclonedx-1.6", address)))
    if as_json:
        say_json(
            "allmende.bom-completeness/1",
            {
                "repo": found.subject.name,
                "score": reached.score,
                "present": list(reached.present),
                "missing": list(reached.missing),
            },
        )
        return
    say(f"{len(reached.present)} of {len(YARDSTICK)} fields, {reached.score} of 100 points")
    say(f"missing: {', '.join(reached.missing) or 'none'}")


def _pretty(document: "JsonObject") -> bytes:
    import json

    return (json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _write(data: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.flush()
        sys.stdout.write(data.decode())
        return
    output.write_bytes(data)
    note(f"Written to {output}.")
