"""`allmende assess`: exit codes, the result as text and JSON, and questions where nothing can be assessed."""

import json
from pathlib import Path
from typing import Any

import pytest

from allmende.cli.entry import run
from tests.unit.law.described import BASES, document, written

DAY = "2026-11-28"


def description(tmp_path: Path, **changes: Any) -> str:
    facts = {**BASES["both"], **{name.replace("__", "."): value for name, value in changes.items()}}
    path = tmp_path / "APPLICATION.yaml"
    path.write_bytes(written(document(facts)))
    return str(path)


def test_nothing_open_and_nothing_prohibited_is_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["assess", description(tmp_path), "--on", DAY]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("case: assessed for 2026-11-28 by the law pack 2026-11-22")
    assert out.rstrip().endswith("It is not legal advice.")
    assert not err


@pytest.mark.parametrize(
    "changes",
    [
        {"system__profiling": "unknown", "system__purposes": ["recruitment"]},
        {"system__practices": ["face_scraping"], "practice__untargeted_scraping": "yes"},
    ],
)
def test_what_is_open_or_prohibited_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    assert run(["assess", description(tmp_path, **changes), "--on", DAY]) == 1
    assert capsys.readouterr().out


def test_the_same_description_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for _ in range(2):
        run(["assess", description(tmp_path), "--on", DAY, "--json"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert json.loads(told[0])["schema"] == "allmende.assessment/1"


def test_german(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["assess", description(tmp_path), "--on", DAY, "--lang", "de"])
    assert capsys.readouterr().out.rstrip().endswith("Es ist keine Rechtsberatung.")


def test_faults_are_questions_and_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = description(tmp_path, operator__size="micro", operator__turnover_eur=9e9, system__infers="perhaps")
    assert run(["assess", path, "--on", DAY]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "error: operator.size, operator.turnover_eur: A micro undertaking" in err
    assert "error: system.infers: Does the system" in err
    assert "nothing was assessed" in err


def test_faults_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = description(tmp_path, operator__size="micro", operator__turnover_eur=9e9)
    assert run(["assess", path, "--on", DAY, "--json", "--lang", "de"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "allmende.assessment-problems/1"
    assert [(problem["code"], problem["ask"][:20]) for problem in told["problems"]] == [
        ("contradiction", "Ein Kleinstunternehm")
    ]


@pytest.mark.parametrize("as_json", [True, False])
def test_what_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    run(["assess", description(tmp_path), "--on", DAY, "--json"])
    older = tmp_path / "older.json"
    older.write_text(capsys.readouterr().out, "utf-8")
    path = description(tmp_path, transparency__interacts="yes")
    run(["assess", path, "--on", DAY, "--compare", str(older), *(["--json"] if as_json else [])])
    out = capsys.readouterr().out
    if as_json:
        told = json.loads(out)
        assert told["schema"] == "allmende.assessment-changes/1"
        moved = next(change for change in told["changes"] if change["rule"] == "art-50-1")
        assert [cause["name"] for cause in moved["causes"]] == ["transparency.interacts"]
    else:
        assert "because of the fact transparency.interacts: false → true" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--on", "tomorrow"], 2),
        (["--on", "2020-01-01"], 2),
        (["--lang", "tlh"], 7),
        (["--pack", "1999-01-01"], 3),
        (["--compare", "nowhere.json"], 3),
    ],
)
def test_what_cannot_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    assert run(["assess", description(tmp_path), *arguments]) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ")


def test_a_missing_description_and_an_older_one_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["assess", str(tmp_path / "nowhere.yaml")]) == 3
    path = description(tmp_path)
    assert run(["assess", path, "--compare", path]) == 2
    assert "no assessment to compare with" in capsys.readouterr().err


def test_a_name_cannot_command_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "APPLICATION.yaml"
    path.write_bytes(written({**document(BASES["both"]), "name": "a\x1b[2Jb"}))
    run(["assess", str(path), "--on", DAY])
    assert "\x1b" not in capsys.readouterr().out


def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).resolve().parents[3] / "docs" / "examples" / "APPLICATION.yaml"
    assert run(["assess", str(example), "--on", DAY, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    answers = {(line["subject"], line["rule"]): line["answer"] for line in told["lines"]}
    assert answers["application", "high-risk"] == "yes"
    assert answers["application", "art-27"] == "yes"
    assert answers["model:acme/base-7b-credit", "gpai-provider"] == "no"
