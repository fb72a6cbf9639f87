"""What goes wrong is said in the language of the page: every error that a page can show has words."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import allmende
from allmende import errors
from allmende.registry import RepoGated, RevisionNotFound
from allmende.registry.passwords import check_new_password
from allmende.web.messages import LANGUAGES, catalogue
from tests.integration.web.conftest import Person

SOURCE = Path(allmende.__file__).parent
ROOMS = (
    "applications", "documents", "flows", "git", "http", "jobs", "log", "registry", "scan", "storage",
    "tables", "web",
)  # fmt: skip
"""What pages call into. The rest speaks to programs, or of files, whose pages show what is wrong in them."""

FROM_ELSEWHERE = {"path_rules_beyond_limits"}
"""What is said, though the rooms do not raise it: a page of uploads reads the rules of the repo itself."""

NOT_ON_PAGES = {
    "internal": "the page of that status says it",
    "additions_impossible": "pages list the problems, in the visitor's language",
    "catalogue_impossible": "a mistake of ours, found by tests",
    "bytes_missing": "of Xet", "shard_mismatch": "of Xet", "source_lost": "of Xet", "source_moved": "of Xet",
    "xorb_missing": "of Xet", "xorb_unknown": "of Xet",
    "delta_base_not_here": "of pushed deltas", "delta_refused": "of pushed deltas",
    "malformed_recipe": "of damaged objects: the page says that the hub failed",
    "object_damaged": "of damaged objects: the page says that the hub failed",
    "object_missing": "of damaged objects: the page says that the hub failed",
    "no_table": "the page says that it is no table, and shows why in English",
    "unreadable_weights": "the page says that they were not read, and shows why in English",
    "not_worth_packing": "of packing, in jobs", "objects_changed": "of packing, in jobs",
    "object_not_found": "of a damaged repo: the page says that the hub failed",
    "part_unknown": "of clients that send parts",
    "plan_invalid": "of the command that applies a file", "settings_invalid": "at the start",
    "schema_unknown": "at the start",
    "range_not_satisfiable": "of downloads",
    "statement_about_something_else": "of the API", "too_many_attestations": "of the API",
    "signer_untrusted": "of the API", "trust_policy_malformed": "of the API",
    "log_out_of_tree": "of the log's files", "log_tile_missing": "of the log's files",
    "log_witness_refused": "of asking witnesses, in jobs",
}  # fmt: skip


MAX_DEPTH = 4
"""How deep errors are kinds of one another."""


def kinds() -> Iterator[type[errors.AllmendeError]]:
    """The general kinds, whose codes say no more than the status of an answer."""
    yield from (getattr(errors, name) for name in errors.__all__)


def called(call: ast.Call) -> str:
    """The name of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def own_code(node: ast.ClassDef) -> str:
    """The code that a class gives its errors; empty where it has that of another."""
    for one in node.body:
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "code":
            return str(getattr(one.value, "value", ""))
    return ""


def codes_of(classes: list[ast.ClassDef]) -> Mapping[str, set[str]]:
    """The codes of the classes of errors, by their names, of which two rooms may have the same."""
    found = {kind.__name__: {kind.code} for kind in kinds()}
    for _ in range(MAX_DEPTH):
        for one in classes:
            parents = [getattr(base, "id", "") for base in one.bases]
            inherited = {code for parent in parents for code in found.get(parent, ())}
            if inherited:
                found.setdefault(one.name, set()).update({own_code(one)} if own_code(one) else inherited)
    return found


def filled_by(classes: list[ast.ClassDef]) -> Mapping[str, ast.Call]:
    """The call that gives an error its words, of those classes that do so themselves."""
    return {
        one.name: node
        for one in classes
        for node in ast.walk(one)
        if isinstance(node, ast.Call) and called(node) == "__init__"
    }


@cache
def made() -> Mapping[str, list[ast.Call]]:
    """For each code of an error that the rooms can raise, the calls that make such an error."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    codes, filled = codes_of(classes), filled_by(classes)
    found: dict[str, list[ast.Call]] = defaultdict(list)
    for path, tree in trees.items():
        if path.relative_to(SOURCE).parts[0] not in ROOMS:
            continue
        for node in ast.walk(tree):
            bare = node.exc if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) else None
            call = node if bare is None else ast.Call(bare, [], [])
            if isinstance(call, ast.Call):
                name = called(call)
                said = {str(getattr(one.value, "value", "")) for one in call.keywords if one.arg == "code"}
                for code in (said or codes[name]) if name in codes else ():
                    found[code].append(filled.get(name, call))
    return found


def test_every_error_that_a_page_can_show_has_words_in_every_language() -> None:
    for language in LANGUAGES:
        spoken = {
            key.removeprefix("problem.") for key in catalogue(language).messages if key.startswith("problem.")
        }
        assert made().keys() - spoken - NOT_ON_PAGES.keys() == set()


def test_words_and_exceptions_are_of_errors_that_there_are() -> None:
    spoken = {key.removeprefix("problem.") for key in catalogue("en").messages if key.startswith("problem.")}
    assert spoken - made().keys() == FROM_ELSEWHERE
    assert NOT_ON_PAGES.keys() - made().keys() == set()
    assert NOT_ON_PAGES.keys() & spoken == set()


def test_words_name_only_what_each_such_error_says() -> None:
    for key, text in catalogue(LANGUAGES[0]).messages.items():
        code, wanted = key.removeprefix("problem."), set(re.findall(r"\{(\w+)\}", text))
        if not key.startswith("problem.") or not wanted:
            continue
        assert made()[code], code
        for call in made()[code]:
            said = [keyword.value for keyword in call.keywords if keyword.arg == "places"]
            assert said, (code, ast.unparse(call))
            assert isinstance(said[0], ast.Dict), code
            assert wanted <= {name.value for name in said[0].keys if isinstance(name, ast.Constant)}, code


@pytest.mark.parametrize(("language", "words"), [("en", "4,096"), ("de", "4.096")])
def test_numbers_and_names_stand_in_the_words(language: str, words: str) -> None:
    t = catalogue(language)
    assert "„v9“" in catalogue("de").problem(RevisionNotFound("v9"))
    assert "ada/secret" in t.problem(RepoGated("model", "ada/secret", known=True))
    large = errors.TooLarge("x", code="file_too_large", places={"most_bytes": 4096})
    assert t.size(4096) in t.problem(large)
    many = errors.BadRequest("x", code="too_many_chosen", places={"most": 4096})
    assert words in t.problem(many)
    with pytest.raises(errors.BadRequest) as refused:
        check_new_password("ada", "short")
    assert " 200 " in t.problem(refused.value)


def test_what_has_no_words_or_does_not_say_enough_is_left_to_its_own() -> None:
    t = catalogue("de")
    assert t.problem(errors.BadRequest("x", code="nobody_says_this")) == ""
    assert t.problem(errors.BadRequest("x", code="file_too_large")) == ""
    braces = RevisionNotFound("{0.__class__}" + "x" * 999)
    assert "{0.__class__}x" in t.problem(braces)
    assert len(t.problem(braces)) < 400


def test_a_german_page_says_it_in_german_and_what_programs_get_is_marked_as_english(stranger: Person) -> None:
    answer = stranger.open("/alice/heron-small/tree/absent?lang=de")
    assert answer.status_code == 404
    assert "keine Marke und keinen Commit „absent“" in answer.text
    assert '<span lang="en">Invalid rev id: absent</span>' in answer.text
    assert answer.headers["x-error-message"] == "Invalid rev id: absent"
