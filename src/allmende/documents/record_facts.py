"""What a transparency record tells of the facts of documents, each with where the record has it from."""

from collections.abc import Callable, Mapping
from math import floor, log10

from allmende.documents.catalogue import Vocabulary
from allmende.documents.catalogue_reading import vocabulary
from allmende.documents.found import Found, FoundFacts, Origin
from allmende.law import law_pack
from allmende.proof import JsonObject, JsonValue
from allmende.record import Record

__all__ = ["RECORD_FILLERS", "record_facts", "record_reason"]

_SIZES = (
    (500e6, "1M-500M"), (5e9, "500M-5B"), (15e9, "5B-15B"), (50e9, "15B-50B"), (100e9, "50B-100B"),
    (500e9, "100B-500B"), (1e12, "500B-1T"),
)  # fmt: skip
_LEAST_SIZE = 1_000_000
_ORIGINS: Mapping[str, Origin] = {
    "declared": "declared",
    "measured": "measured",
    "derived": "derived",
    "attested": "attested",
}
_MAX_DIGESTS = 50
_CATEGORY = {"free": "open", "not_free": "restricted"}
_WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".npz", ".onnx")


def record_facts(record: Record, words: Vocabulary) -> FoundFacts:
    """The facts that the record fills, by name."""
    found: dict[str, Found] = {}
    for name, wanted in words.facts.items():
        filler = RECORD_FILLERS.get(wanted.record)
        told = filler[1](record) if filler is not None else None
        if told is not None:
            found[name] = told
    return found


def record_reason(record: Record, filler: str) -> str:
    """Why the record does not fill a fact: the reason that it gives; empty where no record ever tells it."""
    fact = RECORD_FILLERS[filler][0] if filler in RECORD_FILLERS else ""
    known: Mapping[str, JsonValue] = record.facts.get(fact, {})
    if not fact or known.get("source") != "unknown":
        # Of a known fact, such as the card, the part that is asked for is not there.
        return "not_declared" if fact else ""
    return str(known.get("reason", ""))


def _of(
    record: Record, fact: str, value: JsonValue, formula: str = "", *, firm: bool = False
) -> Found | None:
    """A value out of a fact of the record; None where there is no value."""
    known = record.facts.get(fact, {})
    if known.get("source") not in _ORIGINS or value in (None, "", [], {}):
        return None
    origin = "derived" if formula else _ORIGINS[str(known["source"])]
    return Found(
        value=value,
        origin=origin,
        by=_who(known) if origin == "declared" else f"{known.get('tool')} {known.get('tool_version')}",
        at=str(known.get("at", ""))[:10],
        evidence=_evidence(known.get("evidence")),
        formula=formula,
        firm=firm,
    )


def _who(known: Mapping[str, JsonValue]) -> str:
    return "card" if known.get("tool") == "allmende.card" else "config"


def _evidence(value: JsonValue) -> str:
    """The evidence of a record on one line."""
    if not isinstance(value, dict):
        return ""
    parts: list[str] = []
    for key, item in value.items():
        if key == "path":
            parts.insert(0, str(item))
        elif isinstance(item, list):
            shown = ", ".join(str(one) for one in item[:6])
            parts.append(f"{key}: {shown}{', …' if len(item) > 6 else ''}")
        elif item is not None:
            parts.append(f"{key} {item}")
    return "; ".join(parts)


def _section(name: str) -> Callable[[Record], Found | None]:
    def told(record: Record) -> Found | None:
        sections = record.object("card").get("sections")
        section = sections.get(name) if isinstance(sections, dict) else None
        text = section.get("text") if isinstance(section, dict) else None
        return _of(record, "card", text)

    return told


def _tasks(record: Record) -> Found | None:
    return _section("intended_use")(record) or _of(record, "task", record.text("task"))


def _names(record: Record) -> Found | None:
    subject = record.subject
    revision = f"@{subject.commit}" if subject.commit else ""
    at = str(record.document.get("made_at", ""))[:10]
    return Found([f"{subject.name}{revision}"], "measured", "allmende.record", at, firm=False)


def _authenticity(record: Record) -> Found | None:
    files = record.object("files").get("list")
    digests: list[JsonValue] = [
        f"{file['path']} sha256:{file['sha256']}"
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, dict) and str(file.get("path", "")).endswith(_WEIGHTS) and file.get("sha256")
    ]
    whole: list[JsonValue] = [f"dirHash {record.subject.tree_hash}"] if record.subject.tree_hash else []
    return _of(record, "files", [*whole, *digests[:_MAX_DIGESTS]], firm=True)


def _release_day(record: Record) -> Found | None:
    at = record.object("commit").get("at")
    return _of(record, "commit", at[:10] if isinstance(at, str) else None, "commit_day")


def _bases(record: Record) -> Found | None:
    found: dict[str, JsonValue] = {}
    edges = record.object("lineage").get("edges")
    for edge in edges if isinstance(edges, list) else []:
        parents = edge.get("parents") if isinstance(edge, dict) else None
        for parent in parents if isinstance(parents, list) else []:
            if isinstance(parent, dict) and isinstance(edge, dict) and parent.get("repo"):
                found[str(parent["repo"])] = f"{parent['repo']} ({edge.get('relation')})"
    if found:
        return _of(record, "lineage", list(found.values()))
    declared = [
        str(base["name"])
        for base in record.list("declared_bases")
        if isinstance(base, dict) and base.get("name")
    ]
    return _of(record, "declared_bases", list[JsonValue](declared))


