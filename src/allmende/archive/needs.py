"""What of a store is needed: objects of contents that have a name, and those that they are predicted from."""

from collections import defaultdict
from dataclasses import dataclass
from sqlite3 import Connection

__all__ = ["Needs", "needs_of"]


@dataclass(frozen=True, slots=True)
class Needs:
    """Rows that are needed, by their numbers.

    Objects are `used` by contents or are but `bases` of what is used. Of each object its preferred encoding
    is needed and no other.
    """

    recipes: frozenset[int]
    used: frozenset[int]
    bases: frozenset[int]
    encodings: frozenset[int]


def needs_of(connection: Connection) -> Needs:
    """Follow names to contents, contents to objects, and objects to their bases."""
    recipes = {row[0] for row in connection.execute("SELECT DISTINCT recipe FROM entry")}
    used = {
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT object FROM covers WHERE recipe IN (SELECT recipe FROM entry)"
        )
    }
    preferred = dict(connection.execute("SELECT object, number FROM preferred"))
    below: defaultdict[int, list[int]] = defaultdict(list)
    for encoding, base in connection.execute("SELECT encoding, object FROM base"):
        below[encoding].append(base)
    found = set(used)
    waiting = list(used)
    while waiting:
        fresh = set(below.get(preferred.get(waiting.pop(), 0), ())) - found
        found |= fresh
        waiting += fresh
    encodings = frozenset(preferred[each] for each in found if each in preferred)
    return Needs(frozenset(recipes), frozenset(used), frozenset(found - used), encodings)
