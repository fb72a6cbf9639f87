"""What a card says, without its markup: addresses, code and tables tell little of what a model is for."""

import re
from collections.abc import Iterable

__all__ = ["MAX_TEXT_CHARS", "plain_text"]

MAX_TEXT_CHARS = 2_000
"""Cards say first what a model is for; what comes later would only thin that out."""

_LOOKED_AT = 4 * MAX_TEXT_CHARS
_CODE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"<[^<>]{0,500}>")
_TARGET = re.compile(r"\]\([^()\s]{0,1000}\)")
_ADDRESS = re.compile(r"\bhttps?://\S{1,1000}")
_MARKS = re.compile(r"[\[\]*_`#|>=~\-]+")


def plain_text(name: str, tags: Iterable[str], card: str) -> str:
    """The name's words, tags that are words, and the beginning of the card; bounded.

    `name` is without its namespace. Tags such as `license:mit` stand for facts and are left out.
    """
    words = [name, *(tag for tag in tags if ":" not in tag)]
    body = _CODE.sub(" ", card[:_LOOKED_AT])
    for pattern in (_TAG, _TARGET, _ADDRESS):
        body = pattern.sub(" ", body)
    return " ".join(_MARKS.sub(" ", f"{'. '.join(words)}. {body}").split())[:MAX_TEXT_CHARS]
