"""What somebody types, as words to look for, and a word as an expression of the full-text table."""

import unicodedata

__all__ = ["MAX_WORDS", "expression", "words_of"]

MAX_WORDS = 8
_MAX_WORD_CHARS = 60


def words_of(text: str) -> list[str]:
    """The words of a query, in lower case, each once; what is beyond the first eight is not looked for."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(sign if sign.isprintable() else " " for sign in folded)
    return list(dict.fromkeys(word[:_MAX_WORD_CHARS] for word in kept.split()))[:MAX_WORDS]


def expression(word: str) -> str | None:
    """A phrase of FTS5 that a word begins with, as nothing else than text; None where it has no letter.

    The table cuts words at everything that is neither letter nor digit, so `llama-3` is the phrase `llama 3`.
    """
    if not any(sign.isalnum() for sign in word):
        return None
    quoted = word.replace('"', '""')
    return f'"{quoted}" *'
