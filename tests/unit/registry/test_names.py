"""Paths that may lie in a repo, and those that may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.registry import NameInvalid, PathInvalid, check_account_name, check_path

ESCAPES = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "../x",
    "parent inside": "a/../b",
    "current": "./a",
    "double slash": "a//b",
    "trailing slash": "a/",
    "backslash": "a\\..\\b",
    "nul": "a\0b",
    "newline": "a\nb",
    "delete": "a\x7f",
    "git": ".git/config",
    "git inside": "a/.git/hooks/x",
    "git in capitals": ".GIT/config",
    "git on windows": "git~1/config",
    "git with a dot": ".git./config",
    "git with a space": ".git /config",
    "git with an ignorable": ".g\u200cit/config",
    "lone surrogate": "a\ud800",
    "long part": "a" * 256,
    "long part in bytes": "ä" * 128,
    "deep": "/".join("a" * 65),
    "long": "/".join(["a" * 250] * 20),
}


@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES.keys())
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(PathInvalid):
        check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        ".gitattributes",
        ".gitignore",
        ".github/x",
        "a b",
        "ä/ö.txt",
        "...",
        "a..b",
        "git",
        "x.git",
        "~",
        "日本",
    ],
)
def test_paths_that_are_accepted(path: str) -> None:
    assert check_path(path) == path


@given(st.text(max_size=50))
def test_an_accepted_path_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except PathInvalid:
        return
    parts = path.split("/")
    assert ".." not in parts
    assert "." not in parts
    assert "" not in parts
    assert ".git" not in [part.lower() for part in parts]


@pytest.mark.parametrize("name", ["api", "Datasets", "LOGIN", "static"])
def test_names_of_the_hub_itself_are_reserved(name: str) -> None:
    with pytest.raises(NameInvalid, match="reserved"):
        check_account_name(name)


def test_accounts_have_at_least_two_characters() -> None:
    check_account_name("ab")
    with pytest.raises(NameInvalid):
        check_account_name("a")
