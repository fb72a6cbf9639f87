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
    "UnreadableAssessment",
]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: where it stands, a stable word, and what to answer or correct.

    `about` names the contradiction of the law pack that was met, where it is one.
    """

    place: str
    code: str
    sentence: str
    about: str = ""


class ImpossibleApplication(BadRequest):
    """A description that cannot be assessed; `problems` says all that is wrong with it, by place."""

    code = "application_impossible"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        first = self.problems[0]
        more = f" ({count - 1} more)" if count > 1 else ""
        super().__init__(
            f"The description cannot be assessed: {first.place}: {first.sentence}{more}",
            hint="Answer or correct each of these; nothing was assessed.",
        )


class ImpossiblePack(BadRequest):
    """A law pack that does not hold together; `problems` says all that was found."""

    code = "law_pack_impossible"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "The law pack does not hold together: "
            + " ".join(f"{problem.place}: {problem.sentence}" for problem in self.problems[:20])
        )


class LawPackMissing(NotFound):
    """There is no law pack of that version."""

    code = "law_pack_missing"


class LawOfAnotherDay(BadRequest):
    """The pack does not hold the law of the day that was asked for."""

    code = "law_of_another_day"


class UnreadableAssessment(BadRequest):
    """What is to be compared with is no assessment in JSON."""

    code = "assessment_unreadable"
