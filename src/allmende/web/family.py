"""The family of a model as a drawing: ancestors above, siblings beside, what is derived from it below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allmende.flows import Ancestry, DeclaredBase, KinView, LineageView, TreeLink
from allmende.ids import GitOid
from allmende.web.addresses import model_path
from allmende.web.family_layout import Link, draw, shortened, text_width
from allmende.web.lineage_words import kin_link, kin_name, line_words, relation_word
from allmende.web.messages import Catalogue

__all__ = ["Box", "DrawnLine", "Family", "family_of", "line_style"]

_MAX_ROWS_ABOVE = 6
_MAX_IN_ROW = 5
_MAX_SIBLINGS = 3
_MAX_CHILDREN = 4
_NAME_PX, _SPACE_PX = 164.0, 180.0
_LABEL_PX = 200.0
_LABEL_MARGIN_PX = 18
_PAGE_PX = 1160
_STYLES = {"proven": "sure", "strong": "sure", "contradicted": "false"}
_GHOST = "a start that is not here"


@dataclass(frozen=True, slots=True)
class Box:
    """A model in the drawing; without a name it stands for several, or for one that is not here."""

    x: int
    y: int
    standing: str
    first: str
    second: str
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line from parent to child; `width` is that of the ground under its words."""

    path: str
    x: int
    y: int
    style: str
    words: str
    title: str
    width: int


@dataclass(frozen=True, slots=True)
class Family:
    """The drawing at its natural size in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[DrawnLine, ...]
    left_out: int
    """How many ancestors are not drawn."""
    is_cut: bool
    """Whether there is more than is drawn, of any kind."""

    @property
    def is_wide(self) -> bool:
        """Whether it is drawn smaller where the window is not wide enough."""
        return self.width > _PAGE_PX


def line_style(grade: str) -> str:
    """`sure`, `unsure` or `false`."""
    return _STYLES.get(grade, "unsure")


def family_of(view: LineageView, ancestry: Ancestry, t: Catalogue) -> Family:
    """The drawing of all that the viewer may see, within bounds."""
    sketch = _Sketch(view, t)
    sketch.add_ancestors(ancestry)
    sketch.add_claims(view.declared)
    sketch.add_siblings(view)
    sketch.add_children(view)
    return sketch.finished()


@dataclass(frozen=True, slots=True)
class _Said:
    """What a box says, before it has a place: the name of a model, or words."""

    standing: str
    name: str
    words: str = ""
    link: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A link, and how it is drawn."""

    link: Link
    style: str
    words: str
    short: str


