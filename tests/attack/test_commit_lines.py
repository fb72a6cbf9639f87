"""Hostile bodies of the commit call: nothing fails, and nothing of a bad commit is kept."""

import base64
import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attack.arena import Arena, build, formed, refused

API = "/api/models/alice/repo"
HEADER = b'{"key":"header","value":{"summary":"s"}}\n'
FILE = b'{"key":"file","value":{"path":"a.txt","content":"YQ==","encoding":"base64"}}\n'
DEEP = b"[" * 200_000
ZEROS = b"0" * 64

BODIES = {
    "nothing": b"",
    "line ends": b"\n\n\n\n",
    "no header": FILE,
    "header last": FILE + HEADER,
    "two headers": HEADER + HEADER + FILE,
    "header without summary": b'{"key":"header","value":{}}\n' + FILE,
    "empty summary": b'{"key":"header","value":{"summary":"  "}}\n' + FILE,
    "summary of a list": b'{"key":"header","value":{"summary":["a"]}}\n' + FILE,
    "summary with nul": b'{"key":"header","value":{"summary":"a\\u0000b"}}\n' + FILE,
    "summary with half a pair": b'{"key":"header","value":{"summary":"a\\ud800"}}\n' + FILE,
    "summary of a megabyte": b'{"key":"header","value":{"summary":"' + b"a" * 2**20 + b'"}}\n' + FILE,
    "parent of another shape": b'{"key":"header","value":{"summary":"s","parentCommit":"main"}}\n' + FILE,
    "parent of a number": b'{"key":"header","value":{"summary":"s","parentCommit":7}}\n' + FILE,
    "no JSON": HEADER + b"file a.txt\n",
    "half a JSON": HEADER + FILE[:-10],
    "two objects in a line": HEADER + FILE.strip() + FILE,
    "a list": HEADER + b"[]\n",
    "a number": HEADER + b"7\n",
    "a text": HEADER + b'"file"\n',
    "not a number": HEADER + b'{"key":"lfsFile","value":NaN}\n',
    "deep": HEADER + DEEP + b"\n",
    "deep value": HEADER + b'{"key":"file","value":' + DEEP,
    "deep objects": HEADER + b'{"a":' * 100_000 + b"\n",
    "a huge number": HEADER + b'{"key":"lfsFile","value":{"size":' + b"9" * 5000 + b"}}\n",
    "invalid UTF-8": HEADER + b'{"key":"file","value":{"path":"\xff","content":""}}\n',
    "overlong UTF-8": HEADER + b'{"key":"file","value":{"path":"\xc0\xae","content":""}}\n',
    "UTF-16": (HEADER + FILE).decode().encode("utf-16"),
    "unknown operation": HEADER + b'{"key":"chmod","value":{"path":"a"}}\n',
    "operation of another type": HEADER + b'{"key":["file"],"value":{"path":"a"}}\n',
    "no value": HEADER + b'{"key":"file"}\n',
    "bad base64": HEADER + FILE.replace(b"YQ==", b"@@@@"),
    "base64 without its end": HEADER + FILE.replace(b"YQ==", b"YQ"),
    "base64 beyond ASCII": HEADER + FILE.replace(b"YQ==", "ä".encode()),
    "unknown encoding": HEADER + FILE.replace(b'"base64"', b'"utf-7"'),
    "encoding of another type": HEADER + FILE.replace(b'"base64"', b'{"a":1}'),
    "path with nul": HEADER + FILE.replace(b"a.txt", b"a\\u0000.txt"),
    "path with half a pair": HEADER + FILE.replace(b"a.txt", b"\\udcff"),
    "the later of two keys counts": HEADER + FILE.replace(b'"path":"a.txt"', b'"path":"ok","path":"../x"'),
    "a file and a folder": HEADER + FILE + FILE.replace(b"a.txt", b"a.txt/b"),
    "a folder and a file": HEADER + FILE.replace(b"a.txt", b"d/a") + FILE.replace(b"a.txt", b"d"),
    "removing what is not there": HEADER + FILE + b'{"key":"deletedFile","value":{"path":"no"}}\n',
    "removing it twice": HEADER + b'{"key":"deletedFile","value":{"path":".gitattributes"}}\n' * 2,
    "removing the root": HEADER + b'{"key":"deletedFolder","value":{"path":"/"}}\n',
    "hash too short": HEADER + b'{"key":"lfsFile","value":{"path":"a","algo":"sha256","oid":"00"}}\n',
    "hash in capitals": HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"A" * 64 + b'"}}\n',
    "hash of another kind": HEADER + b'{"key":"lfsFile","value":{"path":"a","algo":"md5","oid":"'
    + ZEROS + b'"}}\n',
    "negative size": HEADER + b'{"key":"lfsFile","value":{"path":"a","size":-1,"oid":"' + ZEROS + b'"}}\n',
    "size of truth": HEADER + b'{"key":"lfsFile","value":{"path":"a","size":true,"oid":"' + ZEROS + b'"}}\n',
    "size with a point": HEADER + b'{"key":"lfsFile","value":{"path":"a","size":1.5,"oid":"' + ZEROS
    + b'"}}\n',
    "packed": gzip.compress(HEADER + FILE),
    "a line without end": HEADER + b'{"key":"file","value":{"path":"a","content":"' + b"a" * 500_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    limits = {"max_inline_bytes": 256 * 1024, "max_commit_bytes": 2 * 1024**2}
    with build(tmp_path_factory.mktemp("lines"), **limits) as built:
        built.create("alice/repo")
        yield built


def post(arena: Arena, body, **more):
    return arena.ask("POST", f"{API}/commit/main", by="alice", body=body, **more)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "in pieces"])
