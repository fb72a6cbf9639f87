"""Hostile request lines and headers; and what the headers of answers must never hold."""

import re
from urllib.parse import quote

import pytest

from tests.attack.arena import Arena, build, formed, refused
from tests.attack.route_table import cases, paths_of, routes_of

HOSTS = {
    "none": None,
    "empty": b"",
    "a path": b"hub.test/evil",
    "a query": b"hub.test?x",
    "a fragment": b"hub.test#x",
    "a user": b"user@hub.test",
    "a blank": b"hub .test",
    "an underscore and a slash": b"a_b/c",
    "a port that is none": b"hub.test:port",
    "a port too long": b"hub.test:999999",
    "an open bracket": b"[",
    "no address in brackets": b"[x]",
    "a quote": b'hub.test"><script>',
    "not ASCII": b"h\xc3\xbcb.test",
    "long": b"a" * 300,
    "a backslash": b"hub.test\\evil",
    "two names": b"hub.test, evil.example",
}


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    with build(tmp_path_factory.mktemp("headers"), list_page_size=1, page_size=1) as built:
        built.hide("alice/hidden")
        built.create("alice/second")
        built.create("alice/open")
        yield built


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS.keys())
def test_a_host_that_is_none_is_refused(arena: Arena, host: bytes | None):
    for method, target in (
        ("GET", "/"),
        ("GET", "/api/models"),
        ("POST", "/api/repos/create"),
        ("HEAD", "/x/y/"),
    ):
        refused(arena.ask(method, target, host=host), 400, code="host_invalid")


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    with build(
        tmp_path_factory.mktemp("public"), public_url="https://models.example/", list_page_size=1
    ) as built:
        built.hide("alice/hidden")
        built.create("alice/second")
        yield built


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:81", *HOSTS.values()])
def test_no_answer_repeats_a_foreign_host_once_the_hub_knows_its_own(public: Arena, host: bytes | None):
    forwarded = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "ftp"),
        ("forwarded", "host=evil.example"),
        ("x-original-url", "/evil.example"),
        ("x-forwarded-prefix", "/evil.example"),
    ]
    for method, target, body in (
        ("GET", "/", None),
        ("GET", "/login/", None),
        ("GET", "/alice/hidden", None),
        ("GET", "/alice/hidden/", None),
        ("GET", "/models", None),
        ("GET", "/nowhere/at/all/", None),
        ("GET", "/api/models?limit=1", None),
        ("GET", "/api/models-tags-by-type", None),
        ("GET", "/api/nothing", None),
        ("GET", "/api/settings/repositories?limit=1", None),
        ("POST", "/api/repos/create", {"name": "hidden"}),
        ("POST", "/alice/hidden.git/info/lfs/objects/batch", {"operation": "upload", "objects": [
            {"oid": "0" * 64, "size": 1}]}),
    ):  # fmt: skip
        for by in ("alice", None):
            for accept in ("*/*", "text/html"):
                headers = [*forwarded, ("accept", accept)]
                answer = public.ask(method, target, by=by, host=host, headers=headers, json=body)
                formed(answer)
                told = answer.body.decode() + repr(answer.headers)
                assert "evil" not in told, (target, answer)
                assert "ftp:" not in told, (target, answer)


def test_the_ways_of_the_hub_name_no_host(arena: Arena):
    arena.create("alice/old")
    arena.ask("POST", "/api/repos/move", by="alice", json={"fromRepo": "alice/old", "toRepo": "alice/new"})
    for target, location in (
        ("/api/models/alice/old/tree/main?recursive=1", "/api/models/alice/new/tree/main?recursive=1"),
        ("/alice/old/resolve/main/a%20b%C3%BC", "/alice/new/resolve/main/a%20b%C3%BC"),
        ("/alice/old.git/info/lfs/locks", "/alice/new.git/info/lfs/locks"),
        ("/%61pi/models/alice/old", "/%61pi/models/alice/new"),
        ("/alice/old/resolve/main/%0d%0aX-Evil:%201", "/alice/new/resolve/main/%0d%0aX-Evil:%201"),
        ("/alice/old?next=//evil.example", "/alice/new?next=//evil.example"),
    ):
        answer = arena.ask("GET", target, by="alice")
        if "locks" not in target:
            assert (answer.status, answer.headers["location"]) == (307, location)
        formed(answer)


def test_raw_bytes_in_the_address_of_a_moved_repo(arena: Arena):
    answer = arena.ask("GET", "/alice/old/resolve/main/ü".encode(), by="alice")
    assert answer.status == 307
    assert answer.headers["location"] == "/alice/new/resolve/main/%C3%BC"
    formed(arena.ask("GET", b"/alice/old/resolve/main/x?\xff\r\n", by="alice"))


@pytest.mark.parametrize(
    "target", ["/alice/hidden/", "//", "///", "//evil.example/", "/\\evil.example/", "/a/b/c/d/"]
)
def test_a_slash_at_the_end_leads_nowhere_else(arena: Arena, target: str):
    answer = arena.ask("GET", target, by=None, headers=[("accept", "text/html")])
    formed(answer)
    location = answer.headers.get("location", "/")
    assert re.match(r"/(?![/\\])", location + "x"), answer


