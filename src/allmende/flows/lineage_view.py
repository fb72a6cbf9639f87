"""What a viewer may see of lineage: the shapes that pages, the API and the model info are made from.

A model here is always a repo at a revision that the viewer may see. An edge of which any parent is hidden
from the viewer is not there at all, and nothing counts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from allmende.formats import JsonValue
from allmende.ids import GitOid
from allmende.weights import Grade, Relation

__all__ = [
    "AlikeView",
    "Ancestry",
    "DeclaredBase",
    "DeclaredStatus",
    "DescendantsPage",
    "EdgeView",
    "KinView",
    "LineageView",
    "ParentView",
    "PathStep",
    "Standing",
    "TreeLink",
    "TreeNode",
]

DeclaredStatus = Literal["confirmed", "contradicted", "unknown", "undeclared"]

SentenceCode = Literal[
    "measured_parent", "measured_ancestor", "no_kin", "descendant", "itself", "relation_differs",
    "does_not_fit", "fits", "related", "not_here", "not_declared",
]  # fmt: skip
"""Why a declared base has its status.

confirmed: `measured_parent`, `measured_ancestor`. contradicted: `no_kin`, `descendant` (it comes from this
model), `itself`, `relation_differs`, `does_not_fit` (an adapter whose shapes do not fit it). unknown:
`not_here` (or not readable, or hidden: these look alike), `related` (kin, but no parent was measured), `fits`
(an adapter of which no more can be told). undeclared: `not_declared`.
"""


@dataclass(frozen=True, slots=True)
class ParentView:
    """A parent, as the first repo that the viewer may see and that has these weights."""

    repo: str
    revision: GitOid
    weight: float | None = None
    """Its share, where it is one of several."""


@dataclass(frozen=True, slots=True)
class EdgeView:
    """How the model descends from its parents; see `allmende.weights.Edge`.

    `direction` is `irreversible`, `branches`, `first_seen`, `declared` (only a card says which came first) or
    `undetermined`. Without parents the relation is `sibling`, `unrelated` or `adapter`. Models in `evidence`
    are named by their repos; hidden ones are left out.
    """

    parents: tuple[ParentView, ...]
    relation: Relation
    chain: tuple[Relation, ...]
    grade: Grade
    direction: str
    rank: int | None
    evidence: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class DeclaredBase:
    """A base that is declared, and what the measurement says; or (`undeclared`) one that is only measured."""

    name: str
    """As declared; of an undeclared one the repo."""
    status: DeclaredStatus
    code: SentenceCode
    declared_relation: str | None = None
    """`base_model_relation` of the card, `adapter` where an adapter's configuration names the base."""
    measured: Relation | None = None
    """The relation that was measured to this base, if any."""
    grade: Grade | None = None
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class KinView:
    """A relative: a child with its relation to this model, or a sibling."""

    repo: str
    revision: GitOid
    relation: Relation
    grade: Grade
    rank: int | None = None
    weight: float | None = None


Standing = Literal[
    "copy", "parent", "child", "sibling", "merged_with", "grandparent", "grandchild", "task"
]  # fmt: skip
"""Why a model is like another. copy: the same files. sibling: of the same parent, or of a start that is not
here. merged_with: both are in one merge. task: nothing was measured; it is of the same task and library."""


@dataclass(frozen=True, slots=True)
class AlikeView:
    """A model like another, and why it is.

    `relation` and `rank` are what was done on the last step to it: of a parent by this model, of a child by
    that; `weight` is the share of the one in the other, where it is one of several. `agreement` is the share
    of the bits of both search keys that agree (chance: 0.5); None where one has no key. `through` is the
    model between the two that are two steps apart. Of `task` nothing but `parameters` is told, since no
    revision was looked into.
    """

    repo: str
    revision: GitOid | None
    why: Standing
    relation: Relation | None = None
    grade: Grade | None = None
    rank: int | None = None
    weight: float | None = None
    agreement: float | None = None
    through: str | None = None
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class DescendantsPage:
    """Direct children, those first seen first; `count` is of all, `next` the cursor of the next page."""

    children: tuple[KinView, ...] = ()
    count: int = 0
    next: str | None = None


@dataclass(frozen=True, slots=True)
class LineageView:
    """All about one revision. `examined` is False until its weights were compared with the others here.

    `problems` are sentences about the weights: files that could not be read, or why nothing was compared.
    `among` is how many other models there are here that the viewer may see: kin is sought among all of them.
    `compared` is how many of those were near enough to be looked into tensor by tensor.
    """

    repo: str
    revision: GitOid
    examined: bool
    edges: tuple[EdgeView, ...] = ()
    declared: tuple[DeclaredBase, ...] = ()
    descendants: DescendantsPage = DescendantsPage()
    siblings: tuple[KinView, ...] = ()
    alike: tuple[AlikeView, ...] = ()
    problems: tuple[str, ...] = ()
    compared: int = 0
    among: int = 0
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A model in a family; `depth` is its distance from the model that was asked for."""

    repo: str
    revision: GitOid
    depth: int


@dataclass(frozen=True, slots=True)
class TreeLink:
    """A child and one of its parents, by their places among the nodes."""

    child: int
    parent: int
    relation: Relation
    grade: Grade
    weight: float | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Ancestry:
    """A family: the nodes, the model that was asked for first, and the links between them.

    `more` says that the bound on nodes or depth was reached.
    """

    nodes: tuple[TreeNode, ...]
    links: tuple[TreeLink, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step on the way between two models: `up` to a parent or `down` to a child, and where it leads."""

    direction: Literal["up", "down"]
    relation: Relation
    grade: Grade
    repo: str
    revision: GitOid