def test_a_malformed_commit_changes_nothing(arena: Arena, body: bytes, pieces: bool):
    before = arena.refs(), arena.state()
    step = max(1, len(body) // 7)
    sent = [body[at : at + step] for at in range(0, len(body), step)] if pieces else body
    refused(post(arena, sent), 400, 404, 413)
    assert (arena.refs(), arena.state()) == before


LARGE = {
    "by its length": {"body": HEADER, "length": 3 * 1024**2},
    "in pieces without a length": {"body": [HEADER] + [FILE * 4000] * 12},
    "in one line": {"body": [HEADER, b'{"key":"', *[b"a" * 100_000] * 40]},
    "in blanks": {"body": [HEADER, *[b" " * 100_000] * 40]},
    "in line ends": {"body": [HEADER, *[b"\n" * 100_000] * 40]},
    "in a large file": {
        "body": HEADER + FILE.replace(b"YQ==", base64.b64encode(b"a" * (256 * 1024 + 1))),
    },
}


@pytest.mark.parametrize("request_", LARGE.values(), ids=LARGE.keys())
def test_a_commit_that_is_too_large_changes_nothing(arena: Arena, request_: dict):
    before = arena.refs(), arena.state()
    refused(post(arena, **request_), 413)
    assert (arena.refs(), arena.state()) == before


def test_too_many_operations(arena: Arena):
    line = b'{"key":"deletedFile","value":{"path":"a"}}\n'
    before = arena.state()
    refused(post(arena, [HEADER, line * 25_001]), 413)
    assert arena.state() == before


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_not_unpacked(arena: Arena, coding: str):
    bomb = gzip.compress(HEADER + FILE.replace(b"YQ==", b"A" * 50_000_000), 9)
    assert len(bomb) < 100_000
    refused(post(arena, bomb, headers=[("content-encoding", coding)]), 400, 413, 415)


def test_a_body_that_breaks_off_changes_nothing(arena: Arena):
    before = arena.refs(), arena.state()
    answer = post(arena, [HEADER, FILE], cut=True)
    refused(answer, 400, code="body_broken_off")
    assert (arena.refs(), arena.state()) == before


def test_the_same_path_twice_keeps_the_last(arena: Arena):
    body = (
        HEADER + FILE.replace(b"a.txt", b"twice") + FILE.replace(b"a.txt", b"twice").replace(b"YQ==", b"Yg==")
    )
    assert post(arena, body).status == 200
    assert arena.ask("GET", "/alice/repo/resolve/main/twice", by="alice").body == b"b"


def test_paths_that_differ_in_capitals_alone_are_two_files(arena: Arena):
    body = (
        HEADER + FILE.replace(b"a.txt", b"case") + FILE.replace(b"a.txt", b"CASE").replace(b"YQ==", b"Yg==")
    )
    assert post(arena, body).status == 200
    assert arena.ask("GET", "/alice/repo/resolve/main/case", by="alice").body == b"a"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["header", "a.txt", "..", "base64", "sha256", "0" * 64, "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["path", "content", "encoding", "algo", "oid", "size", "summary", "description", "parentCommit"]
)
lines = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["header", "file", "lfsFile", "deletedFile", "deletedFolder"]) | json_values,
        "value": st.dictionaries(fields, json_values, max_size=6) | json_values,
    }
)


