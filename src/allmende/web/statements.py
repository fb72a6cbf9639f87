"""What a repo's page says about a revision, as plain statements, each with the source that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allmende.clock import parse_iso
from allmende.facts import Fact, FactSource, RevisionFacts
from allmende.flows import SCAN, ContentsFigures
from allmende.formats import library_of, pipeline_tag_of
from allmende.registry import Repo
from allmende.web.addresses import licence_path, list_path, scan_path
from allmende.web.messages import Catalogue
from allmende.web.stored import stored_words

__all__ = ["Known", "Statement", "parameters_in", "statements"]

_MAX_FORMATS = 3
_MAX_VALUES = 6
_MAX_CHARS = 120
_BRANCH = "main"
_ISSUES = ("blocked", "quarantined", "warned", "not_scanned", "unexamined")


@dataclass(frozen=True, slots=True)
class Statement:
    """One line: what it is about (a key of the catalogue), what is said, and who or what says so."""

    about: str
    says: str
    source: FactSource | None
    """None where nothing is known."""
    evidence: str = ""
    link: str = ""
    doubt: str = ""
    """What something else says to the contrary."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that the statements about a revision are made from."""

    repo: Repo
    facts: RevisionFacts
    card: Mapping[str, Any]
    """What the card of this revision declares."""
    storage: ContentsFigures
    changed: str
    base_contradicted: bool = False
    """Whether the weights contradict what is declared of the base."""


def statements(known: Known, t: Catalogue) -> list[Statement]:
    """The statements, most telling first. Unknown is said as unknown."""
    return [
        _scan(known, t),
        _licence(known, t),
        *([_parameters(known, t)] if known.repo.type == "model" else []),
        _formats(known, t),
        *_named(known, t),
        *_declared(known, t),
        _storage(known, t),
        Statement("changed", known.changed, "measured", t("evidence.changed")),
        _examined(known, t),
    ]


def parameters_in(facts: RevisionFacts) -> int | None:
    """The number of parameters that the headers of a revision's weights give."""
    for name in ("safetensors", "gguf"):
        value = facts.value(name)
        if isinstance(value, dict) and isinstance(total := value.get("total"), int):
            return total
    return None


def _examined(known: Known, t: Catalogue) -> Statement:
    fact = known.facts.get("examined")
    if fact is None:
        return Statement("examined", t("examined.no"), None)
    value = fact.value if isinstance(fact.value, dict) else {}
    at = value.get("at")
    when = t.moment(parse_iso(at)) if isinstance(at, str) else t.moment(fact.at)
    unreadable = known.facts.value("unreadable")
    doubt = t.plural("examined.unreadable", len(unreadable)) if isinstance(unreadable, list) else ""
    return Statement("examined", t("examined.yes", when=when), fact.source, _tool(fact, t), doubt=doubt)


def _scan(known: Known, t: Catalogue) -> Statement:
    fact = known.facts.get(SCAN)
    value = fact.value if fact is not None and isinstance(fact.value, dict) else {}
    status = value.get("status")
    if fact is None or not isinstance(status, str):
        return Statement("scan", t("examined.no"), None)
    counts = value.get("counts")
    told = [
        f"{t.number(count)} {t(f'scan.status.{word}')}"
        for word in _ISSUES
        if (count := _integer(counts, word))
    ]
    link = scan_path(known.repo, _BRANCH)
    says = t.word(f"scan.status.{status}", status)
    return Statement("scan", says, fact.source, _tool(fact, t), link, ", ".join(told))


def _storage(known: Known, t: Catalogue) -> Statement:
    says, how = stored_words(known.storage, t)
    return Statement("storage", says, "measured", " ".join(filter(None, (t("evidence.storage"), how))))


def _formats(known: Known, t: Catalogue) -> Statement:
    fact = known.facts.get("files")
    value = fact.value if fact is not None and isinstance(fact.value, dict) else {}
    formats = value.get("formats")
    if fact is None or not isinstance(formats, dict) or not formats:
        return Statement("format", t("unknown"), None)
    sizes = {name: _integer(count, "size_bytes") for name, count in formats.items()}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_MAX_FORMATS]
    says = ", ".join(f"{t.word(f'format.{name}', name)} ({t.size(sizes[name])})" for name in largest)
    misnamed = value.get("misnamed")
    doubt = t.plural("format.misnamed", _integer(misnamed, "count")) if misnamed else ""
    return Statement("format", says, fact.source, _tool(fact, t), doubt=doubt)


def _parameters(known: Known, t: Catalogue) -> Statement:
    total = parameters_in(known.facts)
    if total is None:
        return Statement("parameters", t("unknown"), None)
    fact = known.facts.get("safetensors") or known.facts["gguf"]
    value = fact.value if isinstance(fact.value, dict) else {}
    counts = value.get("parameters")
    kinds = ", ".join(sorted(counts)) if isinstance(counts, dict) else str(value.get("quantization") or "")
    says = f"{t.short_number(total)} ({kinds})" if kinds else t.short_number(total)
    return Statement("parameters", says, fact.source, t("evidence.headers", count=t.number(total)))


def _named(known: Known, t: Catalogue) -> list[Statement]:
    """Library and task: the card's word goes before what the files suggest."""
    found = []
    for about, parameter, declared, name in (
        ("library", "library", library_of(dict(known.card)), "library_name"),
        ("task", "task", pipeline_tag_of(dict(known.card)), "pipeline_tag"),
    ):
        derived = known.facts.value(name)
        if declared is None and not isinstance(derived, str):
            if known.repo.type == "model":
                found.append(Statement(about, t("unknown"), None))
            continue
        says = declared or str(derived)
        source: FactSource = "declared" if declared else "derived"
        evidence = t("evidence.card") if declared else _tool(known.facts[name], t)
        link = list_path(known.repo.type, **{parameter: says})
        found.append(Statement(about, _short(says), source, evidence, link))
    return found


def _licence(known: Known, t: Catalogue) -> Statement:
    values = _texts(known.card.get("license"))
    if not values:
        return Statement("licence", t("licence.none"), None, link=licence_path(known.repo, _BRANCH))
    says = ", ".join(values)
    named = _texts(known.card.get("license_name"))
    if named and values == ["other"]:
        says = named[0]
    link = licence_path(known.repo, _BRANCH)
    return Statement("licence", _short(says), "declared", t("evidence.card"), link)


def _declared(known: Known, t: Catalogue) -> list[Statement]:
    """What else a card says of its origin."""
    found = []
    for about, key in (("base", "base_model"), ("datasets", "datasets"), ("language", "language")):
        values = _texts(known.card.get(key))
        if values:
            more = len(values) - _MAX_VALUES
            says = ", ".join(values[:_MAX_VALUES]) + (f" +{more}" if more > 0 else "")
            doubt = t("lineage.doubt") if about == "base" and known.base_contradicted else ""
            found.append(Statement(about, _short(says), "declared", t("evidence.card"), doubt=doubt))
    return found


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items if isinstance(item, (str, int, float)) and str(item).strip()]


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}…"


def _integer(value: object, name: str) -> int:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, int) else 0


def _tool(fact: Fact, t: Catalogue) -> str:
    return t("evidence.tool", tool=fact.tool, version=fact.tool_version, when=t.moment(fact.at))
