"""What moved from one assessment to another, and which fact, piece of evidence, day or pack moved it.

Works on documents, so that an assessment written long ago can be held against a new one. The causes of a
change are those facts, among all that decided the line before or after, whose value is another now; by the
invariant of `answers` there is at least one, unless the law pack or the day changed. A change that nothing
explains is said to be so: the older document then does not follow from its own facts.
"""

import json
from dataclasses import dataclass
from typing import Literal

from allmende.law.compared_document import COMPARED_FIELDS, AssessedLine, AssessmentRead
from allmende.law.document import Json
from allmende.law.pack_checking import ASSESSED_ON

__all__ = ["COMPARISON_SCHEMA", "Cause", "Change", "compare_assessments", "comparison_document"]

COMPARISON_SCHEMA = "allmende.assessment-changes/1"


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """What moved a line: `before` and `after` are JSON, `null` where there was or is nothing."""

    kind: Literal["fact", "evidence", "pack", "model", "system", "unexplained"]
    name: str
    before: str = "null"
    after: str = "null"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one line that is another now, as JSON before and after; for whom (`who`), and why."""

    subject: str
    rule: str
    article: str
    who: tuple[str, ...]
    field: str
    before: str
    after: str
    causes: tuple[Cause, ...]


def compare_assessments(old: AssessmentRead, new: AssessmentRead) -> tuple[Change, ...]:
    """Every change from `old` to `new`, in the order of the new lines, then of lines that are gone."""
    keys = [*new.lines, *(key for key in old.lines if key not in new.lines)]
    return tuple(change for key in keys for change in _changes(key, old, new))


def comparison_document(old: AssessmentRead, new: AssessmentRead) -> Json:
    """The changes as a JSON document, schema `allmende.assessment-changes/1`."""
    return {
        "schema": COMPARISON_SCHEMA,
        "from": _head(old),
        "to": _head(new),
        "changes": [
            {
                "subject": change.subject,
                "rule": change.rule,
                "article": change.article,
                "who": list(change.who),
                "field": change.field,
                "before": json.loads(change.before),
                "after": json.loads(change.after),
                "causes": [_cause(cause) for cause in change.causes],
            }
            for change in compare_assessments(old, new)
        ],
    }


def _head(read: AssessmentRead) -> Json:
    return {"on": read.on, "pack": {"version": read.version, "digest": read.digest}}


def _cause(cause: Cause) -> Json:
    return {
        "kind": cause.kind,
        "name": cause.name,
        "before": json.loads(cause.before),
        "after": json.loads(cause.after),
    }


def _changes(key: tuple[str, str], old: AssessmentRead, new: AssessmentRead) -> list[Change]:
    sides = old.lines.get(key), new.lines.get(key)
    line = sides[1] or sides[0]
    assert line is not None
    if not all(side.relevant for side in sides if side):
        # A step that mattered to no line on one side: what it moved is told with the lines that rest on it.
        return []
    fields = COMPARED_FIELDS if all(sides) else ("answer",)
    found = []
    for field in fields:
        was, now = (side.fields[field] if side else "null" for side in sides)
        if was != now:
            causes = tuple(sorted(_causes(key, field, old, new)))
            found.append(Change(*key, line.article, line.who, field, was, now, causes))
    return found


def _causes(key: tuple[str, str], field: str, old: AssessmentRead, new: AssessmentRead) -> set[Cause]:
    subject, rule = key
    if (subject in old.subjects) != (subject in new.subjects):
        kind: Literal["model", "system"] = "model" if subject.startswith("model:") else "system"
        return {Cause(kind, subject, *(json.dumps(subject in read.subjects) for read in (old, new)))}
    was, now = old.lines.get(key), new.lines.get(key)
    names = frozenset[str]().union(*(side.deciding for side in (was, now) if side))
    if field == "status":
        names |= {ASSESSED_ON}
    causes = {
        Cause("fact", name, old.fact(subject, name), new.fact(subject, name))
        for name in names
        if old.fact(subject, name) != new.fact(subject, name)
    }
    if was and now and field == "missing":
        causes |= _changed_evidence(was, now)
    if (was.digest if was else "") != (now.digest if now else ""):
        causes.add(Cause("pack", rule, json.dumps(old.version), json.dumps(new.version)))
    return causes or {Cause("unexplained", rule)}


def _changed_evidence(was: AssessedLine, now: AssessedLine) -> set[Cause]:
    return {
        Cause("evidence", kind, *(json.dumps(kind in side.held) for side in (was, now)))
        for kind in was.held ^ now.held
    }
