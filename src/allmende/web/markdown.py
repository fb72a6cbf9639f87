"""Cards as safe HTML: Markdown of strangers becomes a fragment in which nothing runs and nothing is fetched.

Three steps. markdown-it makes HTML of it, raw HTML included. `_Rewriter` turns relative links into addresses
of this repo and revision, pictures from elsewhere into links, and headings one level down. Then nh3 keeps
what is on a list of harmless tags and attributes: it comes last, so nothing after it can undo its work.
"""

import html
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markupsafe import Markup
from mdit_py_plugins.gfm import gfm_plugin

from allmende.errors import TooLarge

__all__ = ["MAX_MARKDOWN_CHARS", "Place", "TextTooLong", "render_markdown"]

MAX_MARKDOWN_CHARS = 128 * 1024
_MAX_HTML_CHARS = 2 * 1024 * 1024
"""Longer texts, and texts that become longer HTML, are not rendered: it would take seconds."""

_CACHED = 64
_TICKED, _EMPTY = "\N{BALLOT BOX WITH CHECK} ", "\N{BALLOT BOX} "

ID_PREFIX = "card-"
"""Before every id of a card, so that none can stand for something of the page around it."""

_TAGS = frozenset({
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details", "div", "dl",
    "dt", "em", "figcaption", "figure", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins",
    "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
})  # fmt: skip
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"id", "lang", "dir", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
}
_CLASSES = {
    "div": {
        "markdown-alert",
        "markdown-alert-note",
        "markdown-alert-tip",
        "markdown-alert-important",
        "markdown-alert-warning",
        "markdown-alert-caution",
    },
    "p": {"markdown-alert-title"},
    "section": {"footnotes"},
    "li": {"task-list-item"},
}
_DROPPED_WITH_CONTENT = {
    "embed", "iframe", "math", "noscript", "object", "script", "style", "svg", "template", "textarea",
    "title",
}  # fmt: skip

_ADDRESSES = "gfm_autolink_protocol"
_BARE_SCHEMES = ("http", "https", "mailto", "xmpp")
_LONGEST_SCHEME = 8

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ALLOWED_SCHEMES = ("http:", "https:", "mailto:")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Browsers skip some of these inside an address; without them, what is checked is what is opened."""
_ALIGN = re.compile(r"text-align:\s*(left|right|center)")
_SLUG = re.compile(r"[^\w -]+")
_HEADING = re.compile(r"h([1-6])")


class TextTooLong(TooLarge):
    """A Markdown text is too long to be rendered; its source can be shown."""

    code = "text_too_long"

    def __init__(self) -> None:
        super().__init__(
            f"The text has more than {MAX_MARKDOWN_CHARS} characters and is not rendered.",
            hint="Look at its source.",
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text lies: the addresses under which its neighbours are seen and fetched, and its folder."""

    blob: str
    """The address of the view of a file, up to its path."""
    resolve: str
    """The address of a file's bytes, up to its path."""
    folder: str = ""


@lru_cache(maxsize=_CACHED)
def render_markdown(text: str, place: Place) -> Markup:
    """The text as a harmless fragment of HTML; raises TextTooLong."""
    if len(text) > MAX_MARKDOWN_CHARS:
        raise TextTooLong
    rendered = _markdown().render(text.replace("\0", ""))
    if len(rendered) > _MAX_HTML_CHARS:
        raise TextTooLong
    rewriter = _Rewriter(place)
    # The first pass makes well-formed HTML of whatever a card holds, so that the rewriter sees what a browser
    # would; only the last one decides what is safe.
    rewriter.feed(_clean(rendered, final=False))
    rewriter.close()
    return Markup(_clean("".join(rewriter.parts), final=True))  # noqa: S704  # nh3 has just made it safe


def _clean(fragment: str, *, final: bool) -> str:
    if not final:
        return nh3.clean(
            fragment,
            tags=set(_TAGS) | {"h1", "input"},
            clean_content_tags=_DROPPED_WITH_CONTENT,
            attributes={
                **_ATTRIBUTES,
                "input": {"checked", "type"},
                "td": _ATTRIBUTES["td"] | {"style"},
                "th": _ATTRIBUTES["th"] | {"style"},
            },
            allowed_classes=_CLASSES,
            link_rel=None,
            url_schemes={"http", "https", "mailto"},
        )
    return nh3.clean(
        fragment,
        tags=set(_TAGS),
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_own_pictures_alone,
        allowed_classes=_CLASSES,
        # What may be wider than the page is scrolled in itself, by the keyboard too.
        set_tag_attribute_values={
            "img": {"loading": "lazy"},
            "pre": {"tabindex": "0"},
            "table": {"tabindex": "0"},
        },
        link_rel="nofollow noopener",
        url_schemes={"http", "https", "mailto"},
    )


def _own_pictures_alone(tag: str, attribute: str, value: str) -> str | None:
    if (tag, attribute) == ("img", "src"):
        return value if value.startswith("/") and not value.startswith("//") else None
    return value


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True})
    gfm_plugin(parser)
    _keep_linear(parser)
    return parser


