"""A text as one line of Markdown (CommonMark) in which nothing is markup, and without hidden characters."""

import re

__all__ = ["markdown_text", "visible"]

_MARKUP = re.compile(r"[\\`*_{}\[\]<>&#|~!$^=]")
_LIST_NUMBER = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_AUTOLINK = re.compile(r"\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)|(@)", re.IGNORECASE)
_HIDDEN = frozenset({0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0})
"""Characters that take no room and are not among the ranges below."""


def markdown_text(text: str) -> str:
    """A text of one line, escaped so that it is nothing but text wherever it stands."""
    line = " ".join(text.split())
    line = _MARKUP.sub(lambda found: f"\\{found.group()}", line)
    line = _AUTOLINK.sub(_unlinked, line)
    line = _LIST_NUMBER.sub(r"\1\\\2", line)
    return f"\\{line}" if line[:1] in {"-", "+"} else line


def visible(text: str) -> str:
    """`text` with every character that is not seen, or that changes the order of others, as `[U+202E]`."""
    return "".join(f"[U+{ord(one):04X}]" if _is_hidden(one) else one for one in text.replace("\t", " "))


def _unlinked(found: re.Match[str]) -> str:
    """An address stays text: what makes a link of it, here or on a site with bare links, is escaped."""
    word, sign = found[1] or found[3] or "", found[2] or found[4] or found[5]
    return f"{word}\\{sign}"


def _is_hidden(character: str) -> bool:
    point = ord(character)
    return (
        point < 0x20
        or 0x7F <= point < 0xA0
        or 0x200B <= point <= 0x200F
        or 0x2028 <= point <= 0x202E
        or 0x2060 <= point <= 0x206F
        or 0xD800 <= point <= 0xDFFF
        or 0xFE00 <= point <= 0xFE0F
        or 0xFFF0 <= point <= 0xFFFF
        or point >= 0xE0000
        or point in _HIDDEN
    )
