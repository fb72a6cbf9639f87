"""What every bill of materials tells of a record, read out of it once: names, addresses, kin, data, words."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from packageurl import PackageURL

from allmende.proof import JsonValue, canonical_json
from allmende.record import Record, spdx_id

__all__ = ["Ancestor", "DatasetName", "Described", "Licence", "describe"]

_TRUSTED = frozenset({"proven", "strong", "likely"})
_MAX_ANCESTORS = 200


@dataclass(frozen=True, slots=True)
class Licence:
    """A declared licence: in the card's word, and by its SPDX id where SPDX has it."""

    word: str
    spdx: str | None
    name: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model that this one comes from. `source` is `measured`, or `declared` where nobody could measure."""

    name: str
    revision: str | None
    relation: str
    grade: str
    source: str
    purl: str | None
    weight: float | None = None
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetName:
    """Data on which the model was trained, as its card names it."""

    name: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Described:
    """A record, and what all views of it need."""

    record: Record
    endpoint: str | None
    namespace: str | None
    name: str
    version: str
    purl: str | None
    address: str | None
    """Of the repo's page on the hub."""
    licences: tuple[Licence, ...]
    ancestors: tuple[Ancestor, ...]
    datasets: tuple[DatasetName, ...]
    description: str | None
    sections: Mapping[str, str]
    digest: str
    """SHA-256 of the record: the same record gives the same documents."""

    @property
    def full_name(self) -> str:
        """The name as people write it."""
        return self.record.subject.name

    @property
    def type(self) -> str:
        """`model`, `dataset` or `space`."""
        return self.record.subject.type

    @property
    def made_at(self) -> str:
        """When the record was made, to the second."""
        return _seconds(str(self.record.document.get("made_at")))

    @property
    def released_at(self) -> str:
        """When the revision was committed, to the second; of a folder, when the record was made."""
        at = self.record.object("commit").get("at")
        return _seconds(at) if isinstance(at, str) else self.made_at

    @property
    def supplier(self) -> str | None:
        """Who publishes it: the namespace."""
        return self.namespace

    def uuid(self, purpose: str) -> uuid.UUID:
        """An id that follows from the record and what it is for."""
        return uuid.uuid5(
            uuid.NAMESPACE_URL, f"tag:allmende,2026:{purpose}:{self.digest}:{self.endpoint or ''}"
        )

    def file_address(self, path: str) -> str | None:
        """Where a file of the revision is downloaded from."""
        if self.address is None:
            return None
        return f"{self.address}/resolve/{self.version}/{quote(path)}"

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Path, SHA-256 and size of each listed file."""
        listed = self.record.object("files").get("list")
        for row in listed if isinstance(listed, list) else ():
            if isinstance(row, dict):
                size = row.get("size_bytes")
                yield str(row.get("path")), str(row.get("sha256")), size if isinstance(size, int) else 0

    def field(self, name: str) -> str | None:
        """A text of the card's front matter that the record keeps."""
        fields = self.record.object("card").get("fields")
        value = fields.get(name) if isinstance(fields, dict) else None
        return value if isinstance(value, str) and value else None


def describe(record: Record, endpoint: str | None = None) -> Described:
    """Read what views need out of a record. `endpoint` is the hub's address, such as `https://hub.example.org`.

    Without it the hub's name in the record gives it; the record of a folder has no addresses.
    """
    hub = record.document.get("hub")
    base = (endpoint or (f"https://{hub}" if isinstance(hub, str) else "")).rstrip("/") or None
    if record.subject.commit is None:
        base = None
    namespace, _, name = record.subject.name.rpartition("/")
    version = record.subject.commit or record.subject.tree_hash or "unknown"
    return Described(
        record=record,
        endpoint=base,
        namespace=namespace or None,
        name=name,
        version=version,
        purl=_purl(record.subject.type, record.subject.name, version, base),
        address=_address(base, record.subject.type, record.subject.name),
        licences=tuple(_licences(record)),
        ancestors=tuple(_ancestors(record, base)),
        datasets=tuple(_datasets(record, base)),
        description=_text(record.object("card").get("description")),
        sections=_sections(record),
        digest=sha256(canonical_json(record.document)).hexdigest(),
    )


