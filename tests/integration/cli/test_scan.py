"""`allmende scan` on files and folders: what it says, in which form, and how it ends."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from allmende.cli.entry import run
from allmende.cli.second_opinion import find_picklescan
from allmende.scan import RULES

ROOT = Path(__file__).resolve().parents[3]
BAD = pickle.dumps(os.getpid)
ODD = bytes(range(1, 200)) * 9
BROKEN = b"\x80\x04\x95\xff"
WARNED = b'{"auto_map": {"AutoModel": "modeling.Model"}}'

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "vocab.txt").write_text("a\nb\n")
    return made


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Answer:
    def ask(*arguments: str, code: int) -> dict[str, Any]:
        capsys.readouterr()
        ended = run(["scan", *arguments, "--json"])
        out, err = capsys.readouterr()
        assert ended == code, f"{ended}\n{out}\n{err}"
        found: dict[str, Any] = json.loads(out)
        assert found["schema"] == "allmende.scan/1"
        return found

    return ask


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["status"] for file in found["files"]}


class TestExitCode:
    @pytest.mark.parametrize(
        ("name", "data", "status", "code"),
        [
            ("a.json", b"{}", "clean", 0),
            ("run.sh", b"#!/bin/sh\necho\n", "noted", 0),
            ("config.json", WARNED, "warned", 1),
            ("a.xyz", ODD, "not_scanned", 3),
            ("a.pkl", BROKEN, "quarantined", 3),
            ("a.pkl", BAD, "blocked", 2),
        ],
    )
    def test_of_a_file(
        self, tmp_path: Path, answer: Answer, name: str, data: bytes, status: str, code: int
    ) -> None:
        (tmp_path / name).write_bytes(data)
        found = answer(str(tmp_path / name), code=code)
        assert found["status"] == status
        assert statuses(found) == {str(tmp_path / name): status}

    @pytest.mark.parametrize(
        ("files", "status", "code"),
        [
            ((b"{}", WARNED), "warned", 1),
            ((WARNED, ODD), "not_scanned", 3),
            ((ODD, BROKEN), "quarantined", 3),
            ((BROKEN, BAD), "blocked", 2),
        ],
    )
    def test_of_several_is_that_of_the_worst(
        self, tmp_path: Path, answer: Answer, files: tuple[bytes, ...], status: str, code: int
    ) -> None:
        for number, data in enumerate(files):
            kind = ".pkl" if data in (BAD, BROKEN) else ".xyz" if data == ODD else ".json"
            (tmp_path / f"{number}{kind}").write_bytes(data)
        (tmp_path / "modeling.py").write_text("class Model: ...\n")
        assert answer(str(tmp_path), code=code)["status"] == status

    def test_what_cannot_be_read_comes_before_everything(self, folder: Path, answer: Answer) -> None:
        (folder / "bad.pkl").write_bytes(BAD)
        os.mkfifo(folder / "pipe")
        found = answer("model", code=4)
        assert statuses(found)["model/bad.pkl"] == "blocked"
        (file,) = (file for file in found["files"] if "error" in file)
        assert file["path"] == "model/pipe"
        assert file["status"] == "not_scanned"

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["absent"],
            ["model", "absent"],
            ["model", "--odd"],
            ["model", "--jobs", "many"],
            ["model", "--policy", "medium"],
            ["model", "--policy", "medium=odd"],
            ["model", "--policy", "no-such-rule=block"],
            ["model", "--second-opinion", "another"],
        ],
    )
    def test_of_what_is_not_possible(
        self, folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["scan", *arguments]) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")

    def test_of_a_scanner_that_does_not_start(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from allmende.scan.isolation import server_process

        monkeypatch.setattr(server_process, "_PROGRAM", "raise SystemExit(1)")
        assert run(["scan", "model"]) == 4
        assert "does not start" in capsys.readouterr().err


class TestFolders:
    def test_all_files_are_scanned_in_the_order_of_paths(self, folder: Path, answer: Answer) -> None:
        (folder / "b" / "c").mkdir(parents=True)
        (folder / ".git").mkdir()
        for name in ("b/c/z.pkl", "b/a.json", ".hidden.pkl", ".git/x.pkl"):
            (folder / name).write_bytes(BAD if name.endswith("pkl") else b"{}")
        found = statuses(answer("model", "--jobs", "3", code=2))
        assert list(found) == [
            "model/.hidden.pkl", "model/b/a.json", "model/b/c/z.pkl", "model/config.json", "model/vocab.txt",
        ]  # fmt: skip
        assert [path for path, status in found.items() if status == "blocked"] == [
            "model/.hidden.pkl", "model/b/c/z.pkl",
        ]  # fmt: skip

    def test_a_file_that_is_named_twice_is_one(self, folder: Path, answer: Answer) -> None:
        found = answer("model", "model/config.json", "model", code=0)
        assert found["counts"] == {"clean": 2}

    def test_what_the_files_show_together_stands_with_the_file(self, folder: Path, answer: Answer) -> None:
        index = {"metadata": {"total_size": 1}, "weight_map": {"w": "model-00001-of-00001.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        found = answer("model", code=0)
        assert statuses(found)["model/model.safetensors.index.json"] == "noted"
        assert found["counts"] == {"clean": 2, "noted": 1}

    def test_links_out_of_the_folder_are_told_of_and_not_followed(self, folder: Path, answer: Answer) -> None:
        outside = folder.parent / "outside"
        outside.mkdir()
        (outside / "secret.json").write_text("{}")
        (folder / "file").symlink_to(outside / "secret.json")
        (folder / "folder").symlink_to("../outside")
        (folder / "inside.json").symlink_to("config.json")
        (folder / "around").symlink_to("folder/secret.json")
        found = answer("model", code=2)
        blocked = {path for path, status in statuses(found).items() if status == "blocked"}
        assert blocked == {"model/file", "model/folder", "model/around"}
        for file in found["files"]:
            if file["path"] in blocked:
                assert [finding["rule"] for finding in file["findings"]] == ["repository-outside-link"]
                assert file["formats"] == []
        assert statuses(found)["model/inside.json"] == "clean"

    def test_the_cache_of_the_stock_clients_is_followed(self, tmp_path: Path, answer: Answer) -> None:
        cache = tmp_path / "models--a--b"
        (cache / "blobs").mkdir(parents=True)
        (cache / "snapshots" / "main").mkdir(parents=True)
        (cache / "blobs" / "0a").write_bytes(BAD)
        (cache / "snapshots" / "main" / "model.pkl").symlink_to("../../blobs/0a")
        (file,) = answer(str(cache / "snapshots" / "main"), code=2)["files"]
        assert [finding["rule"] for finding in file["findings"]] == ["pickle-refused-global"]

    def test_odd_names_are_said_and_not_obeyed(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in (b"\xff.pkl", b"\x1b[31m.pkl", b"a\nb.pkl"):
            Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(BAD)
        for form in ([], ["--json"], ["--jsonl"], ["--sarif"]):
            assert run(["scan", "model", *form]) == 2
            out, _ = capsys.readouterr()
            assert "\x1b" not in out
            out.encode()


class TestForms:
    def test_for_people_the_worst_comes_first_and_the_clean_are_left_out(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "z.pkl").write_bytes(BAD)
        (folder / "a.xyz").write_bytes(ODD)
        assert run(["scan", "model"]) == 2
        out, err = capsys.readouterr()
        lines = out.splitlines()
        assert lines[0].split() == ["blocked", "model/z.pkl"]
        assert "pickle-refused-global" in lines[1]
        assert "posix.getpid" in lines[1]
        assert "at byte" in lines[1]
        assert lines[2].strip().startswith("→")
        assert lines[3].split() == ["not", "scanned", "model/a.xyz"]
        assert "config.json" not in out
        assert "4 files: 1 blocked, 1 not scanned, 2 clean." in err
        assert run(["scan", "model", "--all"]) == 2
        assert "model/config.json" in capsys.readouterr().out

    def test_lines_of_json_come_file_by_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "z.pkl").write_bytes(BAD)
        assert run(["scan", "model", "--jsonl"]) == 2
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["path"] for line in lines] == ["model/config.json", "model/vocab.txt", "model/z.pkl"]
        assert lines[2]["status"] == "blocked"
        assert lines[2]["findings"][0]["rule"] == "pickle-refused-global"

    def test_each_file_has_one_line_whatever_the_folder_shows_of_it(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        index = {"metadata": {"total_size": 1}, "weight_map": {"w": "model-00001-of-00001.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "CONFIG.json").write_text("{}")
        (folder / "nul.txt").write_text("a")
        (folder / "outside").symlink_to("/etc/hostname")
        (folder / "bad.pkl").write_bytes(BAD)
        (folder / "large.json").write_text(" " * 2_000_000 + "{}")
        (folder / "below").mkdir()
        (folder / "below" / "a.json").write_text("{}")
        os.mkfifo(folder / "pipe")
        for number in range(150):
            (folder / f"{number}.json").write_text("{}")
        assert run(["scan", "model", "model/bad.pkl", "model", "model/below", "--jsonl"]) == 4
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        told = {line["path"]: [finding["rule"] for finding in line["findings"]] for line in lines}
        there = {
            str(place.relative_to(folder.parent)) for place in folder.rglob("*") if place != folder / "below"
        }
        assert sorted(line["path"] for line in lines) == sorted(there)
        assert {path: rules for path, rules in told.items() if rules} == {
            "model/model.safetensors.index.json": ["repository-missing-target"],
            "model/config.json": ["repository-colliding-paths"],
            "model/nul.txt": ["repository-reserved-name"],
            "model/outside": ["repository-outside-link"],
            "model/bad.pkl": ["pickle-refused-global"],
        }
        assert run(["scan", "model", "--json"]) == 4
        whole = {file["path"]: file for file in json.loads(capsys.readouterr().out)["files"]}
        assert whole == {line["path"]: line for line in lines}

    def test_no_name_hides_another(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "\\xff.pkl").write_bytes(b"N.")
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.pkl")).write_bytes(BAD)
        assert run(["scan", "model", "--jsonl"]) == 2
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(lines) == len({line["path"] for line in lines}) == 4
        assert sorted(line["status"] for line in lines) == ["blocked", "clean", "clean", "clean"]

    def test_sarif_has_the_findings_and_what_was_not_read(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "z.pkl").write_bytes(BAD)
        (folder / "a.xyz").write_bytes(ODD)
        assert run(["scan", "model", "--sarif"]) == 2
        document = json.loads(capsys.readouterr().out)
        assert document["version"] == "2.1.0"
        (found,) = document["runs"]
        (result,) = found["results"]
        assert result["ruleId"] == "pickle-refused-global"
        assert result["level"] == "error"
        (invocation,) = found["invocations"]
        assert invocation["executionSuccessful"] is True
        (notification,) = invocation["toolExecutionNotifications"]
        (location,) = notification["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "model/a.xyz"

    def test_rules_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["scan", "--rules", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert listed["schema"] == "allmende.scan-rules/1"
        assert {rule["id"] for rule in listed["rules"]} == set(RULES)
        assert run(["scan", "--rules"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == len(RULES)


class TestBreakingOff:
    @pytest.fixture
    def program(self, folder: Path) -> list[str]:
        for number in range(400):
            (folder / f"{number}.json").write_text("{}")
        return [sys.executable, "-m", "allmende", "scan", "model", "--jsonl", "--jobs", "2"]

    def test_ctrl_c_ends_it_at_once_and_without_a_word(self, program: list[str]) -> None:
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
            assert started.stdout is not None
            assert started.stdout.readline()
            started.send_signal(signal.SIGINT)
            _, said = started.communicate(timeout=20)
        assert (started.returncode, said) == (130, b"")

    def test_a_reader_who_has_read_enough_is_no_failure(self, program: list[str]) -> None:
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
            assert started.stdout is not None
            assert started.stderr is not None
            assert started.stdout.readline()
            started.stdout.close()
            assert started.wait(20) == 141
            assert started.stderr.read() == b""


class TestPolicy:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["critical=note"], 0),
            (["pickle-refused-global=warn"], 1),
            (["critical=note", "pickle-refused-global=quarantine"], 3),
        ],
    )
    def test_it_decides_what_follows(
        self, tmp_path: Path, answer: Answer, words: list[str], code: int
    ) -> None:
        (tmp_path / "a.pkl").write_bytes(BAD)
        options = [part for word in words for part in ("--policy", word)]
        found = answer(str(tmp_path), *options, code=code)
        assert [finding["rule"] for finding in found["files"][0]["findings"]] == ["pickle-refused-global"]


class TestSecondOpinion:
    @pytest.fixture
    def picklescan(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """`picklescan(script)` puts a program of that name on the path."""
        programs = tmp_path / "programs"
        programs.mkdir()
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(sys, "executable", sys.executable)

        def make(script: str) -> None:
            (programs / "picklescan").write_text(f"#!/bin/sh\n{script}\n")
            (programs / "picklescan").chmod(0o755)

        return make

    @pytest.mark.parametrize(
        ("script", "data", "code", "rules"),
        [
            ("exit 0", b"{}", 0, []),
            ("exit 0", BAD, 2, ["pickle-refused-global"]),
            ("echo \"a.json: dangerous import 'x y'\"; exit 1", b"{}", 2, ["second-opinion"]),
            ("yes | head -c 3000000; exit 1", b"{}", 2, ["second-opinion"]),
            ("exit 2", b"{}", 3, ["second-opinion-failed"]),
            ("kill -9 $$", b"{}", 3, ["second-opinion-failed"]),
        ],
    )
    def test_it_makes_a_verdict_worse_and_never_better(
        self,
        folder: Path,
        answer: Answer,
        picklescan: Callable[[str], None],
        script: str,
        data: bytes,
        code: int,
        rules: list[str],
    ) -> None:
        picklescan(script)
        name = "a.pkl" if data == BAD else "a.json"
        (folder / name).write_bytes(data)
        found = answer(f"model/{name}", "--second-opinion", "picklescan", code=code)
        assert [finding["rule"] for finding in found["files"][0]["findings"]] == rules

    def test_it_is_not_waited_for_without_end(
        self,
        folder: Path,
        answer: Answer,
        picklescan: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from allmende.cli import second_opinion

        monkeypatch.setattr(second_opinion, "_TIME_S", 0.2)
        picklescan("exec sleep 60")
        found = answer("model/config.json", "--second-opinion", "picklescan", code=3)
        assert found["files"][0]["findings"][0]["rule"] == "second-opinion-failed"

    def test_its_absence_is_said(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr(sys, "executable", str(folder / "python"))
        assert run(["scan", "model", "--second-opinion", "picklescan"]) == 4
        assert "picklescan is not installed" in capsys.readouterr().err

    @pytest.mark.clients
    def test_the_real_one_agrees_about_a_plain_call(
        self,
        folder: Path,
        answer: Answer,
        require_environment: Callable[[str], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PATH", str(require_environment("scan-peers")))
        assert find_picklescan()
        (folder / "bad.pkl").write_bytes(pickle.dumps(os.system))
        found = answer("model/bad.pkl", "--second-opinion", "picklescan", code=2)
        rules = {finding["rule"]: finding["detail"] for finding in found["files"][0]["findings"]}
        assert "system" in rules["second-opinion"]


class TestExamples:
    def test_the_hook_of_pre_commit_runs(self, folder: Path) -> None:
        (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
        assert (hook["id"], hook["language"], hook["types"]) == ("allmende-scan", "python", ["file"])
        program, *arguments = hook["entry"].split()
        place = Path(sys.executable).with_name(program)
        (folder / "bad.pkl").write_bytes(BAD)
        for files, code in ((["config.json", "vocab.txt"], 0), (["config.json", "bad.pkl"], 2)):
            ended = subprocess.run([place, *arguments, *files], cwd=folder, capture_output=True, check=False)
            assert ended.returncode == code, ended.stderr

    @pytest.mark.parametrize("name", ["github", "gitlab", "forgejo"])
    def test_the_examples_for_ci_use_what_there_is(
        self, folder: Path, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = (ROOT / "docs" / "examples" / "ci" / f"{name}.yml").read_text("utf-8")
        assert yaml.safe_load(text)
        assert "pip install allmende" in text
        (command,) = re.findall(r"allmende (scan [^>\n]*)", text)
        assert run(command.split()) == 0
