"""What differs between two vocabularies: tokens added, removed or moved, special tokens, merges.

Read from `tokenizer.json` (of all four kinds of model), `vocab.json`, or `vocab.txt`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from allmende.formats import JsonObject, JsonValue

__all__ = ["MovedToken", "Vocabulary", "VocabularyDiff", "compare_vocabularies", "vocabulary_of"]

_MAX_LISTED = 100
_MAX_TOKEN_CHARS = 200


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens and their numbers, which of the added ones are special, and the merges in their order."""

    tokens: Mapping[str, int]
    special: Mapping[str, bool] = field(default_factory=dict)
    merges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MovedToken:
    """A token that has another number."""

    token: str
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class VocabularyDiff:
    """Counts of everything, and of each sort the first 100 in the order of their numbers."""

    tokens_a: int
    tokens_b: int
    added_count: int
    removed_count: int
    moved_count: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[MovedToken, ...]
    special_added: tuple[str, ...]
    special_removed: tuple[str, ...]
    merges_added: int
    merges_removed: int
    merges_reordered: bool

    @property
    def differs(self) -> bool:
        """Whether anything is not the same."""
        counts = (
            self.added_count,
            self.removed_count,
            self.moved_count,
            self.merges_added,
            self.merges_removed,
        )
        return any(counts) or bool(self.special_added or self.special_removed or self.merges_reordered)


def vocabulary_of(name: str, held: JsonObject | bytes) -> Vocabulary | None:
    """The vocabulary in what a file of this name holds: parsed JSON, or lines. None where there is none."""
    if isinstance(held, bytes):
        lines = held.decode("utf-8", "replace").split("\n")
        return Vocabulary({line.rstrip("\r"): number for number, line in enumerate(lines) if line})
    if name == "tokenizer.json":
        return _of_tokenizer(held)
    tokens = _numbers(held)
    return Vocabulary(tokens) if tokens else None


def compare_vocabularies(a: Vocabulary | None, b: Vocabulary | None) -> VocabularyDiff | None:
    """Compare B with A; None where one of both is not known (a model that came without its tokenizer)."""
    if a is None or b is None:
        return None
    added = [token for token in b.tokens if token not in a.tokens]
    removed = [token for token in a.tokens if token not in b.tokens]
    moved = [token for token, number in a.tokens.items() if b.tokens.get(token, number) != number]
    added.sort(key=b.tokens.__getitem__)
    removed.sort(key=a.tokens.__getitem__)
    moved.sort(key=a.tokens.__getitem__)
    merges_a, merges_b = set(a.merges), set(b.merges)
    return VocabularyDiff(
        len(a.tokens),
        len(b.tokens),
        len(added),
        len(removed),
        len(moved),
        _shown(added),
        _shown(removed),
        tuple(
            MovedToken(token[:_MAX_TOKEN_CHARS], a.tokens[token], b.tokens[token])
            for token in moved[:_MAX_LISTED]
        ),
        _shown([token for token, special in b.special.items() if special and not a.special.get(token)]),
        _shown([token for token, special in a.special.items() if special and not b.special.get(token)]),
        len(merges_b - merges_a),
        len(merges_a - merges_b),
        _in_common(a.merges, merges_b) != _in_common(b.merges, merges_a),
    )


def _of_tokenizer(tokenizer: JsonObject) -> Vocabulary | None:
    model = tokenizer.get("model")
    if not isinstance(model, dict):
        return None
    held = model.get("vocab")
    tokens = _numbers(held) if isinstance(held, dict) else _of_pieces(held)
    special: dict[str, bool] = {}
    added = tokenizer.get("added_tokens")
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict) and isinstance(content := token.get("content"), str):
            number = token.get("id")
            if isinstance(number, int):
                tokens[content] = number
            special[content] = token.get("special") is True
    return Vocabulary(tokens, special, _merges(model.get("merges"))) if tokens else None


def _numbers(held: Mapping[str, JsonValue]) -> dict[str, int]:
    return {token: number for token, number in held.items() if isinstance(number, int)}


def _of_pieces(held: JsonValue) -> dict[str, int]:
    """A Unigram model lists (piece, score); the place in the list is the number."""
    listed = held if isinstance(held, list) else []
    return {
        piece[0]: number
        for number, piece in enumerate(listed)
        if isinstance(piece, list) and piece and isinstance(piece[0], str)
    }


def _merges(held: JsonValue) -> tuple[str, ...]:
    """Merges as `left right`: older files have the text, newer ones a pair."""
    listed = held if isinstance(held, list) else []
    return tuple(
        merge if isinstance(merge, str) else " ".join(map(str, merge))
        for merge in listed
        if isinstance(merge, (str, list))
    )


def _in_common(merges: tuple[str, ...], others: set[str]) -> list[str]:
    return [merge for merge in merges if merge in others]


def _shown(tokens: list[str]) -> tuple[str, ...]:
    return tuple(token[:_MAX_TOKEN_CHARS] for token in tokens[:_MAX_LISTED])
