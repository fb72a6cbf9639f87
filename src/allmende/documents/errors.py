"""What can be wrong with additions, with the catalogue of fields, and with what is asked for."""

from allmende.errors import NotOffered
from allmende.law import ProblemsFound

__all__ = ["ImpossibleAdditions", "ImpossibleCatalogue", "KindNotOffered", "PdfNotOffered"]


class ImpossibleAdditions(ProblemsFound):
    """Additions that cannot be used."""

    code = "additions_impossible"
    said = "The additions cannot be used"
    what_to_do = "Answer or correct each of these; no document was made."


class ImpossibleCatalogue(ProblemsFound):
    """A catalogue of fields that does not hold together."""

    code = "catalogue_impossible"
    said = "The catalogue of fields does not hold together"
    told_at_most = 20


class KindNotOffered(NotOffered):
    """There is no document of that kind, in that language or for that recipient."""

    code = "document_not_offered"


class PdfNotOffered(NotOffered):
    """The program that sets PDF files is not installed."""

    code = "pdf_not_offered"
