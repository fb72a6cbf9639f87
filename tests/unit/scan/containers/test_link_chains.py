"""Links of archives, one through another: what leaves the folder is found, whatever the way."""

import stat

import pytest

from allmende.scan import FileReport, Limits, Severity, Source, Status, scan_source
from tests.attack.corpus import tar_parts as tar
from tests.attack.corpus.zip_parts import Member, zip_file

HARD, SYMBOLIC = b"1", b"2"
NOTE = tar.member("notes.txt", b"an ordinary line\n")


def link(name: str, target: str, kind: bytes = SYMBOLIC) -> bytes:
    return tar.member(name, kind=kind, link=target.encode())


def scan(data: bytes, name: str = "m.tar", limits: Limits | None = None) -> FileReport:
    return scan_source(Source.of_bytes(data), name, limits)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


@pytest.mark.parametrize(
    "parts",
    [
        [link("a", "."), link("a/b", "..")],
        [link("a", "."), link("A/b", "..")],
        [link("d", "."), link("e", "d/.."), link("f", "d/../x")],
        [link("x/y/z", "../.."), link("l", "x/y/z/..")],
        [link("a/b", "../x"), link("b", "a/b", HARD)],
        [link("a/b", "../x"), link("c", "a/b", HARD), link("d", "c", HARD)],
        [link("d", "."), tar.member("d/../x", b"text\n")],
        [link("x/a", ".."), link("x/b", "a/a/.."), link("q", "x/b/../..")],
        [link("a", "/etc"), link("b", "a/passwd", HARD)],
    ],
    ids=lambda parts: f"{len(parts)} links",
)
def test_a_chain_that_leaves_the_folder_blocks(parts: list[bytes]) -> None:
    report = scan(tar.archive(NOTE, *parts))
    assert "archive-unsafe-path" in rules_of(report)
    assert report.status() is Status.BLOCKED


@pytest.mark.parametrize(
    "parts",
    [
        [link("lib64", "lib"), tar.member("lib/x", b"text\n")],
        [link("a/b", "../c"), link("c", "d"), tar.member("d/x", b"text\n")],
        [link("l", "notes.txt", HARD), link("m", "l", HARD)],
        [link("round", "again"), link("again", "round")],
        [link("self", "self")],
        [link("a/l", ".."), link("b", "a/l/notes.txt")],
    ],
    ids=lambda parts: f"{len(parts)} links",
)
def test_a_chain_inside_is_shown(parts: list[bytes]) -> None:
    report = scan(tar.archive(NOTE, *parts))
    assert rules_of(report) == {"archive-link"}
    assert report.status() is Status.WARNED


def test_a_file_written_through_a_link_over_another_one_cannot_be_trusted() -> None:
    parts = [link("lib64", "lib"), tar.member("lib/x", b"text\n"), tar.member("lib64/x", b"other\n")]
    assert scan(tar.archive(*parts)).status() is Status.QUARANTINED


def test_chains_in_zip_files_are_followed_too() -> None:
    mode = (stat.S_IFLNK | 0o777) << 16
    data = zip_file([Member("a", b".", attributes=mode), Member("a/b", b"..", attributes=mode)])
    assert scan(data, "m.zip").status() is Status.BLOCKED


def test_what_is_followed_is_counted() -> None:
    """Each of these links leads through all before it: the file system gives up, and so does the budget."""
    chain = [link(f"l{number}", "/".join(["l"] + [f"l{number - 1}"] * 20)) for number in range(1, 200)]
    many = [link("l", f"a{number}") for number in range(150)] + chain
    report = scan(tar.archive(*many), limits=Limits(link_parts=20_000))
    assert any(finding.evidence == "links" for finding in report.findings)
    assert report.status() is Status.QUARANTINED


def test_a_path_of_many_parts_takes_no_square_of_steps() -> None:
    long = tar.pax([("linkpath", "a/" * 200_000)])
    report = scan(tar.archive(long, link("l", "a"), link("m", "l/l")), limits=Limits(link_parts=5_000))
    assert max(finding.rule.severity for finding in report.findings) is Severity.MEDIUM
