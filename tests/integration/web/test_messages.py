"""All words come from the catalogues, and the catalogues say the same things."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from starlette.requests import Request

import allmende.web
from allmende.web.messages import LANGUAGES, catalogue, preferred_language
from tests.integration.web.reading import Reading

TEMPLATES = sorted((Path(allmende.web.__file__).parent / "templates").glob("*.html"))
WORDLESS = {"B", "LFS", "SHA-256", "Xet", "git", "null", "sha256:", "token"}
"""What is the same in every language."""
SPOKEN = ("alt", "aria-label", "placeholder", "title", "content")
PLACE = re.compile(r"\{(\w+)\}")


def literal_text(path: Path) -> str:
    """The template without its expressions, statements and comments, and without what people type."""
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", " ", path.read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"<pre\b.*?</pre>", "", text, flags=re.DOTALL)


def test_every_language_has_the_same_keys_and_places() -> None:
    first = catalogue(LANGUAGES[0]).messages
    for language in LANGUAGES[1:]:
        other = catalogue(language).messages
        assert first.keys() == other.keys()
        for key, message in first.items():
            assert set(PLACE.findall(message)) == set(PLACE.findall(other[key])), key


def test_no_message_is_empty() -> None:
    for language in LANGUAGES:
        assert all(message.strip() for message in catalogue(language).messages.values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_prose(path: Path) -> None:
    found = Reading(literal_text(path))
    words = {word.strip("()") for word in found.text.split() if re.search(r"[A-Za-z]", word)}
    spoken = {
        value
        for tag, attributes in found.elements
        for name, value in attributes.items()
        if name in SPOKEN and re.search(r"[A-Za-z]{2}", value) and tag != "meta"
    }
    assert words <= WORDLESS
    assert not spoken


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_ask_for_messages_that_exist(path: Path) -> None:
    known = catalogue(LANGUAGES[0]).messages
    tree = Environment(autoescape=True).parse(path.read_text("utf-8"))
    for call in tree.find_all(nodes.Call):
        if not call.args or not isinstance(call.args[0], nodes.Const):
            continue
        key = str(call.args[0].value)
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            assert key in known
        elif isinstance(call.node, nodes.Getattr) and call.node.attr == "plural":
            assert {f"{key}.one", f"{key}.other"} <= known.keys()


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "expected"),
    [
        ("", "", "", "en"),
        ("", "", "de", "de"),
        ("", "", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("", "", "en;q=0.4, de;q=0.9", "de"),
        ("", "", "fr, de;q=0.1", "de"),
        ("", "", "fr", "en"),
        ("", "", "de;q=0", "en"),
        ("", "", "de;q=nan, de;q=inf, de;q=-1", "en"),
        ("", "", "," * 9999, "en"),
        ("", "de", "en", "de"),
        ("", "xx", "de", "de"),
        ("lang=en", "de", "de", "en"),
        ("lang=../../etc/passwd", "", "de", "de"),
    ],
)
def test_the_language_is_the_one_wanted_most(query: str, cookie: str, accepted: str, expected: str) -> None:
    headers = [(b"accept-language", accepted.encode())]
    if cookie:
        headers.append((b"cookie", f"allmende_lang={cookie}".encode()))
    scope = {"type": "http", "headers": headers, "query_string": query.encode(), "path": "/", "method": "GET"}
    assert preferred_language(Request(scope)) == expected


def test_numbers_are_written_as_the_language_writes_them() -> None:
    english, german = catalogue("en"), catalogue("de")
    assert (english.number(1234567), german.number(1234567)) == ("1,234,567", "1.234.567")
    assert (english.size(999), english.size(1000), english.size(91_000_000)) == (
        "999 B",
        "1.00 kB",
        "91.0 MB",
    )
    assert german.size(1_234_567_890) == "1,23 GB"
    assert english.size(10**30).endswith(" PB")
    assert (english.short_number(22_713_216), german.short_number(7 * 10**9)) == ("22.7 M", "7,00 Mrd.")
    assert english.plural("files.count", 1) == "1 entry"
    assert english.plural("files.count", 0) == "0 entries"
    assert english.moment(datetime(2026, 11, 22, 14, 5, tzinfo=UTC)) == "2026-11-22 14:05 UTC"
