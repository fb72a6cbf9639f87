"""Rules for what neither an honest writer nor damage explains: files that are proven to be attacks.

Damage cuts a file off, or changes single bytes; honest writers put down what they have. What contradicts
both is an attack, even though nothing in the file runs.
"""

from collections.abc import Mapping

from allmende.formats import Malformed
from allmende.scan.budget import LimitReached
from allmende.scan.findings import Rule, Severity

__all__ = ["BOMB", "IMPOSSIBLE_BYTES", "IMPOSSIBLE_SIZE", "RULES", "TWO_READINGS", "proven_by"]

IMPOSSIBLE_BYTES = 2**50
"""A pebibyte: no machine that loads a model holds so much, so no writer ever had it."""

BOMB = Rule(
    "resource-bomb",
    Severity.CRITICAL,
    "built to exhaust whoever opens it",
    "A few bytes grow into more memory or work than any machine has, or into hundreds of times what a model "
    "of this size can hold. No writer of models makes such a file, and no damage does.",
    "Do not open it. Publish the content as it is, without the part that grows.",
    "CWE-400 and CWE-409: uncontrolled resource consumption, highly compressed data.",
)
IMPOSSIBLE_SIZE = Rule(
    "impossible-size",
    Severity.CRITICAL,
    "claims a size that nothing can have",
    "The header claims more than a pebibyte, or a number that 64 bits cannot hold. Loaders that multiply "
    "without looking reserve too little, and read or write beyond it.",
    "Do not load it. Ask for the file to be written again.",
    "CWE-190 and CWE-787: integer overflow, out-of-bounds write; CVE-2024-21802, CVE-2026-34445.",
)
TWO_READINGS = Rule(
    "two-readings",
    Severity.CRITICAL,
    "built so that two programs read two different things",
    "The same part is named twice, or by two names, and programs differ in which of them counts: one looks "
    "at what another never loads.",
    "Do not load it. Ask for the file to be written again by a current library.",
    "CWE-436 and CWE-694: interpretation conflict, multiple resources with duplicate identifier.",
)
RULES = (BOMB, IMPOSSIBLE_SIZE, TWO_READINGS)

_BY_CODE: Mapping[str, Rule] = {
    "gguf_impossible_size": IMPOSSIBLE_SIZE,
    "safetensors_impossible_size": IMPOSSIBLE_SIZE,
    "gguf_named_twice": TWO_READINGS,
    "safetensors_named_twice": TWO_READINGS,
}


def proven_by(failure: Malformed | LimitReached) -> Rule | None:
    """The rule for which this failure of a reader is a proof; None where it may be damage or mere size."""
    if isinstance(failure, LimitReached):
        return BOMB if failure.limit == "bomb" else None
    return _BY_CODE.get(failure.code)
