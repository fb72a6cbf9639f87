"""What two records say otherwise: facts that came, that went, and that have another value."""

from collections.abc import Mapping

from allmende.proof import JsonObject, JsonValue
from allmende.record.form import Record

__all__ = ["difference"]

_MAX_PATHS = 1000


def difference(before: Record, after: Record) -> JsonObject:
    """The difference, as `allmende.record-diff/1`.

    A fact counts as changed when its value or its source did; when it was found, and by which version of a
    tool, does not matter. Of files it is said which came, went and changed, up to 1000 of each.
    """
    added: list[JsonValue] = []
    removed: list[JsonValue] = []
    changed: list[JsonValue] = []
    unchanged: list[JsonValue] = []
    for name in sorted({*before.facts, *after.facts}):
        one, other = before.facts.get(name), after.facts.get(name)
        had, has = _is_known(one), _is_known(other)
        if has and not had:
            added.append({"name": name, "after": _short(name, other)})
        elif had and not has:
            removed.append({"name": name, "before": _short(name, one)})
        elif had and has and _said(one) != _said(other):
            row: JsonObject = {"name": name, "before": _short(name, one), "after": _short(name, other)}
            if name == "files":
                row["paths"] = _paths(before, after)
            changed.append(row)
        else:
            unchanged.append(name)
    return {
        "schema": "allmende.record-diff/1",
        "from": _revision(before),
        "to": _revision(after),
        "added": added,
        "removed": removed,
        "changed": changed,
        "unchanged": unchanged,
    }


def _is_known(fact: Mapping[str, JsonValue] | None) -> bool:
    return fact is not None and fact.get("source") != "unknown"


def _said(fact: Mapping[str, JsonValue] | None) -> tuple[JsonValue, JsonValue]:
    return (None, None) if fact is None else (fact.get("value"), fact.get("source"))


def _short(name: str, fact: JsonObject | None) -> JsonObject | None:
    """The fact; of the files the count alone, since the paths are told apart."""
    if name != "files" or fact is None or not isinstance(fact.get("value"), dict):
        return fact
    value = fact["value"]
    counted = (
        {key: item for key, item in value.items() if key != "list"} if isinstance(value, dict) else value
    )
    return {**fact, "value": counted}


def _paths(before: Record, after: Record) -> JsonObject:
    old, new = _files(before), _files(after)
    came = sorted(new.keys() - old.keys())
    went = sorted(old.keys() - new.keys())
    other = sorted(path for path in old.keys() & new.keys() if old[path] != new[path])
    return {
        "added": list[JsonValue](came[:_MAX_PATHS]),
        "removed": list[JsonValue](went[:_MAX_PATHS]),
        "changed": list[JsonValue](other[:_MAX_PATHS]),
        "counts": {"added": len(came), "removed": len(went), "changed": len(other)},
    }


def _files(record: Record) -> dict[str, JsonValue]:
    listed = record.object("files").get("list")
    found: dict[str, JsonValue] = {}
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, dict):
            found[str(row.get("path"))] = row.get("sha256")
    return found


def _revision(record: Record) -> JsonObject:
    version = record.document.get("version")
    return {**record.subject.json, "version": version}
