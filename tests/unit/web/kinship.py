"""Families as the hub tells them, for the tests of what pages make of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from allmende.flows import (
    Ancestry,
    DeclaredBase,
    DescendantsPage,
    EdgeView,
    KinView,
    LineageView,
    ParentView,
    TreeLink,
    TreeNode,
)
from allmende.ids import GitOid
from allmende.weights import Grade, Relation

OID = GitOid("0" * 40)
ME = "lab/me"


def edge(
    *parents: str,
    relation: Relation = "finetune",
    chain: Sequence[Relation] = (),
    grade: Grade = "strong",
    rank: int | None = None,
    weights: Sequence[float] = (),
    evidence: Mapping[str, Any] | None = None,
) -> EdgeView:
    shares: list[float | None] = list(weights) or [None] * len(parents)
    views = tuple(ParentView(name, OID, share) for name, share in zip(parents, shares, strict=True))
    steps = tuple(chain) or (relation,)
    return EdgeView(views, steps[0], steps, grade, "first_seen", rank, evidence or {})


def kin(name: str, relation: Relation = "finetune", grade: Grade = "strong") -> KinView:
    return KinView(name, OID, relation, grade)


def seen(
    *edges: EdgeView,
    declared: Sequence[DeclaredBase] = (),
    siblings: Sequence[KinView] = (),
    children: Sequence[KinView] = (),
    count: int | None = None,
) -> LineageView:
    below = DescendantsPage(tuple(children), len(children) if count is None else count)
    return LineageView(ME, OID, True, edges, tuple(declared), below, tuple(siblings), compared=9)


def ancestry(*links: tuple[str, str], more: bool = False) -> Ancestry:
    """From pairs of child and parent, all of them fine-tunes."""
    names = list(dict.fromkeys([ME, *(name for link in links for name in link)]))
    nodes = tuple(TreeNode(name, OID, place) for place, name in enumerate(names))
    return Ancestry(
        nodes,
        tuple(
            TreeLink(names.index(child), names.index(parent), "finetune", "strong") for child, parent in links
        ),
        more,
    )
