"""gitattributes and gitignore: the answers below were taken from git itself (check-attr, check-ignore)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import (
    DEFAULT_GITATTRIBUTES,
    MalformedPathRules,
    parse_gitattributes,
    parse_gitignore,
)
from tests.patience import soon


@pytest.mark.parametrize(
    ("text", "path", "lfs"),
    [
        ("*.bin filter=lfs diff=lfs merge=lfs -text", "a/b/model.bin", True),
        ("*.bin filter=lfs", "model.bin.txt", False),
        ("*.bin filter=lfs", "MODEL.BIN", False),
        ("*.bin filter=lfs\n*.bin -filter", "model.bin", False),
        ("*.bin filter=lfs\nmodel.bin !filter", "x/model.bin", False),
        ("model.bin !filter\n*.bin filter=lfs", "x/model.bin", True),
        ("*.bin filter=lfs\n*.bin text", "model.bin", True),
        ("*.bin filter=other", "model.bin", False),
        ("*.bin filter", "model.bin", False),
        ("dir/** filter=lfs", "dir/a/b", True),
        ("dir/** filter=lfs", "dir", False),
        ("dir/** filter=lfs", "x/dir/a", False),
        ("dir/* filter=lfs", "dir/a/b", False),
        ("dir/ filter=lfs", "dir/a", False),
        ("/top.bin filter=lfs", "top.bin", True),
        ("/top.bin filter=lfs", "a/top.bin", False),
        ("a/b.bin filter=lfs", "a/b.bin", True),
        ("a/b.bin filter=lfs", "x/a/b.bin", False),
        ("**/b.bin filter=lfs", "b.bin", True),
        ("a/**/b.bin filter=lfs", "a/b.bin", True),
        ("a/**/b.bin filter=lfs", "a/x/y/b.bin", True),
        ("a/***/b.bin filter=lfs", "a/x/y/b.bin", True),
        ("saved_model/**/* filter=lfs", "saved_model/variables/x", True),
        ("*tfevents* filter=lfs", "runs/events.out.tfevents.1", True),
        ("*.tar.* filter=lfs", "a.tar.gz", True),
        ("model-0000[1-3].bin filter=lfs", "model-00002.bin", True),
        ("model-[!a].bin filter=lfs", "model-a.bin", False),
        ("[[:digit:]]?.bin filter=lfs", "7x.bin", True),
        ("[[:nonsense:]] filter=lfs", "a", False),
        ("[abc filter=lfs", "[abc", False),
        ("a\\*b filter=lfs", "a*b", True),
        ("a\\*b filter=lfs", "axb", False),
        ('"with blank.bin" filter=lfs', "with blank.bin", True),
        ('"\\303\\244.bin" filter=lfs', "ä.bin", True),
        ('"a\\"b" filter=lfs', 'a"b', True),
        ('"broken filter=lfs', "broken", False),
        ("!*.bin filter=lfs", "a.bin", False),
        ("# *.bin filter=lfs", "a.bin", False),
        ("[attr]big filter=lfs", "big", False),
        ("*.bin\tfilter=lfs\r", "a.bin", True),
        ("\ufeff*.bin filter=lfs", "a.bin", True),
        ("x" * 2100 + " filter=lfs", "x" * 2100, False),
        ("* filter=lfs", "a/b", True),
        ("**a filter=lfs", "a/xa", True),
    ],
)
def test_gitattributes_answers_as_git_does(text: str, path: str, lfs: bool) -> None:
    assert parse_gitattributes(text.encode()).is_lfs(path) is lfs


def test_the_default_keeps_weights_in_lfs_and_texts_in_git() -> None:
    rules = parse_gitattributes(DEFAULT_GITATTRIBUTES.encode())
    large = [
        "model.safetensors",
        "pytorch_model.bin",
        "q/model.gguf",
        "saved_model/a/b",
        "x.tar.gz",
        "a.lfs.b",
    ]
    assert all(rules.is_lfs(path) for path in large)
    small = [
        "README.md",
        "config.json",
        "tokenizer.json",
        "saved_model",
        "model.safetensors.index.json",
        ".gitattributes",
    ]
    assert not any(rules.is_lfs(path) for path in small)


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("*.log", "a/b.log", True),
        ("*.log\n!keep.log", "a/keep.log", False),
        ("!keep.log\n*.log", "keep.log", True),
        ("build/", "build/x/y", True),
        ("build/", "a/build/x", True),
        ("build/", "build", False),
        ("build/\n!build/keep", "build/keep", True),
        ("build/*\n!build/keep", "build/keep", False),
        ("/top", "top", True),
        ("/top", "a/top", False),
        ("a/b", "a/b/c", True),
        ("a/b", "x/a/b", False),
        ("**/b", "x/b/c", True),
        ("a/**", "a/x", True),
        ("a/**/z", "a/z", True),
        ("#x", "#x", False),
        ("\\#x", "#x", True),
        ("\\!x", "!x", True),
        ("x   ", "x", True),
        ("x\\ ", "x ", True),
        ("x\r", "x", True),
        ("", "x", False),
        ("!", "x", False),
        ("/", "x", False),
        ("**", "x/y", True),
        ("[", "[", False),
        ("a\\", "a", False),
        ("__pycache__", "src/__pycache__/m.pyc", True),
    ],
)
def test_gitignore_answers_as_git_does(text: str, path: str, ignored: bool) -> None:
    assert parse_gitignore(text).ignores(path) is ignored


_HOSTILE_PATTERNS = [
    "*a" * 900 + "b",
    "?*" * 900,
    "**/" * 600 + "x",
    "**/a/" * 200 + "x",
    "*" * 2000 + "b",
    "[" * 2000,
    "[a-z]*" * 300 + "!",
]


@pytest.mark.parametrize("pattern", _HOSTILE_PATTERNS)
@pytest.mark.parametrize("path", ["a" * 4000, "a/" * 250 + "a", "a/aaaaaaaaaaaaaa/" * 120 + "a"])
def test_hostile_patterns_end_in_time(pattern: str, path: str) -> None:
    with soon(5.0):
        ignore = parse_gitignore("\n".join([pattern] * 50))
        attributes = parse_gitattributes(f"{pattern} filter=lfs\n".encode() * 50)
        # An answer or a refusal, either will do; what counts is the time.
        with contextlib.suppress(MalformedPathRules):
            ignore.ignores(path)
        with contextlib.suppress(MalformedPathRules):
            attributes.is_lfs(path)


def test_a_thousand_sound_rules_stay_within_the_budget() -> None:
    rules = parse_gitignore("\n".join(f"folder_{i}/**/*.tmp" for i in range(1000)))
    assert not rules.ignores("/".join(["deep"] * 12) + "/model.safetensors")


def test_thousands_of_single_paths_are_looked_up() -> None:
    text = "".join(f"shards/part-{i:05}.bin filter=lfs\n" for i in range(6000))
    rules = parse_gitattributes(text.encode())
    with soon(5.0):
        assert all(rules.is_lfs(f"shards/part-{i:05}.bin") for i in range(6000))


def test_the_bounds_hold() -> None:
    for text in ("x\n" * 200_000, "\n".join(f"a{i}" for i in range(1001))):
        with pytest.raises(MalformedPathRules):
            parse_gitignore(text)
    for data in (b"x" * 300_000, b"a*b filter=lfs\n" * 1001):
        with pytest.raises(MalformedPathRules):
            parse_gitattributes(data)
    for path in ("a" * 5000, "a/" * 300):
        with pytest.raises(MalformedPathRules):
            parse_gitignore("x").ignores(path)


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_rules_answer_for_any_path(text: str, path: str) -> None:
    assert parse_gitignore(text).ignores(path) in (True, False)
    data = text.encode("utf-8", "surrogatepass")
    assert parse_gitattributes(data + b" filter=lfs").is_lfs(path) in (True, False)


@given(st.text("ab*?/.", min_size=1, max_size=12).filter(lambda name: name.strip("/") != ""))
def test_an_escaped_name_matches_itself(name: str) -> None:
    path = "/".join(part for part in name.split("/") if part)
    escaped = "".join("\\" + char if char in "*?[" else char for char in path)
    assert parse_gitignore("/" + escaped).ignores(path)
