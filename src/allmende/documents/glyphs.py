"""Which characters the fonts of PDF files have a shape for, and how the others are told."""

from bisect import bisect_right
from unicodedata import normalize

__all__ = ["drawable"]

_RANGES = (
    (0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x2FF), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A),
    (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x482), (0x48A, 0x4FF), (0x1E00, 0x1F15), (0x2010, 0x2027),
    (0x2030, 0x2040), (0x2044, 0x2052), (0x2070, 0x2071), (0x2074, 0x208E), (0x20A0, 0x20C0),
    (0x2100, 0x211E), (0x2122, 0x2122), (0x2190, 0x23FF), (0x2500, 0x2604),
)  # fmt: skip
"""Tried one by one with the fonts that typst 0.15 brings: Latin, Greek, Cyrillic, punctuation, signs."""
_STARTS = [first for first, _last in _RANGES]


def drawable(value: object) -> tuple[object, bool]:
    """A JSON value with each character that has no shape as `[U+4E00]`, and whether there was one."""
    if isinstance(value, str):
        whole = normalize("NFC", value)
        told = "".join(one if _has_shape(one) else f"[U+{ord(one):04X}]" for one in whole)
        return told, told != whole
    if isinstance(value, dict):
        pairs = {key: drawable(item) for key, item in value.items()}
        return {key: told for key, (told, _) in pairs.items()}, any(hit for _, hit in pairs.values())
    if isinstance(value, list | tuple):
        items = [drawable(item) for item in value]
        return [told for told, _ in items], any(hit for _, hit in items)
    return value, False


def _has_shape(character: str) -> bool:
    index = bisect_right(_STARTS, ord(character)) - 1
    return index >= 0 and ord(character) <= _RANGES[index][1]
