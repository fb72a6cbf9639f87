"""`allmende document`: what the AI Act asks a publisher to write, from a record and additions to it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK, USAGE
from allmende.cli.output import complain, note
from allmende.clock import system_clock
from allmende.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from allmende.documents import Additions, Document
    from allmende.law import Problem
    from allmende.proof import JsonObject
    from allmende.record import Record

__all__ = ["document"]

_Kind = Literal[
    "summary",
    "copyright",
    "annex-xii",
    "annex-xi",
    "model-form",
    "annex-iv",
    "fria",
    "incident",
    "modification",
]
_Recipient = Literal["public", "downstream", "ai-office", "national", "authority", "internal"]
_Format = Literal["md", "json", "pdf"]
_OF_MODELS = ("summary", "copyright", "annex-xii", "annex-xi", "model-form")
_OF_APPLICATIONS = ("annex-iv", "fria")


class AdditionsMissing(NotFound):
    """There is nothing at the path of additions or of a description."""

    code = "path_missing"


def document(
    what: Annotated[
        str,
        Parameter(
            help="namespace/name or namespace/name@revision on a hub, the address of a repo's page, a folder "
            "or file here (./name), or a record that was saved as *.record.json; for annex-iv and fria the "
            "description of an application (YAML)."
        ),
    ],
    /,
    *,
    kind: Annotated[_Kind, Parameter(help="Which document.")] = "summary",
    lang: Annotated[Literal["en", "de"], Parameter(help="The language of labels and sentences.")] = "en",
    form: Annotated[_Format, Parameter(name="--format", help="Markdown, JSON or PDF.")] = "md",
    add: Annotated[
        Path | None,
        Parameter(help="What the publisher adds (YAML); else model-documents.yaml beside the card."),
    ] = None,
    recipient: Annotated[
        _Recipient | None, Parameter(help="For whom it is; what is not for them is left out.")
    ] = None,
    against: Annotated[
        str | None, Parameter(help="For a modification: the revision, folder or record before.")
    ] = None,
    every: Annotated[
        Path | None,
        Parameter(name="--all", help="Write all documents of a model, for each recipient, into this folder."),
    ] = None,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="A file instead of the output.")
    ] = None,
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
) -> int:
    """Write a document that the EU AI Act asks of a publisher; what is missing stands first.

    Exit code: 0 all mandatory fields are filled, 1 it is a draft, 2 the additions cannot be used.
    """
    from allmende.documents import ImpossibleAdditions
    from allmende.law import ImpossibleApplication

    place = _Place(what, add, endpoint, token)
    try:
        if every is not None:
            return _write_all(place, every, lang, form)
        made = _make(place, kind, lang, recipient, against)
    except (ImpossibleAdditions, ImpossibleApplication) as error:
        return _refuse(error.problems, error.hint)
    _write(_bytes(made, form), output, form)
    return FOUND if made.is_draft else OK


class _Place:
    """Where the record and the additions are."""

    def __init__(self, what: str, add: Path | None, endpoint: str | None, token: str | None) -> None:
        self.what = what
        self._add = add
        self._endpoint = endpoint
        self._token = token

    def record(self, what: str | None = None) -> "Record":
        from allmende.cli.records import record_of

        return record_of(what or self.what, "model", self._endpoint, self._token)

    def additions(self) -> "Additions | None":
        """Those of `--add`, else the file beside the card."""
        from allmende.cli.records import Remote
        from allmende.documents import ADDITIONS_FILE, read_additions
        from allmende.law import MAX_YAML_BYTES

        here = Path(self.what)
        data: bytes | None = None
        if self._add is not None:
            data = _read(self._add, MAX_YAML_BYTES)
        elif here.is_dir():
            beside = here / ADDITIONS_FILE
            data = _read(beside, MAX_YAML_BYTES) if beside.is_file() else None
        elif not here.is_file():
            data = Remote(self.what, "model", self._endpoint, self._token).file(
                ADDITIONS_FILE, MAX_YAML_BYTES
            )
        return None if data is None else read_additions(data, system_clock().date())


def _make(place: _Place, kind: _Kind, lang: str, recipient: str | None, against: str | None) -> "Document":
    from allmende import documents

    if (kind == "modification") is (against is None):
        raise BadRequest(
            "A modification is told of two revisions, every other document of one.",
            hint="Give --against with --kind modification, and with nothing else.",
        )
    if kind in _OF_APPLICATIONS:
        return _of_application(place, kind, lang, recipient)
    additions = place.additions()
    if against is not None:
        before, after = place.record(against), place.record()
        weights = _measured(Path(against), Path(place.what))
        return documents.make_modification_document(before, after, weights, additions, lang, recipient)
    return documents.make_document(kind, place.record(), additions, lang, recipient)


def _of_application(place: _Place, kind: str, lang: str, recipient: str | None) -> "Document":
    from allmende import documents, law

    data = _read(Path(place.what), law.MAX_YAML_BYTES)
    application = law.read_application(data, law.law_pack(), system_clock().date())
    return documents.make_application_document(kind, application, place.additions(), lang, recipient)


def _measured(before: Path, after: Path) -> "JsonObject | None":
    """What `allmende diff` measures, where both models lie here."""
    if not (before.is_dir() and after.is_dir()):
        return None
    from allmende.weights import compare_models, compare_texts, diff_document, open_model

    found = compare_models(open_model(before), open_model(after))
    # Texts are compared file by file in the records.
    return diff_document(found, compare_texts({}, {}, None, None), with_tensors=False)


def _write_all(place: _Place, folder: Path, lang: str, form: _Format) -> int:
    """Every document of a model for every recipient; the code is that of the worst."""
    from allmende import documents

    record, additions = place.record(), place.additions()
    folder.mkdir(parents=True, exist_ok=True)
    drafts = 0
    for kind in _OF_MODELS:
        for recipient in documents.catalogue_of(kind).recipients:
            made = documents.make_document(kind, record, additions, lang, recipient)
            drafts += made.is_draft
            _write(_bytes(made, form), folder / f"{kind}.{recipient}.{lang}.{form}", form)
    return FOUND if drafts else OK


def _bytes(made: "Document", form: _Format) -> bytes:
    from allmende import documents
    from allmende.proof import canonical_json

    if form == "pdf":
        return documents.as_pdf(made)
    return documents.as_markdown(made).encode() if form == "md" else canonical_json(made.json) + b"\n"


def _refuse(problems: "tuple[Problem, ...]", hint: str | None) -> int:
    for problem in problems:
        complain(f"{problem.place}: {problem.sentence}")
    complain(f"No document can be made of this; {len(problems)} to correct.", hint)
    return USAGE


def _read(path: Path, most_bytes: int) -> bytes:
    """The file's bytes, one more than allowed at most, so that its reader refuses it."""
    if not path.is_file():
        raise AdditionsMissing(f"There is no file at {path}.")
    with path.open("rb") as file:
        return file.read(most_bytes + 1)


def _write(data: bytes, output: Path | None, form: _Format) -> None:
    if output is not None:
        output.write_bytes(data)
        note(f"Written to {output}.")
    elif form == "pdf" and sys.stdout.isatty():
        raise BadRequest("A PDF file is not for a terminal.", hint="Name a file with -o.")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
