"""What of a family is drawn, where, and what is left for the tables."""

import pytest

from allmende.flows import Ancestry, DeclaredBase, TreeLink, TreeNode
from allmende.ids import GitOid
from allmende.web.family import Box, DrawnLine, Family, family_of
from allmende.web.messages import catalogue
from tests.unit.web.kinship import ME, OID, ancestry, edge, kin, seen

T = catalogue("en")
BASE = "lab/base"


def box(family: Family, title: str) -> Box:
    (found,) = [one for one in family.boxes if one.title == title]
    return found


def line(family: Family, words: str) -> DrawnLine:
    (found,) = [one for one in family.lines if one.title == words]
    return found


def test_ancestors_above_siblings_beside_children_below() -> None:
    view = seen(edge(BASE), siblings=[kin("lab/s"), kin("lab/t")], children=[kin("lab/child")])
    family = family_of(view, ancestry((ME, BASE), (BASE, "lab/old")), T)
    me = box(family, ME)
    assert box(family, "lab/old").y < box(family, BASE).y < me.y < box(family, "lab/child").y
    assert box(family, "lab/s").y == box(family, "lab/t").y == me.y
    assert box(family, "lab/s").x < me.x < box(family, "lab/t").x
    assert (me.standing, box(family, BASE).standing, box(family, "lab/old").standing) == (
        "self", "parent", "ancestor",
    )  # fmt: skip
    assert box(family, BASE).link == "/lab/base"
    assert not family.is_cut


def test_a_parent_that_also_descends_from_another_parent_stands_between() -> None:
    family = family_of(seen(edge(BASE, "lab/a")), ancestry((ME, BASE), (ME, "lab/a"), ("lab/a", BASE)), T)
    assert box(family, BASE).y < box(family, "lab/a").y < box(family, ME).y
    assert len(family.lines) == 3


def test_the_grade_decides_the_line() -> None:
    children = [kin("a/proven", grade="proven"), kin("a/likely", "merge", "likely")]
    family = family_of(seen(children=children), ancestry(), T)
    assert line(family, "fine-tune").style == "sure"
    assert line(family, "merge").style == "unsure"


def test_a_lie_is_drawn_in_red_and_what_is_not_here_without_a_link() -> None:
    declared = [
        DeclaredBase("otto/other", "contradicted", "no_kin", "finetune"),
        DeclaredBase("meta/llama", "unknown", "not_here"),
        DeclaredBase(ME, "contradicted", "itself"),
        DeclaredBase(BASE, "confirmed", "measured_parent"),
    ]
    family = family_of(seen(edge(BASE), declared=declared), ancestry((ME, BASE)), T)
    assert line(family, "card: fine-tune").style == "false"
    assert line(family, "card: base").style == "unsure"
    assert box(family, "otto/other").link == "/otto/other"
    assert box(family, "meta/llama").link == ""
    assert len(family.boxes) == 4


def test_a_child_that_the_card_names_as_base_stands_on_both_sides() -> None:
    declared = [DeclaredBase("lab/child", "contradicted", "descendant", "finetune")]
    family = family_of(seen(declared=declared, children=[kin("lab/child", "quantized")]), ancestry(), T)
    above, below = sorted((one for one in family.boxes if one.title == "lab/child"), key=lambda one: one.y)
    assert above.y < box(family, ME).y < below.y
    assert (above.standing, below.standing) == ("claimed", "descendant")


@pytest.mark.parametrize("name", ["//evil.example/x", "javascript:alert(1)", "a/b/c", "x" * 300, "a b/c"])
def test_a_name_that_no_model_can_have_is_no_link(name: str) -> None:
    declared = [DeclaredBase(name, "contradicted", "no_kin", "finetune")]
    family = family_of(seen(declared=declared), ancestry(), T)
    assert [one.link for one in family.boxes if one.standing == "claimed"] == [""]


def test_many_are_counted_and_not_drawn() -> None:
    children = [kin(f"a/child-{place}") for place in range(20)]
    siblings = [kin(f"a/sibling-{place}") for place in range(10)]
    view = seen(edge(BASE), children=children, siblings=siblings, count=400)
    family = family_of(view, ancestry((ME, BASE)), T)
    more = {one.second: one.link for one in family.boxes if one.standing == "more"}
    assert more == {"and 396 more": "#descendants", "and 7 more": "#siblings"}
    assert family.is_cut
    assert len(family.boxes) == 11


def test_deep_and_broad_ancestries_are_bounded() -> None:
    deep = [(ME if not place else f"a/n{place - 1}", f"a/n{place}") for place in range(40)]
    broad = [(ME, f"b/n{place}") for place in range(40)]
    family = family_of(seen(), ancestry(*deep, *broad), T)
    assert len(family.boxes) <= 31
    assert family.left_out == 81 - len(family.boxes)
    assert family.is_cut


def test_the_model_itself_is_no_ancestor_of_its_own() -> None:
    nodes = (TreeNode(ME, OID, 0), TreeNode(ME, OID, 1), TreeNode(BASE, OID, 2))
    links = (TreeLink(0, 1, "identical", "proven"), TreeLink(1, 2, "finetune", "likely"))
    family = family_of(seen(), Ancestry(nodes, links), T)
    assert sorted(one.title for one in family.boxes) == [BASE, ME]
    assert family.lines == ()


def test_circles_do_not_hang_a_page() -> None:
    family = family_of(seen(), ancestry((ME, "a/x"), ("a/x", "a/y"), ("a/y", "a/x"), ("a/y", ME)), T)
    assert [one.title for one in family.boxes] == [ME]


def test_an_older_revision_of_the_same_repo_is_a_model_of_its_own() -> None:
    old = GitOid("1" * 40)
    above = Ancestry((TreeNode(ME, OID, 0), TreeNode(ME, old, 1)), (TreeLink(0, 1, "finetune", "likely"),))
    family = family_of(seen(), above, T)
    older = box(family, f"{ME} (1111111111)")
    assert older.y < box(family, ME).y
    assert (older.first, older.second, older.link) == ("lab/ (1111111111)", "me", f"/{ME}/lineage/{old}")


def test_siblings_of_a_start_that_is_not_here() -> None:
    view = seen(edge(relation="sibling", grade="likely"), siblings=[kin("a/s", "sibling", "likely")])
    family = family_of(view, ancestry(), T)
    (ghost,) = [one for one in family.boxes if one.standing == "ghost"]
    assert ghost.y < box(family, ME).y == box(family, "a/s").y
    assert ghost.second == T("lineage.not_here")


def test_siblings_by_one_of_several_parents_are_left_to_the_table() -> None:
    view = seen(edge(BASE, "lab/a", relation="merge", weights=(0.5, 0.5)), siblings=[kin("a/s")])
    family = family_of(view, ancestry((ME, BASE), (ME, "lab/a")), T)
    assert "a/s" not in {one.title for one in family.boxes}
    assert family.is_cut
