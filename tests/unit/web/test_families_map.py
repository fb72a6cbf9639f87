"""The map of families: which models of a large one are drawn, and where."""

from dataclasses import dataclass
from itertools import combinations
from math import hypot

from allmende.web.families_map import FamilyPicture, families


@dataclass(frozen=True)
class Named:
    """As much of a repo as the map looks at."""

    full_name: str


@dataclass(frozen=True)
class Link:
    """A child and its base."""

    child: Named
    base: str


def drawn(*pairs: tuple[str, str]) -> FamilyPicture:
    """The picture of the one family that these children and bases are."""
    (picture,), more = families(Link(Named(child), base) for child, base in pairs)  # type: ignore[misc]
    assert more == 0
    return picture


def test_of_a_large_family_those_are_drawn_from_which_most_comes() -> None:
    wide = [(f"a/leaf-{n:03}", "a/root") for n in range(200)]
    line = [("z/0", "a/root"), *((f"z/{n + 1}", f"z/{n}") for n in range(4))]
    picture = drawn(*wide, *line)
    names = {dot.name for dot in picture.dots}
    assert {"z/0", "z/1", "z/2", "z/3"} <= names
    assert len(picture.dots) == 60
    assert len(picture.threads) == 59
    assert (picture.count, picture.left_out) == (205, 146)


def test_the_dots_of_a_full_circle_do_not_cover_each_other() -> None:
    picture = drawn(*((f"a/{n}", "a/root") for n in range(59)))
    around = [dot for dot in picture.dots if not dot.is_root]
    for one, other in combinations(around, 2):
        assert hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius


def test_a_small_family_has_dots_of_the_usual_size() -> None:
    picture = drawn(("a/tuned", "a/root"), ("a/merged", "a/root"))
    assert [dot.radius for dot in picture.dots] == [9.0, 6.0, 6.0]
    assert picture.left_out == 0