QUERIES = {
    "long": "a=" + "x" * 100_000,
    "many": "&".join(f"a{number}=1" for number in range(20_000)),
    "many of one": "&".join(["expand=tags"] * 20_000),
    "many filters": "&".join(["filter=x"] * 5000),
    "a list of many": "filter=" + "x," * 20_000,
    "many words": "search=" + "x+" * 5000,
    "nul": "search=%00&author=%00&filter=%00&cursor=%00",
    "half a character": "search=%ff%c0%af&author=%ff",
    "raw bytes": b"search=\xff\xfe&expand=\xff",
    "half a pair": "search=%ED%A0%80&author=%ED%A0%80",
    "signs of a database": "search=%25_%5C'&author='%20OR%201=1--&sort='",
    "a cursor of ours for elsewhere": "cursor=WyJhIiwiYiIsImMiXQ",
    "a huge cursor": "cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwxXQ",
    "a deep cursor": "cursor=" + "W1tb" * 2000,
    "a negative cursor": "cursor=Wy0xLC0xXQ",
    "a cursor before all time": "cursor=Wy05MjIzMzcyMDM2ODU0Nzc1ODA3LDFd",
    "a cursor of truth": "cursor=W3RydWUsMV0",
    "a huge limit": "limit=" + "9" * 5000,
    "limit of another script": "limit=%D9%A3",
    "a negative limit": "limit=-1",
    "a huge page": "p=" + "9" * 12 + "&page=" + "9" * 6,
    "a page beyond": "p=999999&page=999999",
    "a language": "lang=../../etc&lang=%00",
    "an after": "after=99999999999999999999-1&after=999999999999999999-999999999999999999",
    "an after beyond all time": "after=999999999999999999-999999999999999999",
    "semicolons": "a;b;c=d&&&==&=&",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_queries(arena: Arena, query: str | bytes):
    raw = query.encode() if isinstance(query, str) else query
    for route in routes_of(arena.app):
        if "GET" in (route.methods or ()) and "not_offered" not in route.endpoint.__name__:
            path = paths_of(route, {})[0].encode()
            formed(arena.ask("GET", path + b"?" + raw, by="alice", headers=[("accept", "text/html,*/*")]))


HEADERS = {
    "many": [(f"x-{number}", "1") for number in range(5000)],
    "a long one": [("x-long", "a" * 500_000)],
    "an id with a line end": [("x-request-id", "a\r\nSet-Cookie: x=1")],
    "an id of another script": [("x-request-id", "ü")],
    "a long id": [("x-request-id", "a" * 10_000)],
    "an empty id": [("x-request-id", "")],
    "a trace": [("x-amzn-trace-id", "Root=1;\x00")],
    "languages": [("accept-language", ",".join(f"x{number};q=0.{number}" for number in range(5000)))],
    "a language that is none": [("accept-language", "de;q=nan, en;q=inf, fr;q=" + "9" * 5000)],
    "cookies": [("cookie", "; ".join(f"c{number}=1" for number in range(5000)))],
    "a cookie without an end": [("cookie", 'allmende_session="' + "\\" * 10_000)],
    "a language cookie": [("cookie", "allmende_language=../../x; lang=%00")],
    "what is accepted": [("accept", "text/html" + ",*/*;q=0.1" * 5000)],
    "conditions": [("if-none-match", '"' * 50_000)],
    "a condition": [("if-none-match", "W/" * 20_000), ("if-range", '"' * 1000)],
    "ranges": [("range", "bytes=" + "0-1," * 20_000)],
    "a range of blanks": [("range", "bytes=1-" + " " * 60_000 + "x")],
    "a range of blanks before": [("range", " " * 60_000 + "bytes" + " " * 60_000)],
    "a range of digits": [("range", "bytes=" + "1" * 60_000)],
    "a negative range": [("range", "bytes=-0")],
    "a range turned round": [("range", "bytes=5-1")],
    "a range of another unit": [("range", "lines=1-2")],
    "a method to be taken instead": [("x-http-method-override", "DELETE"), ("x-method-override", "DELETE")],
    "a coding": [("accept-encoding", "gzip;q=1.0" * 5000), ("te", "trailers")],
    "an upgrade": [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-key", "x")],
    "an expectation": [("expect", "200-ok")],
    "bytes": [("user-agent", b"\xff\xfe\x00"), ("referer", b"\xff")],
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.timeout(20)
def test_headers(arena: Arena, headers: list):
    for target in (
        "/",
        "/alice/hidden",
        "/alice/hidden/resolve/main/config.json",
        "/alice/hidden/resolve/main/model.safetensors",
        "/api/models/alice/hidden/tree/main",
        "/static/x.css",
        "/favicon.ico",
    ):
        for method in ("GET", "HEAD"):
            by = None if any(name == "authorization" for name, _ in headers) else "alice"
            answer = arena.ask(method, target, by=by, headers=headers)
            assert "set-cookie" not in answer.headers or "x=1" not in answer.headers["set-cookie"]
            assert answer.status in {200, 206, 304, 400, 404, 416}
            if b"private bytes" not in answer.body:
                formed(answer)


def test_every_route_says_405_in_our_form_to_a_method_that_it_has_not(arena: Arena):
    asked = 0
    for route in routes_of(arena.app):
        methods = route.methods or set()
        for path in paths_of(route, {}):
            for method in {
                "GET",
                "POST",
                "PUT",
                "PATCH",
                "DELETE",
                "OPTIONS",
                "TRACE",
                "CONNECT",
                "BREW",
            } - methods:
                others = {
                    other
                    for found in routes_of(arena.app)
                    if found.path_regex.match(path)
                    for other in found.methods or ()
                }
                if method in others:
                    continue
                answer = arena.ask(method, path, by="alice", json={})
                refused(answer, 405, code="method_not_allowed")
                assert set(answer.headers["allow"].split(", ")) <= others, (path, answer)
                asked += 1
    assert asked > 200


@pytest.mark.parametrize("method", ["GET ", "get", "G\x00T", "X" * 1000, "PROPFIND", "*"])
def test_methods_that_are_none(arena: Arena, method: str):
    for target in ("/", "/api/models", "/api/models/alice/hidden", "/nowhere/x/y"):
        refused(arena.ask(method, target), 404, 405)


TARGETS = [
    b"*",
    b"",
    b"http://evil.example/api/models",
    b"/api/models#x",
    b"/%",
    b"/?",
    b"//",
    b"/;/",
    b"evil:80",
]


@pytest.mark.parametrize("target", TARGETS)
def test_targets_that_are_no_path(arena: Arena, target: bytes):
    answer = arena.ask("GET", target)
    formed(answer)
    assert b"evil" not in answer.body


NAMES = {
    "a line end": "a\r\nX-Evil: 1",
    "a quote": 'a".exe',
    "a semicolon": "a;filename=evil.exe",
    "an umlaut": "übung.txt",
    "from the right": "a\u202etxt.exe",
    "an emoji": "😀.bin",
    "a percent": "100%25.txt",
    "a comma": "a,b.txt",
    "an apostrophe": "a'b''c.txt",
    "a star": "a*=b.txt",
    "blanks": "  a  ",
    "a tilde": "~a.txt",
    "long": "é" * 120 + ".txt",
    "markup": "<img src=x onerror=alert(1)>.html",
}

_DISPOSITION = re.compile(
    r"(inline|attachment); filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*); "
    r"filename=\"[A-Za-z0-9._-]*\""
)
"""RFC 6266 with the extended value of RFC 8187, as this hub writes it."""


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_the_name_of_a_file_stays_a_name(arena: Arena, name: str):
    from urllib.parse import unquote

    done = arena.commit("/api/models/alice/open", ("file", {"path": f"d/{name}", "content": "x"}))
    if "\r" in name:
        refused(done, 400, code="path_invalid")
        return
    assert done.status == 200
    for query in ("", "?download=1"):
        answer = arena.ask("GET", f"/alice/open/resolve/main/{quote('d/' + name)}{query}")
        assert answer.status == 200
        formed(answer)
        match = _DISPOSITION.fullmatch(answer.headers["content-disposition"])
        assert match is not None, answer
        assert unquote(match[2]) == name
    for target in (f"/alice/open/blob/main/{quote('d/' + name)}", "/alice/open/tree/main/d"):
        page = arena.ask("GET", target, headers=[("accept", "text/html")])
        formed(page)
        assert b"<img src=x" not in page.body


def test_words_of_commits_stay_words(arena: Arena):
    body = b'{"key":"header","value":{"summary":"<script>x</script>\\r\\nX-Evil: 1",'
    body += b'"description":"\\u001b[2J"}}\n'
    body += b'{"key":"file","value":{"path":"w","content":"<script>y</script>"}}'
    answer = arena.ask("POST", "/api/models/alice/open/commit/main", by="alice", body=body)
    assert answer.status == 200
    oid = answer.json["commitOid"]
    for target in (f"/alice/open/commit/{oid}", "/alice/open/commits/main", "/alice/open/blob/main/w"):
        page = arena.ask("GET", target, headers=[("accept", "text/html")])
        assert page.status == 200
        assert b"<script" not in page.body
        assert "x-evil" not in page.headers


WITH_SCRIPT = {"/log", "/log/entries/{number:segment}"}
"""The pages that bring a script of ours, which checks the log in the browser."""


def test_every_answer_of_every_route_has_the_headers_that_keep_browsers_safe(arena: Arena):
    for route in routes_of(arena.app):
        for case in cases(route, {}, thorough=False):
            answer = arena.ask(case.method, case.target, by="alice", headers=[("accept", "text/html,*/*")])
            formed(answer)
            assert answer.headers["x-content-type-options"] == "nosniff", case
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'"), case
            assert "unsafe" not in policy, case
            if "script-src" in policy:
                assert case.pattern in WITH_SCRIPT, case
                assert "; script-src 'self'; connect-src 'self'" in policy, case
            is_page = answer.headers.get("content-type", "").startswith("text/html")
            assert is_page or "sandbox" in policy, case
            assert "access-control-allow-origin" not in answer.headers, case
