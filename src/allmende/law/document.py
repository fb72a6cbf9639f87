"""An assessment as a JSON document: schema `allmende.assessment/1`, in one order, equal for equal facts."""

from allmende.law.answers import Gap
from allmende.law.assessment import Assessment, Branch, Line, OpenItem
from allmende.law.facts import Evidence, Fact
from allmende.law.pack import Pack
from allmende.law.values import plain_value
from allmende.law.wording import Wording

__all__ = ["ASSESSMENT_SCHEMA", "Json", "assessment_document"]

ASSESSMENT_SCHEMA = "allmende.assessment/1"

Json = dict[str, object]


def assessment_document(assessment: Assessment, wording: Wording) -> Json:
    """The document, with `schema`; sentences in the language of the wording, everything else without one."""
    pack = assessment.pack
    facts = {
        subject: {name: _fact(fact) for name, fact in sorted(known.items())}
        for subject, known in sorted(assessment.facts.items())
    }
    return {
        "schema": ASSESSMENT_SCHEMA,
        "name": assessment.name,
        "on": assessment.on.isoformat(),
        "language": wording.language,
        "pack": _pack(pack),
        "notice": wording.after_checking(assessment),
        "facts": facts,
        "lines": [_line(line, assessment, wording) for line in assessment.lines],
        "open": [_open_item(item, wording) for item in assessment.open_items],
        "branches": [_branch(branch) for branch in assessment.branches],
        "footer": wording.footer(assessment),
    }


def _pack(pack: Pack) -> Json:
    return {
        "version": pack.version,
        "digest": pack.digest,
        "jurisdiction": pack.jurisdiction,
        "valid_from": pack.valid_from.isoformat(),
        "checked_on": pack.checked_on.isoformat(),
        "sources": {
            source.id: {
                "title": source.title,
                "published": source.published.isoformat(),
                "binding": source.binding,
            }
            for source in sorted(pack.sources.values(), key=lambda source: source.id)
        },
    }


def _fact(fact: Fact) -> Json:
    return {
        "value": plain_value(fact.value),
        "source": fact.source,
        "evidence": fact.evidence,
        "at": fact.at.isoformat() if fact.at else None,
        "derived_from": list(fact.derived_from),
    }


def _line(line: Line, assessment: Assessment, wording: Wording) -> Json:
    rule = line.rule
    known = {**assessment.facts["application"], **assessment.facts[line.subject]}
    return {
        "rule": rule.id,
        "subject": line.subject,
        "section": rule.section,
        "kind": rule.kind,
        "article": rule.article,
        "answer": line.answer.value,
        "relevant": line.relevant,
        "who": list(rule.who),
        "says": wording.says(rule),
        "note": wording.note(rule),
        "status": line.dates.status.value if line.dates else None,
        "applies_from": [day.isoformat() for day in line.dates.possible] if line.dates else [],
        "date_articles": list(line.dates.articles) if line.dates else [],
        "confidence": rule.confidence,
        "weakest_confidence": line.weakest,
        "force": "binding" if rule.binding else "guidance",
        "sources": list(rule.sources),
        "facts": [
            {"name": name, "value": plain_value(known[name].value), "source": known[name].source}
            for name in line.facts
            if name in known
        ],
        "own_facts": list(line.own_facts),
        "gaps": [_gap(gap) for gap in line.gaps],
        "rests_on": list(line.rests_on),
        "held": [_evidence(piece) for piece in line.held],
        "missing": list(line.missing),
        "fine": _cap(line),
        "pack": assessment.pack.version,
        "rule_digest": line.digest,
    }


def _cap(line: Line) -> Json | None:
    cap = line.cap
    if cap is None:
        return None
    return {
        "amount_eur": cap.amount_eur,
        "percent": cap.percent,
        "takes": cap.takes,
        "cap_eur": cap.cap_eur,
    }


def _evidence(piece: Evidence) -> Json:
    return {
        "kind": piece.kind,
        "where": piece.where,
        "source": piece.source,
        "at": piece.at or None,
        "model": piece.model or None,
    }


def _gap(gap: Gap) -> Json:
    if gap.kind != "near":
        return {"kind": gap.kind, "name": gap.name}
    return {
        "kind": gap.kind,
        "name": gap.name,
        "value": gap.value,
        "threshold": gap.threshold,
        "band": gap.band,
        "stated_side": "above" if gap.above else "not_above",
    }


def _open_item(item: OpenItem, wording: Wording) -> Json:
    return {
        "subject": item.subject,
        **_gap(item.gap),
        "ask": wording.ask(item.gap),
        "decides": list(item.decides),
    }


def _branch(branch: Branch) -> Json:
    return {
        "subject": branch.subject,
        **_gap(branch.gap),
        "differs": [
            {"rule": rule, "if_not_above": below.value, "if_above": above.value}
            for rule, below, above in branch.differs
        ],
    }