def _keep_linear(parser: MarkdownIt) -> None:
    """Let the rule for bare addresses look back no further than a scheme is long.

    It searches all text of the paragraph before each colon, which takes quadratic time.
    """
    ruler = parser.inline.ruler
    rule = ruler.getRules("")[ruler.get_active_rules().index(_ADDRESSES)]

    def near(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # as markdown-it calls its rules
        if silent or state.src[state.pos] != ":":
            return False
        pending = state.pending
        if not pending[-_LONGEST_SCHEME:].endswith(_BARE_SCHEMES):
            return False
        if len(pending) > _LONGEST_SCHEME:
            state.pending = pending[:-_LONGEST_SCHEME]
            state.pushPending()
            state.pending = pending[-_LONGEST_SCHEME:]
        return rule(state, silent)

    ruler.at(_ADDRESSES, near)


class _Rewriter(HTMLParser):
    """Writes a well-formed fragment anew, with addresses, headings, ids and pictures in their final form."""

    def __init__(self, place: Place) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._place = place
        self._heading: tuple[int, list[str]] | None = None
        self._ids: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            self._picture(given)
            return
        if tag == "input":
            # A box that nobody can tick is a sign, and reads as one.
            if given.get("type") == "checkbox":
                self.parts.append(_TICKED if "checked" in given else _EMPTY)
            return
        if _HEADING.fullmatch(tag):
            tag = _lowered(tag)
            self._heading = (len(self.parts), [])
        if "id" in given:
            given["id"] = self._unique(given["id"])
        if "href" in given:
            target = _link(given.pop("href"), self._place)
            given.update({} if target is None else {"href": target})
        aligned = _ALIGN.search(given.pop("style", ""))
        if aligned is not None:
            given["align"] = aligned[1]
        self.parts.append(_tag(tag, given))

    def handle_endtag(self, tag: str) -> None:
        if _HEADING.fullmatch(tag):
            tag = _lowered(tag)
            self._name_heading()
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading[1].append(data)
        self.parts.append(html.escape(data, quote=False))

    def _picture(self, given: dict[str, str]) -> None:
        """A picture of the repo stays one; one from elsewhere would not be loaded and becomes a link."""
        source = _picture(given.pop("src", ""), self._place)
        if source is not None and source.startswith("/"):
            self.parts.append(_tag("img", {**given, "src": source}))
            return
        words = html.escape(given.get("alt") or given.get("title") or source or "", quote=False)
        self.parts.append(words if source is None else f"{_tag('a', {'href': source})}{words}</a>")

    def _name_heading(self) -> None:
        """Give a heading without an id the one that links to it expect, made from its words."""
        if self._heading is None:
            return
        position, words = self._heading
        self._heading = None
        if " id=" not in self.parts[position]:
            slug = _SLUG.sub("", "".join(words).strip().lower()).replace(" ", "-")
            name = html.escape(self._unique(slug or "section"))
            self.parts[position] = self.parts[position][:-1] + f' id="{name}">'

    def _unique(self, name: str) -> str:
        """The id with its prefix, and a number where the card has it already."""
        repeats = self._ids[name]
        self._ids[name] += 1
        return f"{ID_PREFIX}{name}-{repeats}" if repeats else ID_PREFIX + name


def _lowered(tag: str) -> str:
    """A heading one level below: the page has its own first one."""
    return f"h{min(int(tag[1]) + 1, 6)}"


def _tag(tag: str, attributes: dict[str, str]) -> str:
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{written}>"


def _link(address: str, place: Place) -> str | None:
    """Where a link of the text leads; None where it must not lead."""
    address = _plain(address)
    if address.startswith("#"):
        return f"#{ID_PREFIX}{address[1:]}"
    return _resolved(address, place.blob, place.folder)


def _picture(address: str, place: Place) -> str | None:
    return _resolved(_plain(address), place.resolve, place.folder)


def _plain(address: str) -> str:
    """The address as a browser reads it: blanks around and control characters inside do not count."""
    return _INVISIBLE.sub("", address).strip().replace("\\", "/")


def _resolved(address: str, base: str, folder: str) -> str | None:
    scheme = _SCHEME.match(address)
    if scheme is not None:
        return address if scheme[0].lower() in _ALLOWED_SCHEMES else None
    if address.startswith("//"):
        return f"https:{address}"
    if not address or address.startswith("/"):
        return address or None
    path, mark, fragment = address.partition("#")
    path, _, _query = path.partition("?")
    tail = quote(_within_repo(folder, unquote(path)))
    return f"{base}/{tail}{mark}{quote(fragment, safe='-._~%')}" if tail else base


def _within_repo(folder: str, path: str) -> str:
    """`path` seen from `folder`, and never above the repo's root."""
    parts: Sequence[str] = posixpath.normpath(posixpath.join("/", folder, path)).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))