def _architecture(record: Record) -> Found | None:
    said = record.object("architecture")
    classes = said.get("architectures")
    listed = [str(one) for one in classes] if isinstance(classes, list) else []
    kind = str(said.get("model_type") or "")
    return _of(record, "architecture", ", ".join(listed) + (f" ({kind})" if kind and listed else kind))


def _measures(record: Record) -> Found | None:
    said: JsonObject = {
        key: value
        for key, value in record.object("hyperparameters").items()
        if not isinstance(value, dict | list)
    }
    return _of(record, "hyperparameters", said)


def _total(record: Record) -> int:
    total = record.object("parameters").get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else 0


def _parameters(record: Record) -> Found | None:
    return _of(record, "parameters", _total(record) or None, firm=True)


def _two_figures(record: Record) -> Found | None:
    total = _total(record)
    if total <= 0:
        return None
    rounded = round(total, 1 - floor(log10(total)))
    return _of(record, "parameters", f"{rounded:.1e}", "two_figures", firm=True)


def _size_range(record: Record) -> Found | None:
    total = _total(record)
    if total < _LEAST_SIZE:
        return None
    word = next((word for most, word in _SIZES if total < most), "above-1T")
    return _of(record, "parameters", word, "size_range", firm=True)


def _modalities(side: int) -> Callable[[Record], Found | None]:
    def told(record: Record) -> Found | None:
        known = vocabulary().tasks.get(record.text("task") or "")
        return _of(record, "task", list[JsonValue](known[side]) if known else None, "task")

    return told


def _formats(record: Record) -> Found | None:
    listed = record.object("formats").get("formats")
    names = sorted(listed) if isinstance(listed, dict) else []
    return _of(record, "formats", list[JsonValue](names))


def _input_limit(record: Record) -> Found | None:
    length = record.object("hyperparameters").get("context_length")
    return _of(record, "hyperparameters", f"{length} tokens" if length else None, "context")


def _licence(record: Record) -> Found | None:
    said = record.object("licence")
    ids = said.get("ids")
    shown = said.get("spdx") or (", ".join(str(one) for one in ids) if isinstance(ids, list) else "")
    return _of(record, "licence", f"{shown} {said['link']}" if said.get("link") else shown)


def _licence_category(record: Record) -> Found | None:
    """Only where the licence is one that the law pack has judged, and only one is declared."""
    ids = record.object("licence").get("ids")
    rows = law_pack().licences
    row = rows.get(str(ids[0]).lower()) if isinstance(ids, list) and len(ids) == 1 else None
    return _of(record, "licence", _CATEGORY.get(row.free) if row else None, "licence")


def _distribution(record: Record) -> Found | None:
    hub = record.document.get("hub")
    address = hub if isinstance(hub, str) else hub.get("url") if isinstance(hub, dict) else None
    if not isinstance(address, str) or not address:
        return None
    return _of(record, "files", [f"{address.rstrip('/')}/{record.subject.name}"], "hub")


def _library(record: Record) -> Found | None:
    return _of(record, "library", record.text("library"))


def _integration(record: Record) -> Found | None:
    return _of(record, "library", record.text("library"), "library")


def _evaluations(record: Record) -> Found | None:
    rows = [
        f"{row.get('dataset')}, {row.get('metric')}: {row.get('value')}"
        for row in record.list("evaluations")
        if isinstance(row, dict)
    ]
    return _of(record, "evaluations", "\n".join(rows)) or _section("evaluation")(record)


def _energy(record: Record) -> Found | None:
    value = record.value("energy")
    given: JsonObject = value if isinstance(value, dict) else {"energy_wh": value}
    wh = given.get("energy_wh")
    is_number = isinstance(wh, int | float) and not isinstance(wh, bool)
    return _of(record, "energy", wh / 1e6 if is_number and isinstance(wh, int | float) else None, "energy")


def _hardware(record: Record) -> Found | None:
    return _of(record, "emissions", record.object("emissions").get("hardware_used"))


RECORD_FILLERS: Mapping[str, tuple[str, Callable[[Record], Found | None]]] = {
    "names": ("files", _names),
    "authenticity": ("files", _authenticity),
    "release_day": ("commit", _release_day),
    "bases": ("declared_bases", _bases),
    "architecture": ("architecture", _architecture),
    "measures": ("hyperparameters", _measures),
    "parameters": ("parameters", _parameters),
    "parameters_two_figures": ("parameters", _two_figures),
    "size_range": ("parameters", _size_range),
    "input_modalities": ("task", _modalities(0)),
    "output_modalities": ("task", _modalities(1)),
    "formats": ("formats", _formats),
    "input_limit": ("hyperparameters", _input_limit),
    "licence": ("licence", _licence),
    "licence_category": ("licence", _licence_category),
    "distribution": ("commit", _distribution),
    "tasks": ("card", _tasks),
    "out_of_scope": ("card", _section("out_of_scope")),
    "limitations": ("card", _section("limitations")),
    "library": ("library", _library),
    "integration": ("library", _integration),
    "training_section": ("card", _section("training")),
    "datasets": ("datasets", lambda record: _of(record, "datasets", record.list("datasets"))),
    "training_data_section": ("card", _section("training_data")),
    "preprocessing_section": ("card", _section("preprocessing")),
    "hardware_used": ("emissions", _hardware),
    "energy_mwh": ("energy", _energy),
    "evaluations": ("evaluations", _evaluations),
}
"""What fills a fact from a record: the fact of the record that it rests on, and how."""
