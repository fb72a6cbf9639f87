"""The form of a transparency record: facts by name, each with its source and evidence, or said to be unknown.

A record is a JSON object (`allmende.record/1`, see `record-1.schema.json`) that canonical JSON can hold: no
number that some reader would round, no text that is not Unicode, nothing nested without bound.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import isfinite
from typing import Literal, TypeAlias, get_args

from allmende.clock import iso
from allmende.proof import JsonObject, JsonValue, canonical_json
from allmende.record.errors import MalformedRecord

__all__ = [
    "FACTS",
    "SCHEMA",
    "Facts",
    "Reason",
    "Record",
    "Source",
    "Subject",
    "Tool",
    "basis_of",
    "known",
    "make_record",
    "read_record",
    "tidy",
    "unknown",
]

SCHEMA = "allmende.record/1"

Source = Literal["declared", "measured", "derived", "attested"]
Reason = Literal[
    "not_examined",
    "not_declared",
    "not_measured",
    "not_applicable",
    "not_offered",
    "not_readable",
    "held_back",
]
"""Why nothing is known.

not_examined: the work has not been done yet. not_declared: nobody says it. not_measured: it cannot be
measured from these files. not_applicable: it makes no sense for this type of repo. not_offered: this program
does not find it out. not_readable: it is there, and cannot be read. held_back: the scan stops or holds back
the file that says it.
"""

Facts: TypeAlias = dict[str, JsonObject]

FACTS: Mapping[str, str] = {
    "files": "Every file with its size and SHA-256.",
    "formats": "What the files are by their bytes, and which names promise something else.",
    "unreadable": "Files of known formats that cannot be read, with why.",
    "parameters": "How many parameters the headers of the weights give, by type of number.",
    "architecture": "What the configuration says the model is.",
    "hyperparameters": "Its measures, as configuration and headers give them.",
    "library": "With which library it is loaded.",
    "task": "What it is for, in the Hub's vocabulary.",
    "tags": "Words by which it is found.",
    "weights": "The weights as one thing: their name, layout and what could not be read of them.",
    "scan": "What the scan says of each file and of all together.",
    "lineage": "Of which models it is made, measured from the weights.",
    "declared_bases": "Which bases are declared, held against what was measured.",
    "licence": "The licence, as declared.",
    "licence_composition": "What the licences of all ancestors together ask for.",
    "languages": "Which languages it is for.",
    "datasets": "On what data it was trained.",
    "evaluations": "Results on benchmarks.",
    "emissions": "Greenhouse gases of the training.",
    "energy": "Energy of the training, in Wh.",
    "papers": "Papers that the card names, by their arXiv ids.",
    "card": "What the card says to people: a description, and sections by what they are about.",
    "dataset": "What the card of a dataset says of its data.",
    "commit": "The commit and its parents.",
    "signatures": "Signatures of the publisher that lie in the revision.",
    "attestations": "Signed statements about the revision.",
    "supplied_boms": "Bills of materials in the revision, held against what was measured.",
}
"""The facts that a record has, in this order, all of them: unknown ones are said to be unknown."""

_SOURCES = frozenset({*get_args(Source), "unknown"})
_CHANGING = frozenset({"compared"})
"""Names under which a value says among how many others something was looked for."""

_MAX_SAFE = 2**53 - 1
_MAX_DEPTH = 24
_MAX_ITEMS = 20_000
_MAX_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Tool:
    """What found something out."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A revision of a repo; `tree_hash` is its dirHash, None where paths in it do not allow one.

    A folder that no hub knows has neither an id nor a commit.
    """

    type: str
    name: str
    id: str | None
    commit: str | None
    tree_hash: str | None

    @property
    def json(self) -> JsonObject:
        """As a record has it."""
        return {
            "type": self.type,
            "name": self.name,
            "id": self.id,
            "commit": self.commit,
            "dirHash": self.tree_hash,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read: what it is about, and its facts."""

    document: JsonObject
    subject: Subject
    facts: Mapping[str, JsonObject]

    def value(self, name: str) -> JsonValue:
        """The value of a fact; None when it is unknown."""
        return self.facts.get(name, {}).get("value")

    def object(self, name: str) -> JsonObject:
        """The same where it is an object; empty otherwise."""
        value = self.value(name)
        return value if isinstance(value, dict) else {}

    def list(self, name: str) -> list[JsonValue]:
        """The same where it is a list; empty otherwise."""
        value = self.value(name)
        return value if isinstance(value, list) else []

    def text(self, name: str) -> str | None:
        """The same where it is a text; None otherwise."""
        value = self.value(name)
        return value if isinstance(value, str) else None

    def source(self, name: str) -> str:
        """Where a fact comes from; `unknown` where there is none."""
        return str(self.facts.get(name, {}).get("source", "unknown"))


