import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import TooLarge
from allmende.http import CommitLines, CommitMalformed
from allmende.ids import Sha256
from allmende.registry import AddFile, LinkContent, PathInvalid, Remove
from allmende.settings import Settings

OID = Sha256("ab" * 32)
HEADER = {"key": "header", "value": {"summary": "a title", "description": "why"}}


def lines(*items: object) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def submission(body: bytes, settings: Settings | None = None):
    reader = CommitLines(settings or Settings())
    reader.feed(body)
    return reader.finish("main", create_pr=False)


def operation(key: str, **value: object) -> dict:
    return {"key": key, "value": value}


def test_every_operation():
    found = submission(
        lines(
            HEADER,
            operation("file", path="a.txt", content=base64.b64encode(b"\0a").decode(), encoding="base64"),
            operation("file", path="b.txt", content="ü", encoding="utf-8"),
            operation("file", path="c.txt", content="plain"),
            operation("lfsFile", path="m.bin", algo="sha256", oid=OID, size=3),
            operation("lfsFile", path="copy.bin", oid=OID),
            operation("deletedFile", path="old"),
            operation("deletedFolder", path="dir/", more="ignored"),
        )
    )
    assert (found.title, found.message, found.revision) == ("a title", "why", "main")
    assert found.operations == [
        AddFile("a.txt", b"\0a"),
        AddFile("b.txt", "ü".encode()),
        AddFile("c.txt", b"plain"),
        LinkContent("m.bin", OID, 3),
        LinkContent("copy.bin", OID, None),
        Remove("old", folder=False),
        Remove("dir", folder=True),
    ]


def test_the_first_line_of_the_summary_is_the_title():
    header = operation("header", summary=" one \ntwo\n\nthree ", description="\nfour\n")
    found = submission(lines(header))
    assert (found.title, found.message) == ("one", "two\n\nthree\n\nfour")


@pytest.mark.parametrize("parent", ["a" * 40, "ABCDEF0"])
def test_the_parent(parent):
    reader = CommitLines(Settings())
    reader.feed(lines(operation("header", summary="s", parentCommit=parent)))
    reader.finish("main", create_pr=False)
    assert reader.parent == parent.lower()


@given(st.lists(st.integers(1, 40), max_size=30))
def test_it_does_not_matter_how_the_body_is_cut(cuts):
    items = [operation("file", path=f"f{n}", content="x" * n) for n in range(20)]
    body = lines(HEADER, *items)
    reader = CommitLines(Settings())
    at = 0
    for cut in cuts:
        reader.feed(body[at : at + cut])
        at += cut
    reader.feed(body[at:])
    assert reader.finish("main", create_pr=False) == submission(body)


def test_blank_lines_and_a_missing_last_newline_do_not_matter():
    body = lines(HEADER, operation("file", path="a", content="1"))
    assert submission(b"\r\n" + body.replace(b"\n", b"\r\n\n").rstrip()) == submission(body)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"key": "file", "value": {"size": ' + b"9" * 5000 + b"}}", "JSON"),
        (b"[]", "object"),
        (b'{"key": "file"}', "object"),
        (b'{"key": 1, "value": {}}', "object"),
        (lines(HEADER).strip(), "second header"),
        (lines(operation("renamedFile", path="a")).strip(), "renamedFile"),
        (lines(operation("file", content="x")).strip(), "path"),
        (lines(operation("file", path=3, content="x")).strip(), "path"),
        (lines(operation("file", path="a")).strip(), "content"),
        (lines(operation("file", path="a", content="x=", encoding="base64")).strip(), "base64"),
        (lines(operation("file", path="a", content="\ud800")).strip(), "utf-8"),
        (lines(operation("file", path="a", content="ü", encoding="base64")).strip(), "base64"),
        (lines(operation("file", path="a", content="x", encoding="latin-1")).strip(), "encoding"),
        (lines(operation("lfsFile", path="a", oid=OID, algo="md5")).strip(), "algo"),
        (lines(operation("lfsFile", path="a", oid=OID.upper())).strip(), "oid"),
        (lines(operation("lfsFile", path="a")).strip(), "oid"),
        (lines(operation("lfsFile", path="a", oid=OID, size=-1)).strip(), "size"),
        (lines(operation("lfsFile", path="a", oid=OID, size=True)).strip(), "size"),
        (lines(operation("lfsFile", path="a", oid=OID, size=2**63)).strip(), "size"),
    ],
)
def test_a_malformed_line_is_named(line, words):
    with pytest.raises(CommitMalformed) as caught:
        submission(lines(HEADER, operation("file", path="fine", content="")) + line + b"\n")
    assert "Line 3" in caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize("path", ["../a", "/a", "a/.git/config", "a//b", "", "a\\b", "a\n", "\ud800"])
def test_a_path_that_cannot_be(path):
    with pytest.raises((PathInvalid, CommitMalformed)) as caught:
        submission(lines(HEADER, operation("file", path=path, content="")))
    assert "Line 2" in caught.value.message


@pytest.mark.parametrize(
    "header",
    [
        operation("file", path="a", content=""),
        operation("header"),
        operation("header", summary="  "),
        operation("header", summary="x" * 1001),
        operation("header", summary="a\0b"),
        operation("header", summary="\udfff"),
        operation("header", summary="s", description=4),
        operation("header", summary="s", parentCommit="main"),
        operation("header", summary="s", parentCommit="abc"),
        operation("header", summary="s", parentCommit=7),
    ],
)
def test_a_header_that_cannot_be(header):
    with pytest.raises(CommitMalformed):
        submission(lines(header))


def test_nothing_at_all():
    with pytest.raises(CommitMalformed):
        submission(b"\n\n")


def test_too_many_operations():
    body = lines(HEADER, *[operation("deletedFile", path=f"f{n}") for n in range(4)])
    assert len(submission(body, Settings(max_commit_operations=4)).operations) == 4
    with pytest.raises(TooLarge):
        submission(body, Settings(max_commit_operations=3))


def test_too_many_bytes():
    body = lines(HEADER)
    with pytest.raises(TooLarge):
        submission(body, Settings(max_commit_bytes=len(body) - 1))


def test_a_line_without_end_is_refused_before_it_fills_memory():
    reader = CommitLines(Settings(max_inline_bytes=1000))
    with pytest.raises(TooLarge, match="Line 1 "):
        for _ in range(1000):
            reader.feed(b"x" * 1000)