@given(st.lists(lines, max_size=3), st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_type_a_field_has(arena: Arena, wanted, with_header):
    body = (HEADER if with_header else b"") + b"\n".join(json.dumps(line).encode() for line in wanted)
    before = arena.refs()
    answer = post(arena, body)
    formed(answer)
    assert answer.status in {200, 400, 404, 412, 413}, answer
    if answer.status != 200:
        assert arena.refs() == before


PREUPLOADED = {"path": "a", "size": 1, "sample": "YQ=="}
CALLS = [
    ("POST", "/api/repos/create", {"name": "new"}),
    ("DELETE", "/api/repos/delete", {"name": "absent"}),
    ("POST", "/api/repos/move", {"fromRepo": "alice/repo", "toRepo": "alice/repo"}),
    ("POST", "/api/validate-yaml", {"content": "", "repoType": "model"}),
    ("PUT", f"{API}/settings", {"private": False, "gated": False, "visibility": "public"}),
    ("POST", f"{API}/branch/made", {"startingPoint": "main"}),
    ("POST", f"{API}/tag/main", {"tag": "t", "message": "m"}),
    ("POST", f"{API}/super-squash/absent", {"message": "m"}),
    ("POST", f"{API}/paths-info/main", {"paths": ["a"], "expand": True}),
    ("POST", f"{API}/preupload/main", {"files": [PREUPLOADED], "gitIgnore": "x"}),
    ("POST", f"{API}/lfs-files/batch", {"deletions": {"sha": ["0" * 64], "rewriteHistory": True}}),
    ("POST", f"{API}/duplicate", {"repository": "alice/copied", "private": True, "visibility": "private"}),
    ("POST", f"{API}/user-access-request/grant", {"user": "bob"}),
    (
        "POST",
        "/alice/repo.git/info/lfs/objects/batch",
        {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": "0" * 64, "size": 1}],
            "hash_algo": "sha256",
        },
    ),
    ("POST", "/alice/repo.git/info/lfs/objects/verify", {"oid": "0" * 64, "size": 1}),
]  # fmt: skip


@given(st.sampled_from(CALLS), st.data())
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_type_a_field_of_any_call_has(arena: Arena, call, data):
    method, target, body = call
    field = data.draw(st.sampled_from(sorted(body)))
    if isinstance(body[field], list) and data.draw(st.booleans()):
        value: object = data.draw(st.lists(json_values, max_size=3))
    else:
        value = data.draw(json_values)
    answer = arena.ask(method, target, by="alice", json={**body, field: value})
    formed(answer)


GARBAGE = {
    "nothing but a bracket": b"{",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "deep": DEEP,
    "deep objects": b'{"a":' * 100_000,
    "a huge number": b'{"name":' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"name":"\xff"}',
    "half a pair": b'{"name":"\\ud800","content":"\\ud800","oid":"\\ud800","tag":"\\ud800","user":"\\ud800"}',
    "infinite": b'{"size":Infinity,"name":-Infinity,"content":NaN}',
    "packed": gzip.compress(b'{"name":"x"}'),
    "a form": b"name=x&name=y&paths=%00&paths=%ff",
    "many keys": json.dumps({str(number): number for number in range(50_000)}).encode(),
    "a long text": b'{"name":"' + b"a" * 5_000_000 + b'"}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", "\xff"]
)
def test_garbage_instead_of_a_body(arena: Arena, body: bytes, kind: str):
    before = arena.refs()
    for method, target, _ in CALLS:
        answer = arena.ask(method, target, by="alice", body=body, headers=[("content-type", kind)])
        formed(answer)
        if "branch" in target and answer.status == 200:
            arena.ask("DELETE", target, by="alice")
    assert arena.refs() == before


def test_a_form_of_too_many_fields(arena: Arena):
    form = [("content-type", "application/x-www-form-urlencoded")]
    body = b"paths=a&" * 20_000
    refused(arena.ask("POST", f"{API}/paths-info/main", by="alice", body=body, headers=form), 400)
    body = b"paths=" + b"%ff" * 10
    refused(arena.ask("POST", f"{API}/paths-info/main", by="alice", body=body, headers=form), 400)
