"""What can be wrong with a law pack, a description or an older assessment."""

from collections.abc import Sequence
from dataclasses import dataclass

from allmende.errors import BadRequest, NotFound

__all__ = [
    "ImpossibleApplication",
    "ImpossiblePack",
    "LawOfAnotherDay",
    "LawPackMissing",
    "Problem",
    "ProblemsFound",
    "UnreadableAssessment",
]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: where it stands, a stable word, and what to answer or correct.

    `about` names the contradiction of the law pack that was met, where it is one; `given` is what sentences
    in other languages need: names and numbers, but no words of English.
    """

    place: str
    code: str
    sentence: str
    about: str = ""
    given: str = ""


class ProblemsFound(BadRequest):
    """What somebody wrote cannot be used; `problems` says all that is wrong with it, by place."""

    said = "It cannot be used"
    told_at_most = 1
    """Problems that the message names; the others are counted."""
    what_to_do: str | None = None

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        told = " ".join(f"{one.place}: {one.sentence}" for one in self.problems[: self.told_at_most])
        left = len(self.problems) - self.told_at_most
        more = f" ({left} more)" if left > 0 else ""
        super().__init__(f"{self.said}: {told}{more}", hint=self.what_to_do)


class ImpossibleApplication(ProblemsFound):
    """A description that cannot be assessed."""

    code = "application_impossible"
    said = "The description cannot be assessed"
    what_to_do = "Answer or correct each of these; nothing was assessed."


class ImpossiblePack(ProblemsFound):
    """A law pack that does not hold together."""

    code = "law_pack_impossible"
    said = "The law pack does not hold together"
    told_at_most = 20


class LawPackMissing(NotFound):
    """There is no law pack of that version."""

    code = "law_pack_missing"


class LawOfAnotherDay(BadRequest):
    """The pack does not hold the law of the day that was asked for."""

    code = "law_of_another_day"


class UnreadableAssessment(BadRequest):
    """What is to be compared with is no assessment in JSON."""

    code = "assessment_unreadable"
