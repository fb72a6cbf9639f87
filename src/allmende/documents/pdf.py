"""A document as a tagged PDF file (PDF/UA-1), set by typst; its texts are data, not markup."""

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from allmende.documents.document import Document
from allmende.documents.errors import PdfNotOffered
from allmende.documents.glyphs import drawable
from allmende.documents.presenting import present

__all__ = ["as_pdf", "pdf_is_offered"]

_TEMPLATE = Path(__file__).with_name("document.typ")


def pdf_is_offered() -> bool:
    """Whether the program that sets PDF files is installed."""
    return find_spec("typst") is not None


def as_pdf(document: Document) -> bytes:
    """The file; equal documents give equal bytes. Raises PdfNotOffered without the extra `documents`.

    Only the fonts that typst brings are used, so that files are the same everywhere. What they have no shape
    for stands as its number, and the file says so.
    """
    try:
        import typst
    except ImportError as error:
        raise PdfNotOffered(
            "PDF files need typst, which is not installed.",
            hint="Take it as Markdown or JSON; whoever runs this program can install allmende[documents].",
        ) from error
    shown, replaced = drawable(asdict(present(document)))
    facts = {
        "shown": shown,
        "glyphs": document.words.say("glyphs") if replaced else "",
        "author": document.additions.declared_by if document.additions else "",
    }
    facts["author"], _ = drawable(facts["author"])
    made: bytes = typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        pdf_standards=["ua-1"],
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False, sort_keys=True)},
        ignore_system_fonts=True,
        timestamp=0,
    )
    return made
