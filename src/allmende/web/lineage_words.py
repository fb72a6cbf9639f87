"""A measured lineage in plain words: what was done, how sure that is, and the figures that show it."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from allmende.flows import DeclaredBase, EdgeView, LineageView, ParentView, has_layer_change
from allmende.formats import JsonValue
from allmende.ids import GitOid
from allmende.web.addresses import layers_path, model_path
from allmende.web.messages import Catalogue

__all__ = [
    "Claim",
    "Descent",
    "Figure",
    "claims",
    "compare_commands",
    "descents",
    "kin_link",
    "kin_name",
    "line_words",
    "relation_word",
]

_SHORT_OID_CHARS = 10
_MAX_ITEMS = 8
_MAX_CHARS = 60
_MAX_LAYERS = 24
_MAX_GAIN = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the evidence."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent by its name, where that leads, and its share where it is one of several.

    `layers` is the page of what changed from it layer by layer; empty where no layer can have changed.
    """

    name: str
    link: str
    share: str
    layers: str


@dataclass(frozen=True, slots=True)
class Descent:
    """One edge, as a page tells it; of its parents the one of the largest weight is first."""

    edge: EdgeView
    parents: tuple[Parent, ...]
    word: str
    """All that was done, in the order in which it was done."""
    says: tuple[str, ...]
    """A sentence for each step, in the same order."""
    figures: tuple[Figure, ...]
    commands: str
    """How to compare the model with its first parent; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is declared of a base, and what the weights say to it."""

    name: str
    link: str
    status: str
    relation: str
    """The declared one in words; empty where none is."""
    reason: str


def relation_word(relation: str, t: Catalogue) -> str:
    """A relation in two words at most; one that nobody knows, as a card may name it, is shown as it is."""
    return t.word(f"lineage.word.{relation}", _short(relation))


def line_words(relation: str, rank: int | None, weight: float | None, t: Catalogue) -> str:
    """What stands at a line of the family: the relation, and its rank or weight."""
    words = relation_word(relation, t)
    if weight is not None:
        return f"{words} · {t.share(weight)}"
    return words if rank is None else f"{words} · {t('lineage.rank', rank=rank)}"


def kin_name(repo: str, revision: GitOid, view: LineageView) -> str:
    """A model as the page of another calls it: its repo, and of the same repo another revision by its id."""
    is_other_revision = repo == view.repo and revision != view.revision
    return f"{repo} ({revision[:_SHORT_OID_CHARS]})" if is_other_revision else repo


def kin_link(repo: str, revision: GitOid, view: LineageView) -> str:
    """Where the name of such a model leads."""
    return f"{model_path(repo)}/lineage/{revision}" if repo == view.repo else model_path(repo)


def descents(view: LineageView, t: Catalogue) -> tuple[Descent, ...]:
    """The edges, best first."""
    return tuple(_descent(view, edge, t) for edge in view.edges)


def claims(view: LineageView, t: Catalogue) -> tuple[Claim, ...]:
    """What the card and the configuration declare, and what they leave out."""
    return tuple(_claim(base, t) for base in view.declared)


def compare_commands(parent: ParentView, view: LineageView) -> str:
    """How anyone compares the two on a machine of their own."""
    older = f" --revision {parent.revision}" if parent.repo == view.repo else ""
    return (
        f"hf download {shlex.quote(parent.repo)}{older} --local-dir parent\n"
        f"hf download {shlex.quote(view.repo)} --local-dir child\n"
        "allmende diff parent child --html report.html"
    )


def _descent(view: LineageView, edge: EdgeView, t: Catalogue) -> Descent:
    steps = tuple(reversed(edge.chain))
    listed = sorted(edge.parents, key=lambda parent: -(parent.weight or 0.0))
    if edge.relation == "unrelated" and view.descendants.count:
        return Descent(edge, (), t("lineage.root"), (t("lineage.root_says"),), (), "")
    return Descent(
        edge,
        tuple(_parent(view, edge, parent, t) for parent in listed),
        " \N{RIGHTWARDS ARROW} ".join(relation_word(relation, t) for relation in steps),
        tuple(t.word(f"lineage.says.{relation}", relation) for relation in steps),
        _figures(edge.evidence, t),
        compare_commands(listed[0], view) if listed else "",
    )


