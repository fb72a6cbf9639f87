"""Documents that the AI Act asks of publishers of models, from a transparency record and what they add.

Fields, labels and articles stand as YAML in `fields`, for lawyers to read and correct. Each field shows its
value, where it is from and what it rests on; what is missing is said first, and a mandatory gap makes the
document a draft. No database, no network.
"""

from allmende.documents.additions import ADDITIONS_FILE, ADDITIONS_SCHEMA, Additions, read_additions
from allmende.documents.catalogue import KINDS, LANGUAGES, RECIPIENTS, Catalogue, Field, Vocabulary
from allmende.documents.catalogue_reading import read_vocabulary, vocabulary
from allmende.documents.document import DOCUMENT_SCHEMA, Document, FieldGap, FilledFact, FilledField
from allmende.documents.errors import (
    ImpossibleAdditions,
    ImpossibleCatalogue,
    KindNotOffered,
    PdfNotOffered,
)
from allmende.documents.making import (
    catalogue_of,
    make_application_document,
    make_document,
    make_modification_document,
)
from allmende.documents.markdown import as_markdown
from allmende.documents.pdf import as_pdf, pdf_is_offered
from allmende.documents.presenting import Presented, present

__all__ = [
    "ADDITIONS_FILE",
    "ADDITIONS_SCHEMA",
    "DOCUMENT_SCHEMA",
    "KINDS",
    "LANGUAGES",
    "RECIPIENTS",
    "Additions",
    "Catalogue",
    "Document",
    "Field",
    "FieldGap",
    "FilledFact",
    "FilledField",
    "ImpossibleAdditions",
    "ImpossibleCatalogue",
    "KindNotOffered",
    "PdfNotOffered",
    "Presented",
    "Vocabulary",
    "as_markdown",
    "as_pdf",
    "catalogue_of",
    "make_application_document",
    "make_document",
    "make_modification_document",
    "pdf_is_offered",
    "present",
    "read_additions",
    "read_vocabulary",
    "vocabulary",
]