def known(
    value: object, source: Source, tool: Tool, at: datetime, evidence: Mapping[str, object] | None = None
) -> JsonObject:
    """A fact."""
    return {
        "value": tidy(value),
        "source": source,
        "evidence": tidy(dict(evidence or {})),
        "tool": tool.name,
        "tool_version": tool.version,
        "at": iso(at),
    }


def unknown(reason: Reason) -> JsonObject:
    """That nothing is known, and why."""
    return {"source": "unknown", "reason": reason}


def make_record(
    subject: Subject,
    facts: Mapping[str, JsonObject],
    *,
    hub: str | None,
    tool: Tool,
    at: datetime,
    version: int = 1,
    supersedes: JsonObject | None = None,
) -> JsonObject:
    """The record of these facts; those that are not given are `not_offered`. Raises ValueError for others.

    `supersedes` is the version before as `{"version", "digest", "made_at"}`, its digest that of its envelope.
    """
    strange = facts.keys() - FACTS.keys()
    if strange:
        raise ValueError(f"no record has the facts {sorted(strange)}")
    return {
        "schema": SCHEMA,
        "hub": hub,
        "subject": subject.json,
        "version": version,
        "supersedes": supersedes,
        "made_at": iso(at),
        "tool": {"name": tool.name, "version": tool.version},
        "facts": {name: facts.get(name) or unknown("not_offered") for name in FACTS},
    }


def basis_of(subject: Subject, facts: Mapping[str, JsonObject]) -> str:
    """SHA-256 of what a record says, whenever it was found: the same basis needs no new version."""
    said: JsonObject = {
        name: _lasting({key: value for key, value in fact.items() if key != "at"})
        for name, fact in facts.items()
    }
    return sha256(canonical_json([SCHEMA, subject.json, said])).hexdigest()


def _lasting(value: JsonValue) -> JsonValue:
    """A value without counts of what else is on the hub."""
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _CHANGING}
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    return value


def read_record(value: JsonValue) -> Record:
    """The record that a JSON value is, checked as far as its views rely on it; raises MalformedRecord."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise MalformedRecord(f"This is no transparency record of the form {SCHEMA}.")
    subject, facts = value.get("subject"), value.get("facts")
    if not isinstance(subject, dict) or not isinstance(facts, dict):
        raise MalformedRecord("The record has no subject or no facts.")
    found = Subject(
        type=_text(subject, "type"),
        name=_text(subject, "name"),
        id=_text_or_none(subject, "id"),
        commit=_text_or_none(subject, "commit"),
        tree_hash=_text_or_none(subject, "dirHash"),
    )
    checked: dict[str, JsonObject] = {}
    for name, fact in facts.items():
        if not isinstance(fact, dict) or fact.get("source") not in _SOURCES:
            raise MalformedRecord(f"The fact {name[:80]!r} of the record has no source that is known.")
        checked[name] = fact
    return Record(value, found, checked)


def tidy(value: object) -> JsonValue:
    """A value as canonical JSON can hold it, and no larger than a record should be.

    Whole numbers beyond 2^53 become texts, numbers that are none null, what is no JSON at all its text;
    texts and lists beyond the bounds are cut.
    """
    return _tidy(value, 0)


def _tidy(value: object, depth: int) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_SAFE else str(value)
    if isinstance(value, float):
        # A whole number written as 1e16 is one that readers would round all the same.
        too_large = isfinite(value) and value.is_integer() and abs(value) > _MAX_SAFE
        return str(value) if too_large else value if isfinite(value) else None
    if isinstance(value, str):
        return _clean(value)
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return {_clean(str(key)): _tidy(item, depth + 1) for key, item in items}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_tidy(item, depth + 1) for _, item in zip(range(_MAX_ITEMS), value, strict=False)]
    return _clean(str(value))


def _clean(text: str) -> str:
    return text[:_MAX_CHARS].encode("utf-8", "replace").decode()


def _text(subject: JsonObject, key: str) -> str:
    value = subject.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedRecord(f"The subject of the record has no {key}.")
    return value


def _text_or_none(subject: JsonObject, key: str) -> str | None:
    value = subject.get(key)
    if value is not None and not isinstance(value, str):
        raise MalformedRecord(f"The {key} of the record's subject is no text.")
    return value
