"""Quoting what was found: short, printable, and without the secret where there is one."""

__all__ = ["MAX_EVIDENCE_CHARS", "masked", "quoted"]

MAX_EVIDENCE_CHARS = 200

_SHOWN_OF_SECRET = 4


def quoted(found: str | bytes) -> str:
    """`found` as one printable line of at most `MAX_EVIDENCE_CHARS` characters."""
    beginning = found[: MAX_EVIDENCE_CHARS + 1]
    text = beginning.decode("utf-8", errors="backslashreplace") if isinstance(beginning, bytes) else beginning
    shown = "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "replace").decode("ascii")
        for character in text
    )
    if len(found) <= MAX_EVIDENCE_CHARS and len(shown) <= MAX_EVIDENCE_CHARS:
        return shown
    return shown[: MAX_EVIDENCE_CHARS - 1] + "…"


def masked(secret: str) -> str:
    """Enough of a secret to find it again in the file, and no more."""
    shown = quoted(secret[:_SHOWN_OF_SECRET])
    return f"{shown}… ({len(secret)} characters)"
