"""An assessment as text for people: in short, what is open, the lines by section, branches at thresholds.

As plain text for a terminal, or as Markdown, in which nothing that a description says can be markup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from allmende.law.answers import Answer
from allmende.law.assessment import Assessment, Branch, Cap, DateStatus, Line, OpenItem
from allmende.law.comparing import Change
from allmende.law.markup import markdown_text, visible
from allmende.law.values import plain_value
from allmende.law.wording import Wording

__all__ = ["assessment_markdown", "assessment_report", "comparison_report"]

_Form = Literal["title", "subject", "section", "text", "item", "detail"]
_PLAIN: dict[_Form, str] = {
    "title": "",
    "subject": "══ ",
    "section": "── ",
    "text": "",
    "item": "  ",
    "detail": "      ",
}
_MARKDOWN: dict[_Form, str] = {
    "title": "# ",
    "subject": "## ",
    "section": "### ",
    "text": "",
    "item": "- ",
    "detail": "  - ",
}


@dataclass(frozen=True, slots=True)
class _Told:
    """A line of a report, and what it is there."""

    form: _Form
    text: str


def assessment_report(assessment: Assessment, wording: Wording) -> list[str]:
    """The lines as plain text. A name from the description may hold anything; who prints must mind that."""
    lines: list[str] = []
    before: _Form = "title"
    for told in _report(assessment, wording):
        stands_apart = told.form == "text" and before not in ("title", "text")
        if stands_apart or told.form in ("subject", "section"):
            lines.append("")
        lines.append(f"{_PLAIN[told.form]}{told.text}")
        before = told.form
    return lines


def assessment_markdown(assessment: Assessment, wording: Wording) -> str:
    """The same as Markdown (CommonMark); names and free texts are escaped and can only be read as text."""
    lines: list[str] = []
    before: _Form | None = None
    for told in _report(assessment, wording):
        text = markdown_text(visible(" ".join(told.text.split())))
        goes_on = told.form in ("item", "detail") and before in ("item", "detail")
        if lines and not goes_on:
            lines.append("")
        lines.append(f"{_MARKDOWN[told.form]}{text}")
        before = told.form
    return "\n".join(lines) + "\n"


def _report(assessment: Assessment, wording: Wording) -> Iterator[_Told]:
    say = wording.message
    name = assessment.name or say("unnamed")
    pack = assessment.pack
    head = say(
        "title", name=name, on=assessment.on.isoformat(), jurisdiction=pack.jurisdiction, version=pack.version
    )
    yield _Told("title", head)
    yield _Told("text", say("pack", digest=pack.digest[:16], checked_on=pack.checked_on.isoformat()))
    notice = wording.after_checking(assessment)
    if notice:
        yield _Told("text", notice)
    for subject in dict.fromkeys(line.subject for line in assessment.lines):
        yield from _subject(subject, assessment, wording)
    yield _Told("text", wording.footer(assessment))


def comparison_report(changes: tuple[Change, ...], wording: Wording) -> list[str]:
    """The changes as text, each with its causes."""
    say = wording.message
    if not changes:
        return [say("changes.none")]
    lines = [say("changes.title", count=len(changes))]
    for change in changes:
        who = ", ".join(say(f"who.{role}") for role in change.who)
        told = f"  {change.subject} · {change.article} ({change.rule}{', ' + who if who else ''})"
        field = say(f"field.{change.field}")
        lines.append(f"{told}: {field}: {change.before} → {change.after}")
        for cause in change.causes:
            because = say(f"cause.{cause.kind}", name=cause.name, before=cause.before, after=cause.after)
            lines.append(f"      {because}")
    return lines


def _subject(subject: str, assessment: Assessment, wording: Wording) -> Iterator[_Told]:
    say = wording.message
    lines = [line for line in assessment.lines if line.subject == subject and line.relevant]
    title = (
        say("application") if subject == "application" else say("model", name=subject.removeprefix("model:"))
    )
    yield _Told("subject", title)
    yield _Told("text", say("short"))
    for line in lines:
        if line.rule.id in assessment.pack.summary:
            yield _Told(
                "item",
                f"{say(f'answer.{line.answer.value}')} · {wording.says(line.rule)} ({line.rule.article})",
            )
    waiting = [item for item in assessment.open_items if item.subject == subject]
    if waiting:
        yield _Told("text", say("open", count=len(waiting)))
        for item in waiting:
            yield from _open_item(item, wording)
    for section in dict.fromkeys(line.rule.section for line in lines):
        mine = [line for line in lines if line.rule.section == section]
        yield from _section(section, mine, assessment, wording)
    for branch in assessment.branches:
        if branch.subject == subject:
            yield from _branch(branch, wording)


def _open_item(item: OpenItem, wording: Wording) -> Iterator[_Told]:
    label = wording.message(f"gap.{item.gap.kind}")
    yield _Told("item", f"? {label} {item.gap.name}: {wording.ask(item.gap)}")
    yield _Told("detail", wording.message("decides", rules=", ".join(item.decides)))


def _section(section: str, lines: list[Line], assessment: Assessment, wording: Wording) -> Iterator[_Told]:
    yield _Told("section", wording.message(f"section.{section}"))
    shown = [line for line in lines if line.answer is not Answer.NO]
    for line in shown:
        yield from _line(line, assessment, wording)
    left = [line for line in lines if line.answer is Answer.NO]
    if left:
        told = "; ".join(f"{line.rule.article} ({line.rule.id})" for line in left)
        yield _Told("item", f"{wording.message('answer.no')}: {told}")


def _line(line: Line, assessment: Assessment, wording: Wording) -> Iterator[_Told]:
    say = wording.message
    rule = line.rule
    who = f" [{', '.join(say(f'who.{role}') for role in rule.who)}]" if rule.who else ""
    yield _Told("item", f"{say(f'answer.{line.answer.value}')} · {rule.article}{who}: {wording.says(rule)}")
    note = wording.note(rule)
    if note:
        yield _Told("detail", note)
    force = say("binding" if rule.binding else "guidance")
    sure = say("confidence", letter=rule.confidence, weakest=line.weakest)
    by_pack = say("by_pack", version=assessment.pack.version)
    yield _Told("detail", f"{_dates(line, wording)} · {force} · {sure} · {by_pack} · {rule.id}")
    known = {**assessment.facts["application"], **assessment.facts[line.subject]}
    facts = [
        f"{name} = {_shown(plain_value(known[name].value))} ({say(f'source.{known[name].source}')})"
        for name in line.own_facts
        if name in known
    ]
    if facts:
        yield _Told("detail", f"{say('facts')}: {'; '.join(facts)}")
    if line.rests_on:
        yield _Told("detail", f"{say('rests_on')}: {', '.join(line.rests_on)}")
    if line.gaps:
        yield _Told("detail", f"{say('because_of')}: {', '.join(gap.name for gap in line.gaps)}")
    if line.cap is not None:
        yield _Told("detail", _cap(line.cap, wording))
    for piece in line.held:
        origin = say(f"source.{piece.source}") + (f", {piece.model}" if piece.model else "")
        yield _Told("detail", f"{say('held')}: {wording.evidence(piece.kind)}: {piece.where} ({origin})")
    for kind in line.missing:
        yield _Told("detail", f"{say('missing')}: {wording.evidence(kind)} ({kind})")


def _dates(line: Line, wording: Wording) -> str:
    dates = line.dates
    assert dates is not None
    days = [day.isoformat() for day in dates.possible]
    article = ", ".join(dates.articles)
    if dates.status is DateStatus.UNDETERMINED:
        return wording.message("status.undetermined", days=" / ".join(days), last=days[-1], article=article)
    return wording.message(f"status.{dates.status.value}", day=days[0], article=article)


def _cap(cap: Cap, wording: Wording) -> str:
    say = wording.message
    formula = say(f"fine.{cap.takes}", amount=_euros(cap.amount_eur), percent=f"{cap.percent:g}")
    return formula if cap.cap_eur is None else f"{formula} = {_euros(cap.cap_eur)}"


def _euros(amount: float) -> str:
    return f"{amount:,.0f}".replace(",", " ") + " EUR"


def _branch(branch: Branch, wording: Wording) -> Iterator[_Told]:
    say = wording.message
    threshold = wording.number(branch.gap.threshold)
    yield _Told("section", say("branch", fact=branch.gap.name, threshold=threshold))
    yield _Told("item", wording.ask(branch.gap))
    for rule, below, above in branch.differs:
        words = {"below": say(f"answer.{below.value}"), "above": say(f"answer.{above.value}")}
        yield _Told("item", f"{wording.pack.rule(rule).article} ({rule}): {say('branches', **words)}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
