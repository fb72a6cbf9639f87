"""Whether keys were chosen so that they hash alike, which makes a dict or a set quadratic to fill.

Texts and bytes hash differently in every process; numbers and tuples of numbers do not.
"""

from collections.abc import Iterable
from typing import Final

from allmende.scan.pickles.values import Global, Node, Value

__all__ = ["HashTally"]

_MODULUS: Final = 2**61 - 1  # sys.hash_info.modulus where words have 64 bits
_MAX_KEPT: Final = 65_536
_MAX_ITEMS: Final = 16
_COMPUTED: Final = frozenset(("builtins.complex", "decimal.Decimal", "fractions.Fraction"))


class HashTally:
    """Counts keys by their hash; `worst` is how often the commonest one came, `heaviest` the parts of a key.

    It forgets all when it has seen many different ones; who mixes those in needs a large file for little.
    """

    def __init__(self) -> None:
        self.worst = 0
        self.heaviest = 0
        self._counts: dict[int, tuple[int, object]] = {}

    def add(self, keys: Iterable[Value]) -> None:
        """These are put into a dict or a set, or may be. Numbers below the modulus are their own hash.

        The same key once more in a row does not count.
        """
        value: object
        counts = self._counts
        for key in keys:
            if key.__class__ is int:
                if -_MODULUS < key < _MODULUS:
                    continue
                told, value = hash(key), key
            elif key.__class__ is Node and key.callee is None and key.items:
                # A tuple is hashed part by part, each as often as it is referred to.
                self.heaviest = max(self.heaviest, key.size)
                numbers = _numbers(key, 2)
                if numbers is None:
                    continue
                told, value = hash(numbers), numbers
            elif key.__class__ is Node and isinstance(key.callee, Global) and key.callee.path in _COMPUTED:
                told, value = -1, object()  # any two of them may be chosen so
            else:
                continue
            count, last = counts.get(told, (0, None))
            if last is None or last != value:
                counts[told] = count + 1, value
                self.worst = max(count + 1, self.worst)
        if len(counts) > _MAX_KEPT:
            counts.clear()


def _numbers(node: Node, depth: int) -> tuple[object, ...] | None:
    """The tuple, if it is one of whole numbers alone."""
    if node.items is None or len(node.items) > _MAX_ITEMS:
        return None
    made: list[object] = []
    for item in node.items:
        if isinstance(item, int):
            made.append(item)
            continue
        inner = _numbers(item, depth - 1) if depth and isinstance(item, Node) and not item.callee else None
        if inner is None:
            return None
        made.append(inner)
    return tuple(made)