def _purl(repo_type: str, full_name: str, version: str | None, base: str | None) -> str | None:
    """The package URL of a model; what lies in a folder alone is named without a hub.

    The type `huggingface` is for models: other repos, and names without a namespace, have none.
    """
    namespace, _, name = full_name.rpartition("/")
    if base is None:
        return str(PackageURL("generic", None, name, version)) if repo_type == "model" else None
    if repo_type != "model" or not namespace:
        return None
    return str(PackageURL("huggingface", namespace, name, version, {"repository_url": base}))


def _address(base: str | None, repo_type: str, full_name: str) -> str | None:
    if base is None:
        return None
    prefix = "" if repo_type == "model" else f"{repo_type}s/"
    return f"{base}/{prefix}{quote(full_name)}"


def _licences(record: Record) -> Iterator[Licence]:
    said = record.object("licence")
    ids = said.get("ids")
    for word in ids if isinstance(ids, list) else ():
        if isinstance(word, str):
            yield Licence(word, spdx_id(word), _text(said.get("name")), _text(said.get("link")))


def _ancestors(record: Record, base: str | None) -> Iterator[Ancestor]:
    """Parents by the best measured edge, then declared bases of which nothing contradicts that they are."""
    seen: set[str] = set()
    for ancestor in (*_measured(record, base), *_declared(record, base)):
        if ancestor.name not in seen and len(seen) < _MAX_ANCESTORS:
            seen.add(ancestor.name)
            yield ancestor


def _measured(record: Record, base: str | None) -> Iterator[Ancestor]:
    edges = record.object("lineage").get("edges")
    best = edges[0] if isinstance(edges, list) and edges else None
    if not isinstance(best, dict) or best.get("grade") not in _TRUSTED:
        return
    parents = best.get("parents")
    for parent in parents if isinstance(parents, list) else ():
        if not isinstance(parent, dict):
            continue
        name, revision, weight = str(parent.get("repo")), _text(parent.get("revision")), parent.get("weight")
        yield Ancestor(
            name=name,
            revision=revision,
            relation=str(best.get("relation")),
            grade=str(best.get("grade")),
            source="measured",
            purl=_purl("model", name, revision, base),
            weight=float(weight) if isinstance(weight, int | float) else None,
            direction=_text(best.get("direction")),
        )


def _declared(record: Record, base: str | None) -> Iterator[Ancestor]:
    for claim in record.list("declared_bases"):
        if not isinstance(claim, dict) or claim.get("status") not in ("unknown", "confirmed"):
            continue
        name = str(claim.get("name"))
        relation = _text(claim.get("declared_relation")) or "base"
        source = "measured" if claim.get("status") == "confirmed" else "declared"
        grade = _text(claim.get("grade")) or "declared"
        yield Ancestor(name, None, relation, grade, source, _purl("model", name, None, base))


def _datasets(record: Record, base: str | None) -> Iterator[DatasetName]:
    for name in record.list("datasets"):
        if isinstance(name, str):
            is_name = name.count("/") == 1 and ":" not in name and " " not in name
            yield DatasetName(name, _address(base, "dataset", name) if is_name else None)


def _sections(record: Record) -> dict[str, str]:
    sections = record.object("card").get("sections")
    found: dict[str, str] = {}
    for name, section in sections.items() if isinstance(sections, dict) else ():
        text = section.get("text") if isinstance(section, dict) else None
        if isinstance(text, str) and text:
            found[name] = text
    return found


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(moment: str) -> str:
    return f"{moment.partition('.')[0].rstrip('Z')}Z"
