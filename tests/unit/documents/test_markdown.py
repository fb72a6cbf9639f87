"""Whatever a publisher or a card says stays text: no markup, link or HTML, no turned or hidden characters."""

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from allmende.documents import as_markdown, make_document
from allmende.law import markdown_text
from tests.unit.documents.described import card, minilm

HOSTILE = (
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](https://evil.example/p.png)", "# heading",
    "- item", "1. item", "> quote", "```\ncode", "| a | b |\n|---|---|", "***", "a\n===", "&lt;b&gt;",
    "https://evil.example", "www.evil.example", "mail@evil.example", "<https://evil.example>", "\\", "`x`",
    "$x$", "#panic(1)", "@ref", "{{ x }}", "\u202eevil", "a\u200bb", "a\x00\x1b[31mb", "<!-- x", "~~x~~",
    "[ref]: https://evil.example", "+ x", "    code", "\tcode", "a  \nb",
)  # fmt: skip
ALLOWED = {
    "heading_open", "heading_close", "inline", "paragraph_open", "paragraph_close", "bullet_list_open",
    "bullet_list_close", "list_item_open", "list_item_close", "hr",
}  # fmt: skip
PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])


def shape(text: str) -> list[str]:
    return [token.type for token in PARSER.parse(text)]


def inline_kinds(text: str) -> set[str]:
    return {child.type for token in PARSER.parse(text) for child in token.children or []}


def document_with(text: str) -> str:
    said = {"sections": {"intended_use": {"heading": "Uses", "text": text}}}
    return as_markdown(make_document("annex-xii", minilm(card=card(said))))


def test_no_text_changes_the_form_of_a_document() -> None:
    plain = document_with("word")
    for text in HOSTILE:
        told = document_with(text)
        assert set(shape(told)) == set(shape(plain)), text
        assert inline_kinds(told) <= {"text", "text_special", "strong_open", "strong_close"}, text
        assert not any(character in told for character in "\u202e\u200b\x00\x1b"), text


def test_an_empty_line_between_paragraphs_is_all_that_a_text_can_do() -> None:
    assert shape(document_with("one\n\n# two")).count("heading_open") == shape(document_with("one")).count(
        "heading_open"
    )


def test_hidden_characters_are_told_by_their_number() -> None:
    assert "\\[U+202E\\]evil" in document_with("\u202eevil")


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_reads_as_itself(text: str) -> None:
    line = " ".join(text.split())
    tokens = PARSER.parse(f"word: {markdown_text(text)}")
    shown = "".join(child.content for token in tokens for child in token.children or [])
    expected = f"word: {line}".replace("\x00", "\ufffd").rstrip()
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert shown == expected