class _Sketch:
    """What goes into the drawing: rows of keys, counted upwards from the model, and links between them."""

    def __init__(self, view: LineageView, t: Catalogue) -> None:
        self.t = t
        self.view = view
        self.me = _key(view.repo, view.revision)
        self.said: dict[str, _Said] = {self.me: self._named("self", view.repo, view.revision)}
        self.level: dict[str, int] = {self.me: 0}
        self.links: list[_Kept] = []
        self.left_out = 0
        self.cut = False

    def _named(self, standing: str, repo: str, revision: GitOid) -> _Said:
        title, link = kin_name(repo, revision, self.view), kin_link(repo, revision, self.view)
        return _Said(standing, repo, link=link, title=title)

    def add(self, key: str, level: int, said: _Said) -> None:
        self.said[key], self.level[key] = said, level

    def join(self, parent: str, child: str, style: str, words: str = "") -> None:
        short = shortened(words, _LABEL_PX, 12)
        width = round(text_width(short, 13)) + _LABEL_MARGIN_PX if short else 0
        self.links.append(_Kept(Link(parent, child, width), style, words, short))

    # --- above ----------------------------------------------------------------------------------------

    def add_ancestors(self, ancestry: Ancestry) -> None:
        levels = _levels(len(ancestry.nodes), ancestry.links)
        drawn = {0: self.me}
        in_row: dict[int, int] = {}
        for place in sorted(levels, key=lambda one: (levels[one], one)):
            level = levels[place]
            if place == 0:
                continue
            node = ancestry.nodes[place]
            key = _key(node.repo, node.revision)
            if level > _MAX_ROWS_ABOVE or in_row.get(level, 0) >= _MAX_IN_ROW or key in self.said:
                continue
            in_row[level] = in_row.get(level, 0) + 1
            drawn[place] = key
            standing = "parent" if level == 1 else "ancestor"
            self.add(key, level, self._named(standing, node.repo, node.revision))
        for link in ancestry.links:
            if link.child in drawn and link.parent in drawn and levels[link.parent] > levels[link.child]:
                words = line_words(link.relation, link.rank, link.weight, self.t)
                self.join(drawn[link.parent], drawn[link.child], line_style(link.grade), words)
        self.left_out = len(ancestry.nodes) - len(drawn)
        self.cut |= self.left_out > 0 or ancestry.more

    def add_claims(self, declared: Sequence[DeclaredBase]) -> None:
        """Bases that the card names and the weights do not: they stand above, and the line says why."""
        for base in declared[:_MAX_IN_ROW]:
            if base.status not in ("contradicted", "unknown") or base.code in ("itself", "relation_differs"):
                continue
            if base.name in {self.said[key].name for key, level in self.level.items() if level >= 0}:
                continue
            # The same model may stand below as well: that is what contradicts the card.
            key = f"claimed {base.name}"
            link = "" if base.code == "not_here" else model_path(base.name)
            self.add(key, 1, _Said("claimed", base.name, link=link, title=base.name))
            relation = relation_word(base.declared_relation, self.t) if base.declared_relation else ""
            words = self.t("lineage.claim", relation=relation or self.t("lineage.based"))
            self.join(key, self.me, "false" if base.status == "contradicted" else "unsure", words)

    # --- beside and below -----------------------------------------------------------------------------

    def add_siblings(self, view: LineageView) -> None:
        parent = self._common_parent(view)
        siblings = [kin for kin in view.siblings if _key(kin.repo, kin.revision) not in self.said]
        if parent is None:
            self.cut |= bool(siblings)
            return
        for kin in siblings[:_MAX_SIBLINGS]:
            self._add_kin(kin, "sibling", 0, parent)
        if len(siblings) > _MAX_SIBLINGS:
            self._add_more(len(siblings) - _MAX_SIBLINGS, 0, parent, "#siblings")

    def _common_parent(self, view: LineageView) -> str | None:
        """The one model that siblings stand below; what several parents share is told in the table alone."""
        if not view.edges:
            return None
        edge = view.edges[0]
        if len(edge.parents) == 1:
            parent = _key(edge.parents[0].repo, edge.parents[0].revision)
            return parent if parent in self.said else None
        if edge.relation == "sibling" and view.siblings:
            self.add(_GHOST, 1, _Said("ghost", "", self.t("lineage.not_here")))
            self.join(_GHOST, self.me, line_style(edge.grade))
            return _GHOST
        return None

    def add_children(self, view: LineageView) -> None:
        children = [kin for kin in view.descendants.children if _key(kin.repo, kin.revision) not in self.said]
        for kin in children[:_MAX_CHILDREN]:
            self._add_kin(kin, "descendant", -1, self.me)
        drawn = min(len(children), _MAX_CHILDREN)
        more = view.descendants.count - drawn - (len(view.descendants.children) - len(children))
        if more > 0:
            self._add_more(more, -1, self.me, "#descendants")

    def _add_kin(self, kin: KinView, standing: str, level: int, parent: str) -> None:
        key = _key(kin.repo, kin.revision)
        self.add(key, level, self._named(standing, kin.repo, kin.revision))
        words = "" if kin.relation == "sibling" else line_words(kin.relation, kin.rank, kin.weight, self.t)
        self.join(parent, key, line_style(kin.grade), words)

    def _add_more(self, count: int, level: int, parent: str, link: str) -> None:
        key = f"more {level}"
        self.add(key, level, _Said("more", "", self.t.plural("lineage.more", count), link))
        self.join(parent, key, "unsure")
        self.cut = True

    # --- the drawing ----------------------------------------------------------------------------------

    def finished(self) -> Family:
        top, bottom = max(self.level.values()), min(self.level.values())
        rows = [self._row(level) for level in range(top, bottom - 1, -1)]
        drawing = draw(rows, [kept.link for kept in self.links])
        boxes = tuple(self._box(self.said[key], place.x, place.y) for key, place in drawing.boxes.items())
        lines = tuple(
            DrawnLine(line.path, line.x, line.y, kept.style, kept.short, kept.words, kept.link.words_px)
            for kept, line in zip(self.links, drawing.lines, strict=True)
        )
        return Family(drawing.width, drawing.height, boxes, lines, self.left_out, self.cut)

    def _row(self, level: int) -> list[str]:
        """In the row of the model itself, it stands in the middle."""
        keys = [key for key, at in self.level.items() if at == level]
        if level:
            return keys
        beside = [key for key in keys if key != self.me]
        half = len(beside) // 2
        return [*beside[:half], self.me, *beside[half:]]

    def _box(self, said: _Said, x: int, y: int) -> Box:
        if not said.name:
            return Box(x, y, said.standing, "", said.words, said.words, said.link)
        namespace, _, name = said.name.rpartition("/")
        above = f"{namespace}/{said.title.removeprefix(said.name)}" if namespace else ""
        first, second = shortened(above, _SPACE_PX, 12), shortened(name, _NAME_PX, 15)
        return Box(x, y, said.standing, first, second, said.title, said.link)


def _key(repo: str, revision: GitOid) -> str:
    return f"{repo}@{revision}"


def _levels(count: int, links: Sequence[TreeLink]) -> Mapping[int, int]:
    """How many steps each ancestor stands above the model, by the longest way: it is above all its children.

    Nodes in a circle of links, and those above it, have no level: descent has no circles, and a page does not
    hang where stored facts are broken.
    """
    waiting = [0] * count
    above: dict[int, list[int]] = {}
    for link in links:
        waiting[link.parent] += 1
        above.setdefault(link.child, []).append(link.parent)
    levels = {0: 0} if count else {}
    ready = [0] if count else []
    while ready:
        child = ready.pop()
        for parent in above.get(child, []):
            levels[parent] = max(levels.get(parent, 0), levels[child] + 1)
            waiting[parent] -= 1
            if waiting[parent] == 0 and parent != 0:
                ready.append(parent)
    return {place: level for place, level in levels.items() if place == 0 or waiting[place] == 0}
