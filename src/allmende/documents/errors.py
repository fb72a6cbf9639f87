"""What can be wrong with additions, with the catalogue of fields, and with what is asked for."""

from collections.abc import Sequence

from allmende.errors import BadRequest, NotOffered
from allmende.law import Problem

__all__ = ["ImpossibleAdditions", "ImpossibleCatalogue", "KindNotOffered", "PdfNotOffered"]


class ImpossibleAdditions(BadRequest):
    """Additions that cannot be used; `problems` says all that is wrong with them, by place."""

    code = "additions_impossible"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        first = self.problems[0]
        more = f" ({count - 1} more)" if count > 1 else ""
        super().__init__(
            f"The additions cannot be used: {first.place}: {first.sentence}{more}",
            hint="Answer or correct each of these; no document was made.",
        )


class ImpossibleCatalogue(BadRequest):
    """A catalogue of fields that does not hold together; `problems` says all that was found."""

    code = "catalogue_impossible"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "The catalogue of fields does not hold together: "
            + " ".join(f"{problem.place}: {problem.sentence}" for problem in self.problems[:20])
        )


class KindNotOffered(NotOffered):
    """There is no document of that kind, in that language or for that recipient."""

    code = "document_not_offered"


class PdfNotOffered(NotOffered):
    """The program that sets PDF files is not installed."""

    code = "pdf_not_offered"
