"""Decoding Python source as Python does (PEP 263): a comment at the top may choose the encoding.

Some encodings make other code of what a reader sees. Only those that are alphabets are read.
"""

import codecs
import re
from typing import Final

__all__ = ["DisguisedSource", "decoded_source"]

_COOKIE: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK: Final = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_ALPHABETS: Final = (
    "utf-8", "utf-8-sig", "ascii",
    "latin-1", *(f"iso8859-{number}" for number in (*range(2, 12), 13, 14, 15, 16)),
    *(f"cp125{number}" for number in range(9)), "cp437", "cp850", "cp866", "koi8-r", "koi8-u", "mac-roman",
    "gbk", "gb2312", "gb18030", "big5", "euc-jp", "shift_jis", "cp932", "cp949", "euc-kr",
)  # fmt: skip
_NAMES: Final = frozenset(codecs.lookup(name).name for name in _ALPHABETS)
"""Looked up once and for all, so that a scan loads no codec."""
_ALIASES: Final = {
    alias: name
    for name, aliases in {
        "utf-8": ("utf8", "u8", "utf", "utf8-ucs2", "utf8-ucs4", "cp65001", "utf-8-unix", "utf-8-dos",
        "utf-8-mac"), "utf-8-sig": ("utf8-sig",),
        "ascii": ("us-ascii", "646", "ansi-x3.4-1968", "iso646-us"),
        "latin-1": ("latin1", "iso-8859-1", "iso8859-1", "iso-latin-1", "l1", "8859", "latin",
        "iso-latin-1-unix"),
        **{f"iso8859-{n}": (f"iso-8859-{n}", f"8859-{n}") for n in (*range(2, 12), 13, 14, 15, 16)},
        "iso8859-15": ("iso-8859-15", "latin-9", "latin9", "l9"),
        "iso8859-2": ("iso-8859-2", "latin2", "latin-2", "l2"),
        **{f"cp125{n}": (f"windows-125{n}", f"125{n}") for n in range(9)},
        "koi8-r": ("koi8r",), "mac-roman": ("macroman", "macintosh"), "gbk": ("cp936", "936", "ms936"),
        "gb2312": ("euc-cn", "euccn", "chinese"), "big5": ("big5-tw",), "euc-jp": ("eucjp", "ujis"),
        "shift_jis": ("shift-jis", "sjis", "shiftjis", "s-jis"), "cp932": ("ms932", "mskanji"),
        "cp949": ("949", "ms949", "uhc"), "euc-kr": ("euckr", "korean"),
    }.items()
    for alias in (name, *aliases)
}  # fmt: skip


class DisguisedSource(Exception):
    """The source asks for an encoding that is no alphabet; `encoding` is its name in the source."""

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding)
        self.encoding = encoding


def decoded_source(data: bytes) -> str:
    """The text that Python would compile; bytes that the encoding does not have are replaced.

    Raises DisguisedSource where a comment asks for anything but an alphabet.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")  # Python refuses it; whoever decodes it first does not
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    for told in _cookies(data.removeprefix(codecs.BOM_UTF8)):
        name = _ALIASES.get(told.lower().replace("_", "-")) or _ALIASES.get(told.lower())
        if name is None:
            raise DisguisedSource(told)
        encoding = encoding if name in {"utf-8", "utf-8-sig"} else name
    return data.decode(encoding, "replace")


def _cookies(data: bytes) -> list[str]:
    """What the first two lines ask for; readers differ in whether a lone carriage return ends a line."""
    found = []
    for head in (data[:4096].replace(b"\r\n", b"\n"), data[:4096].replace(b"\r", b"\n")):
        for number, line in enumerate(head.split(b"\n")[:2]):
            match = _COOKIE.match(line)
            if match is not None:
                found.append(match[1].decode("ascii", "replace"))
                break
            if number == 0 and not _BLANK.match(line):
                break
    return found