def _parent(view: LineageView, edge: EdgeView, parent: ParentView, t: Catalogue) -> Parent:
    name, link = kin_name(parent.repo, parent.revision, view), kin_link(parent.repo, parent.revision, view)
    layers = layers_path(view.repo, view.revision, parent.repo) if has_layer_change(edge.relation) else ""
    return Parent(name, link, "" if parent.weight is None else t.share(parent.weight), layers)


def _claim(base: DeclaredBase, t: Catalogue) -> Claim:
    declared = base.declared_relation or ""
    measured = relation_word(base.measured, t) if base.measured else ""
    reason = t(
        f"lineage.reason.{base.code}",
        declared=relation_word(declared, t) if declared else t("unknown"),
        measured=measured or t("unknown"),
    )
    link = "" if base.code == "not_here" else model_path(base.name)
    return Claim(base.name, link, base.status, relation_word(declared, t) if declared else "", reason)


def _figures(evidence: Mapping[str, JsonValue], t: Catalogue) -> tuple[Figure, ...]:
    """Those that this version knows, in the order of `_FIGURES`; the rest is for programs."""
    found = []
    for name, tell in _FIGURES.items():
        value = tell(evidence[name], evidence, t) if name in evidence else ""
        if value:
            found.append(Figure(t(f"lineage.figure.{name}"), value))
    return tuple(found)


_Tell = Callable[[JsonValue, Mapping[str, JsonValue], Catalogue], str]


def _share(value: JsonValue, _all: Mapping[str, JsonValue], t: Catalogue) -> str:
    return t.share(float(value)) if isinstance(value, (int, float)) else ""


def _relative(value: JsonValue, every: Mapping[str, JsonValue], t: Catalogue) -> str:
    share = _share(value, every, t)
    return t("lineage.value.of_weights", share=share) if share else ""


def _signs(value: JsonValue, every: Mapping[str, JsonValue], t: Catalogue) -> str:
    share = _share(value, every, t)
    return t("lineage.value.signs", share=share) if share else ""


def _changed(value: JsonValue, every: Mapping[str, JsonValue], t: Catalogue) -> str:
    compared = every.get("compared_tensors")
    if not isinstance(value, int) or not isinstance(compared, int):
        return ""
    return t("lineage.value.of_tensors", count=t.number(value), all=t.number(compared))


def _misfit(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    return (
        t("lineage.value.misfit", number=t.decimal(float(value))) if isinstance(value, (int, float)) else ""
    )


def _gain(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    if not isinstance(value, (int, float)):
        return ""
    most = f">\N{NO-BREAK SPACE}{t.number(_MAX_GAIN)}"
    return t("lineage.value.gain", number=most if value > _MAX_GAIN else t.decimal(float(value)))


def _decimal(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    return t.decimal(float(value)) if isinstance(value, (int, float)) else ""


def _count(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    count = value if isinstance(value, int) else len(value) if isinstance(value, (list, dict)) else 0
    return t.number(count) if count else ""


def _same_files(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    return t("lineage.value.same_files") if value is True else ""


def _method(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    return t.word(f"lineage.method.{value}", _short(str(value)))


def _precision(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    items = value if isinstance(value, list) else [value]
    return ", ".join(relation_word(str(item), t) for item in items[:_MAX_ITEMS])


def _rows(value: JsonValue, _every: Mapping[str, JsonValue], t: Catalogue) -> str:
    counts = [count for count in value.values() if isinstance(count, int)] if isinstance(value, dict) else []
    if not counts:
        return ""
    most = max(counts, key=abs)
    return t("lineage.value.more_rows" if most > 0 else "lineage.value.fewer_rows", count=t.number(abs(most)))


def _layers(value: JsonValue, _every: Mapping[str, JsonValue], _t: Catalogue) -> str:
    taken = [str(other) for other in value.values()] if isinstance(value, dict) else []
    return ", ".join(taken[:_MAX_LAYERS]) + (", …" if len(taken) > _MAX_LAYERS else "")


_FIGURES: Mapping[str, _Tell] = {
    "same_files": _same_files,
    "relative_change": _relative,
    "untouched_share": _share,
    "changed_tensors": _changed,
    "equal_share": _share,
    "rounded_share": _share,
    "sign_agreement": _signs,
    "method": _method,
    "misfit": _misfit,
    "gain": _gain,
    "weight_spread": _decimal,
    "precision": _precision,
    "rows": _rows,
    "layers": _layers,
    "added_tensors": _count,
    "dropped_tensors": _count,
    "renamed": _count,
    "adapted_modules": _count,
}
"""The figures that pages tell, in their order; see `allmende.weights` for what each is."""


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}…"
