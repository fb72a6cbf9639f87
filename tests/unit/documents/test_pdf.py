"""PDF files are tagged, the same each time, and take any text as text."""

import builtins
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from allmende.documents import (
    KINDS,
    LANGUAGES,
    Document,
    PdfNotOffered,
    as_pdf,
    make_application_document,
    make_document,
    make_modification_document,
)
from allmende.documents.glyphs import drawable
from allmende.law import law_pack, read_application
from tests.unit.documents.described import added, card, fact, minilm

ROOT = Path(__file__).resolve().parents[3]

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


def made(kind: str, language: str) -> Document:
    """A document of each kind, with long words and signs that the fonts have not."""
    match kind:
        case "annex-iv" | "fria":
            data = (ROOT / "docs" / "examples" / "APPLICATION.yaml").read_bytes()
            application = read_application(data, law_pack(), date(2026, 11, 28))
            return make_application_document(kind, application, None, language)
        case "modification":
            changed: Any = {"tensor_counts": {"same": 92, "changed": 12}, "total": {"relative": 0.0095}}
            other = minilm(library=fact("x", "derived"))
            return make_modification_document(minilm(), other, changed, None, language)
        case "incident":
            incident = {"kind": ["death"], "occurred_on": "2026-11-09", "aware_on": "2026-11-10"}
            return make_document(kind, None, added(incident=incident), language)
        case _:
            text = f"模型 🤗 https://example.org/{'a' * 200}"
            said = {"sections": {"intended_use": {"heading": "Uses", "text": text}}}
            return make_document(kind, minilm(card=card(said)), None, language)


@cache
def pdf_of(kind: str, language: str) -> bytes:
    return as_pdf(made(kind, language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_a_check_for_pdf_ua(kind: str, language: str) -> None:
    """By a checker of others, which holds files against the rules of PDF/UA-1 that a machine can judge."""
    pytest.importorskip("typst")
    page = pytest.importorskip("page")
    report = page.validate_pdf_bytes(pdf_of(kind, language), profile="ua1")
    assert report.is_compliant, [(one.rule_id, one.message) for one in report.failures]
    assert report.rules.total > 100
    assert report.rules.passed == report.rules.total


@pytest.mark.parametrize(
    ("broken", "put", "rule"),
    [
        (rb"/Marked true", b"/Marked null", "TAGGED-DOCUMENT"),
        (rb"/StructTreeRoot \d+ 0 R", b"", "STRUCT-TREE-ROOT"),
        (rb"/Lang\s*\(en\)", b"", "TEXT-LANGUAGE"),
        (rb"<pdfuaid:part>1</pdfuaid:part>", b"", "ID-PART"),
        (rb"/DisplayDocTitle true", b"/DisplayDocTitle null", "VIEWER-PREFERENCES"),
        (rb"/H1\b", b"/H3", "HEADING-NESTING"),
        (rb"/ToUnicode", b"/ToUnicodx", "FONT-UNICODE-MAPPING"),
    ],
)
def test_the_check_finds_what_was_broken(broken: bytes, put: bytes, rule: str) -> None:
    pytest.importorskip("typst")
    page = pytest.importorskip("page")
    data, count = re.subn(broken, lambda found: put.ljust(len(found.group())), pdf_of("summary", "en"))
    assert count
    report = page.validate_pdf_bytes(data, profile="ua1")
    assert not report.is_compliant
    assert any(rule in one.rule_id for one in report.failures)


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
