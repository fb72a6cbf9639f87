"""PDF files are tagged, the same each time, and take any text as text."""

import builtins
from typing import Any

import pytest

from allmende.documents import PdfNotOffered, as_pdf, make_document
from allmende.documents.glyphs import drawable
from tests.unit.documents.described import added, card, minilm

HOSTILE = (
    '#panic("x") #read("/etc/passwd") $x$ *b* _i_ <l> @r `c` \\ // /* */ \u202e 模型 🤗 \x00\x01 \ufffe '
    "e\u0301 \u0301 \ud800"
)


def test_it_is_tagged_and_the_same_each_time() -> None:
    pytest.importorskip("typst")
    document = make_document("annex-xii", minilm(), None, "de")
    first, second = as_pdf(document), as_pdf(document)
    assert first == second
    assert first.startswith(b"%PDF-")
    assert b"<pdfuaid:part>1</pdfuaid:part>" in first
    assert b"Informationen f\xc3\xbcr nachgelagerte Anbieter (Anhang XII)" in first


def test_any_text_is_set_as_text() -> None:
    pytest.importorskip("typst")
    said = {"sections": {"intended_use": {"heading": "Uses", "text": HOSTILE}}}
    additions = added(use={"systems": "模型 *x* #y"})
    assert as_pdf(make_document("annex-xii", minilm(card=card(said)), additions)).startswith(b"%PDF-")


def test_what_has_no_shape_is_told_by_its_number() -> None:
    assert drawable({"a": ["模", "e\u0301 €"]}) == ({"a": ["[U+6A21]", "é €"]}, True)
    assert drawable("Ω Ж ß") == ("Ω Ж ß", False)


def test_without_typst_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "typst":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PdfNotOffered) as caught:
        as_pdf(make_document("summary", minilm()))
    assert "allmende[documents]" in str(caught.value.hint)
