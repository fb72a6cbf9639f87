"""What the text of a card says, by what its sections are about: bounded, as text, nothing rendered."""

import re
from collections.abc import Iterator

__all__ = ["SECTIONS", "card_description", "card_sections"]

SECTIONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("out_of_scope", r"out[- ]of[- ]scope|misuse|not intended"),
        ("preprocessing", r"pre-?process"),
        ("environment", r"environment|carbon|energy|emission"),
        ("sensitive_data", r"sensitive|personal (?:data|information)|privacy"),
        ("explainability", r"explainab|interpretab|examination"),
        ("hyperparameters", r"hyper-?parameter"),
        ("safety", r"safety|security|red[- ]team"),
        ("ethics", r"ethic|fairness|responsib"),
        ("limitations", r"limitation|bias|risk|known issue|caveat"),
        ("intended_use", r"intended use|use cases?|direct use|downstream use|^uses?$|applications?"),
        ("training_data", r"training data|pre-?training data|fine-?tuning data|^data(?:sets?)?$"),
        ("training", r"train|fine-?tun|recipe"),
        ("evaluation", r"evaluat|benchmark|results|performance|metrics"),
        ("architecture", r"architecture|model details|technical spec"),
        ("citation", r"cit(?:ation|e|ing)|bibtex"),
    )
)
"""What a section is about, and the headings that say so; the first that fits decides."""

_MAX_BODY_CHARS = 512 * 1024
_MAX_SECTION_CHARS = 2000
_MAX_HEADING_CHARS = 200
_MAX_LINES = 20_000
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_EMPTY = re.compile(r"\[?more information needed\]?|\btodo\b|\btbd\b|\[optional\]", re.IGNORECASE)
_MARKUP = re.compile(r"[\s>|*_`#:\-\[\]()!]+")
_BADGE = re.compile(r"\s*(?:\[?!\[|<)")


def card_sections(body: str) -> dict[str, dict[str, str]]:
    """The sections of a card's body that say something, as `{"heading", "text"}` by what they are about.

    Of several about the same the first counts. What a template left open says nothing.
    """
    found: dict[str, dict[str, str]] = {}
    for heading, text in _sections(body):
        about = next((name for name, pattern in SECTIONS if pattern.search(heading)), None)
        if about is not None and about not in found and _says_something(text):
            found[about] = {"heading": heading, "text": text[:_MAX_SECTION_CHARS]}
    return found


def card_description(body: str) -> str | None:
    """The first paragraph of a card that is prose, on one line; None where there is none."""
    for _heading, text in _sections(body):
        for paragraph in text.split("\n\n"):
            line = " ".join(paragraph.split())
            plain = not line.startswith(("|", "- ", "* ", "```", "~~~")) and not _BADGE.match(line)
            if plain and _says_something(line) and len(line) > 1:
                return line[:_MAX_SECTION_CHARS]
    return None


def _sections(body: str) -> Iterator[tuple[str, str]]:
    """Headings with the text below them, down to the next heading; what stands before the first has none."""
    heading, lines, fenced = "", list[str](), ""
    for line in _COMMENT.sub("", body[:_MAX_BODY_CHARS]).splitlines()[:_MAX_LINES]:
        fence = _FENCE.match(line)
        if fence and fenced in ("", fence[1]):
            fenced = "" if fenced else fence[1]
        begun = None if fenced else _HEADING.match(line)
        if begun is None:
            lines.append(line)
            continue
        yield heading, "\n".join(lines).strip()
        heading, lines = begun[2].strip().rstrip("#").strip()[:_MAX_HEADING_CHARS], []
    yield heading, "\n".join(lines).strip()


def _says_something(text: str) -> bool:
    return bool(_MARKUP.sub("", _EMPTY.sub("", text)))
