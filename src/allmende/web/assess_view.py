"""An assessment as pages show it: in short, a checklist by date, and every line with what it rests on."""

from dataclasses import dataclass

from allmende.law import (
    Answer,
    Assessment,
    Branch,
    DateStatus,
    Gap,
    Line,
    Rule,
    Wording,
    languages,
    wording_in,
)
from allmende.law import OpenItem as Open

__all__ = ["Shown", "shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """An assessment with its wording; templates ask it for lines and sentences."""

    assessment: Assessment
    say: Wording

    @property
    def subjects(self) -> list[str]:
        """The application and its models, as far as lines speak of them."""
        return list(dict.fromkeys(line.subject for line in self.assessment.lines))

    def title(self, subject: str) -> str:
        """What a subject is called."""
        if subject == "application":
            return self.say.message("application")
        return self.say.message("model", name=subject.removeprefix("model:"))

    def summary(self, subject: str) -> list[Line]:
        """The lines that say the most in short."""
        return [
            line
            for line in self.assessment.lines
            if line.subject == subject and line.rule.id in self.assessment.pack.summary and line.relevant
        ]

    @property
    def duties(self) -> list[Line]:
        """What somebody has to do, or may have to, the earliest first."""
        lines = [
            line
            for line in self.assessment.lines
            if line.rule.kind == "duty" and line.answer is not Answer.NO and line.relevant
        ]
        return sorted(lines, key=lambda line: line.dates.possible[0].isoformat() if line.dates else "")

    @property
    def fines(self) -> list[Line]:
        """What could be fined."""
        return [line for line in self.assessment.lines if line.cap is not None]

    @property
    def sections(self) -> list[tuple[str, list[Line]]]:
        """All lines that matter, by section."""
        lines = [line for line in self.assessment.lines if line.relevant]
        names = dict.fromkeys(line.rule.section for line in lines)
        return [(name, [line for line in lines if line.rule.section == name]) for name in names]

    @property
    def open(self) -> list[Open]:
        """What has to be known."""
        return list(self.assessment.open_items)

    @property
    def branches(self) -> list[Branch]:
        """What would follow on either side of each threshold that a number lies too near to."""
        return list(self.assessment.branches)

    def branch_title(self, branch: Branch) -> str:
        """The number and the threshold."""
        threshold = self.say.number(branch.gap.threshold)
        return self.say.message("branch", fact=branch.gap.name, threshold=threshold)

    def branch_rows(self, branch: Branch) -> list[tuple[Rule, str, str]]:
        """The rules that differ, each with its answers: for a number that is not above, and for one above."""
        return [
            (
                self.assessment.pack.rule(rule),
                self.say.message(f"answer.{below.value}"),
                self.say.message(f"answer.{above.value}"),
            )
            for rule, below, above in branch.differs
        ]

    def ask(self, fact: str) -> str:
        """The question that asks for a fact."""
        return self.say.ask(Gap("fact", fact))

    def dated(self, line: Line) -> str:
        """From when a line applies, and how that stands to the day of the assessment."""
        dates = line.dates
        if dates is None:
            return ""
        days = [day.isoformat() for day in dates.possible]
        article = ", ".join(dates.articles)
        if dates.status is DateStatus.UNDETERMINED:
            told = " / ".join(days)
            return self.say.message("status.undetermined", days=told, last=days[-1], article=article)
        return self.say.message(f"status.{dates.status.value}", day=days[0], article=article)

    def fine(self, line: Line) -> str:
        """The highest fine, by its formula and in figures where these are known."""
        cap = line.cap
        if cap is None:
            return ""
        amount, percent = _euros(cap.amount_eur), f"{cap.percent:g}"
        formula = self.say.message(f"fine.{cap.takes}", amount=amount, percent=percent)
        return formula if cap.cap_eur is None else f"{formula} = {_euros(cap.cap_eur)}"

    def facts(self, line: Line) -> list[tuple[str, str]]:
        """The facts that the line looks at itself, with where each is from."""
        known = {**self.assessment.facts["application"], **self.assessment.facts.get(line.subject, {})}
        return [
            (name, self.say.message(f"source.{known[name].source}"))
            for name in line.own_facts
            if name in known
        ]


def shown(assessment: Assessment, language: str) -> Shown:
    """The assessment in a language, or in the first where there are no sentences in it."""
    spoken = language if language in languages() else languages()[0]
    return Shown(assessment, wording_in(spoken, assessment.pack))


def _euros(amount: float) -> str:
    return f"{amount:,.0f}".replace(",", "\N{NO-BREAK SPACE}") + " EUR"
