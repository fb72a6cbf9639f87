"""Deadlines of a serious incident after Art. 73, and from when that article applies."""

from datetime import date, timedelta

from allmende.documents.found import Found, FoundFacts
from allmende.documents.wording import Words
from allmende.law import law_pack
from allmende.proof import JsonValue

__all__ = ["deadline_days", "incident_facts"]

_RULE = "art-73"
_TWO_DAYS = frozenset({"critical_infrastructure", "widespread"})


def incident_facts(given: FoundFacts, words: Words) -> FoundFacts:
    """What follows from the kinds of the incident and the day of awareness; nothing while unknown."""
    aware, kinds = given.get("incident.aware_on"), given.get("incident.kind")
    if aware is None or not isinstance(aware.value, str):
        return {}
    day = date.fromisoformat(aware.value)
    found = {"incident.law_status": _law_status(day, words)}
    if kinds is not None and isinstance(kinds.value, list):
        days, article = deadline_days(kinds.value)
        latest = (day + timedelta(days=days)).isoformat()
        line = words.say("deadline.days", day=latest, days=days, aware=aware.value, article=article)
        found["incident.deadline"] = Found(
            line, "derived", "allmende.documents", aware.at, formula="deadline", firm=True
        )
    return found


def deadline_days(kinds: list[JsonValue]) -> tuple[int, str]:
    """Within how many days of awareness such an incident is reported at the latest, and the article.

    The shortest counts: 2 days (Art. 73(3)), 10 days (73(4)), else 15 days (73(2)).
    """
    if _TWO_DAYS.intersection(str(kind) for kind in kinds):
        return 2, "Art. 73(3)"
    if "death" in kinds:
        return 10, "Art. 73(4)"
    return 15, "Art. 73(2)"


def _law_status(day: date, words: Words) -> Found:
    pack = law_pack()
    phases = pack.timings[pack.rule(_RULE).timing].phases
    starts = sorted({phase.start for phase in phases})
    if day >= starts[-1] or day < starts[0]:
        status = words.say("law.in_force" if day >= starts[-1] else "law.upcoming")
        articles = ", ".join(dict.fromkeys(phase.article for phase in phases))
        days = " / ".join(start.isoformat() for start in starts)
        line = words.say("law.one", status=status, on=day, day=days, article=articles)
    else:
        line = words.say("law.several", on=day, days=" / ".join(start.isoformat() for start in starts))
    return Found(
        line,
        "derived",
        f"law pack {pack.version}",
        pack.checked_on.isoformat(),
        formula="law_status",
        firm=True,
    )
