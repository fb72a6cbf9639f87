"""What a fact of a transparency record says, in a line: for people who will not read its JSON."""

import json
from collections.abc import Callable, Mapping

from allmende.clock import parse_iso
from allmende.proof import JsonObject, JsonValue
from allmende.web.messages import Catalogue

__all__ = ["evidence_pairs", "fact_line", "pretty"]

_MAX_CHARS = 160
_MAX_VALUES = 4
_MAX_PRETTY_CHARS = 8000
_MAX_PAIRS = 8


def fact_line(name: str, value: JsonValue, t: Catalogue) -> str:
    """The fact in a line; what has no wording of its own is told by its plain parts, or counted."""
    wording = _WORDINGS.get(name)
    said = wording(value, t) if wording is not None and isinstance(value, dict) else ""
    return _short(said or _plain(value, t))


def pretty(value: JsonValue) -> tuple[str, bool]:
    """A value as indented JSON, and whether it had to be cut."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    return (text, False) if len(text) <= _MAX_PRETTY_CHARS else (text[:_MAX_PRETTY_CHARS], True)


def evidence_pairs(evidence: JsonValue) -> list[tuple[str, str]]:
    """What a fact can be checked against: names and values, nested ones by their way, up to eight."""
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, JsonValue]] = [("", evidence)]
    while waiting and len(found) < _MAX_PAIRS:
        name, value = waiting.pop(0)
        if isinstance(value, dict):
            prefix = f"{name}." if name else ""
            waiting += [(f"{prefix}{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(name, item) for item in value[:_MAX_PAIRS]]
        elif value is not None:
            found.append((name, _short(str(value))))
    return found


def _files(value: JsonObject, t: Catalogue) -> str:
    count, size = _integer(value, "count"), _integer(value, "size_bytes")
    return f"{t.plural('record.files', count)}, {t.size(size)}"


def _formats(value: JsonObject, t: Catalogue) -> str:
    formats = value.get("formats")
    names = formats if isinstance(formats, dict) else {}
    return ", ".join(t.word(f"format.{name}", name) for name in list(names)[:_MAX_VALUES])


def _parameters(value: JsonObject, t: Catalogue) -> str:
    by_kind = value.get("by_dtype")
    kinds = f" ({', '.join(by_kind)})" if isinstance(by_kind, dict) and by_kind else ""
    return f"{t.number(_integer(value, 'total'))}{kinds}"


def _scan(value: JsonObject, t: Catalogue) -> str:
    status = str(value.get("status"))
    rules = t("scan.rules", name=value.get("rule_set"))
    return f"{t.word(f'scan.status.{status}', status)}. {rules}"


def _lineage(value: JsonObject, t: Catalogue) -> str:
    edges = value.get("edges")
    told = []
    for edge in edges[:_MAX_VALUES] if isinstance(edges, list) else ():
        if isinstance(edge, dict):
            relation, grade = str(edge.get("relation")), str(edge.get("grade"))
            parents = edge.get("parents")
            names = [
                str(one.get("repo"))
                for one in (parents[:_MAX_VALUES] if isinstance(parents, list) else ())
                if isinstance(one, dict)
            ]
            words = f"{t.word(f'lineage.word.{relation}', relation)} {' + '.join(names)}"
            told.append(f"{words.strip()} ({t.word(f'lineage.grade.{grade}', grade)})")
    return "; ".join(told) or t("lineage.no_kin")


def _weights(value: JsonObject, t: Catalogue) -> str:
    layout, count = str(value.get("layout") or ""), _integer(value, "parameters")
    return ", ".join(
        filter(None, (layout, t("list.parameters", count=t.short_number(count)) if count else ""))
    )


def _licence(value: JsonObject, _t: Catalogue) -> str:
    ids = value.get("ids")
    return str(value.get("spdx") or ", ".join(map(str, ids if isinstance(ids, list) else [])))


def _storage(value: JsonObject, t: Catalogue) -> str:
    whole, kept = _integer(value, "content_bytes"), _integer(value, "stored_bytes")
    return t.size(whole) if whole == kept else t("stored.kept", whole=t.size(whole), kept=t.size(kept))


def _commit(value: JsonObject, t: Catalogue) -> str:
    at = value.get("at")
    return t.moment(parse_iso(at)) if isinstance(at, str) else ""


_WORDINGS: Mapping[str, Callable[[JsonObject, Catalogue], str]] = {
    "files": _files,
    "formats": _formats,
    "parameters": _parameters,
    "scan": _scan,
    "weights": _weights,
    "lineage": _lineage,
    "licence": _licence,
    "storage": _storage,
    "commit": _commit,
}


def _plain(value: JsonValue, t: Catalogue) -> str:
    if isinstance(value, bool):
        return t("record.yes" if value else "record.no")
    if isinstance(value, int):
        return t.number(value)
    if isinstance(value, float):
        return t.decimal(value)
    if isinstance(value, list):
        return _list(value, t)
    if isinstance(value, dict):
        parts = [
            f"{key}: {_plain(item, t)}" for key, item in value.items() if not isinstance(item, (dict, list))
        ]
        return ", ".join(parts[:_MAX_VALUES]) or t.plural("record.items", len(value))
    return "" if value is None else str(value)


def _list(value: list[JsonValue], t: Catalogue) -> str:
    if all(not isinstance(item, (dict, list)) for item in value) and value:
        more = len(value) - _MAX_VALUES
        said = ", ".join(str(item) for item in value[:_MAX_VALUES])
        return f"{said} +{more}" if more > 0 else said
    names = [str(item["name"]) for item in value if isinstance(item, dict) and item.get("name")]
    if value and len(names) == len(value):
        return _list(list[JsonValue](names), t)
    return t.plural("record.items", len(value)) if value else t("record.none")


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}…"


def _integer(value: JsonObject, name: str) -> int:
    found = value.get(name)
    return found if isinstance(found, int) else 0
