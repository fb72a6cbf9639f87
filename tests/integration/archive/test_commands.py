"""`allmende store` as people use it: what it says, what it keeps, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.integration.archive.conftest import Answer, Command
from tests.integration.archive.training import Training, safetensors_file, write_run

STEPS = 20


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def start(*arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "allmende", "store", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestRun:
    """All checkpoints of a run, added one after another as they are written."""

    def test_every_checkpoint_comes_back_and_little_is_kept_of_each(
        self, here: Path, command: Command, answer: Answer
    ) -> None:
        for path in write_run(here / "run", STEPS):
            command("add", "store", str(path.parent.relative_to(here)))
        listed = [entry["name"] for entry in answer("ls", "store")["entries"]]
        assert listed == sorted(str(path.relative_to(here)) for path in (here / "run").rglob("*.*"))
        figures = answer("stat", "store")
        size_bytes = sum(map(len, files(here / "run").values()))
        assert figures["logical_bytes"] == size_bytes
        kept = files(here / "store")
        del kept["write.lock"]
        assert figures["stored_bytes"] == sum(map(len, kept.values()))
        models = [each for each in figures["entries"] if each["name"].endswith(".safetensors")]
        # Each step moves the weights by a thousandth in bfloat16, and some steps are stored on earlier ones.
        assert all(each["stored_bytes"] < each["logical_bytes"] / 4 for each in models[1:]), models
        assert sum(each["stored_bytes"] for each in models[1:]) < size_bytes / 6.5
        assert figures["deepest"] <= 3
        found = answer("check", "store", "--deep")
        assert found["sound"], found
        assert found["notes"] == []
        answer("get", "store", "run", "--into", "out")
        assert files(here / "out" / "run") == files(here / "run")

    def test_old_checkpoints_go_and_the_others_stay(
        self, here: Path, command: Command, answer: Answer
    ) -> None:
        write_run(here / "run", 6)
        command("add", "store", "run")
        answer("rm", "store", "run/step-000000", "run/step-000300")
        before = answer("stat", "store")["stored_bytes"]
        collected = answer("gc", "store")
        assert collected["contents"] == 4
        # What others lie on stays, whether an entry has it or not.
        assert collected["bases"] == 6
        assert collected["objects"] == 6
        after = answer("stat", "store")
        assert after["garbage_bytes"] == 0
        assert after["stored_bytes"] < before
        assert answer("check", "store", "--deep")["sound"]
        answer("get", "store", "run", "--into", "out")
        for number in (0, 300):
            shutil.rmtree(here / "run" / f"step-{number:06}")
        assert files(here / "out" / "run") == files(here / "run")


class TestNames:
    def test_a_relative_path_is_the_name(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "a" / "b").mkdir(parents=True)
        (here / "a" / "b" / "x.txt").write_text("x")
        for path in ("a/b/x.txt", "./a/b/x.txt", "a/./b//x.txt", "a", "."):
            found = answer("add", "store", path)["added"]
            assert [each["name"] for each in found] == ["a/b/x.txt"], path

    def test_an_absolute_path_is_called_by_its_last_part(self, here: Path, answer: Answer) -> None:
        (here / "a").mkdir()
        (here / "a" / "x.txt").write_text("x")
        assert [each["name"] for each in answer("add", "store", str(here / "a"))["added"]] == ["a/x.txt"]
        assert [each["name"] for each in answer("add", "store", str(here / "a/x.txt"))["added"]] == ["x.txt"]

    def test_another_name(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "a").mkdir()
        (here / "a" / "x.txt").write_text("x")
        assert answer("add", "store", "a", "--name", "runs/7")["added"][0]["name"] == "runs/7/x.txt"
        assert answer("add", "store", "a/x.txt", "--name", "y")["added"][0]["name"] == "y"
        command("add", "store", "a", "a/x.txt", "--name", "z", code=2)

    @pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a//b", "a\\b", "a\nb"])
    def test_names_that_lead_elsewhere(self, here: Path, command: Command, name: str) -> None:
        (here / "x.txt").write_text("x")
        assert "--name" in command("add", "store", "x.txt", "--name", name, code=2)
        assert "--name" in command("add", "store", "../here/x.txt", code=2)

    def test_a_name_that_is_taken(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "x").write_text("one")
        command("add", "store", "x")
        assert answer("add", "store", "x")["added"][0]["outcome"] == "unchanged"
        (here / "x").write_text("two")
        assert "--replace" in command("add", "store", "x", code=4)
        assert answer("add", "store", "x", "--replace")["added"][0]["outcome"] == "stored"
        command("get", "store", "x", "--into", "out")
        assert (here / "out" / "x").read_text() == "two"

    def test_a_name_is_an_entry_or_a_folder(self, here: Path, command: Command) -> None:
        (here / "x").write_text("one")
        command("add", "store", "x")
        command("add", "store", "x", "--name", "x/y", code=4)
        command("add", "store", "x", "--name", "f/y")
        command("add", "store", "x", "--name", "f", code=4)

    def test_the_store_itself_is_left_out(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "x").write_text("one")
        command("add", "store", ".")
        command("add", "store", ".")
        assert [entry["name"] for entry in answer("ls", "store")["entries"]] == ["x"]


class TestWhatIsSaid:
    def test_of_a_content_that_is_there(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "x").write_bytes(os.urandom(50_000))
        shutil.copy(here / "x", here / "y")
        outcomes = [
            (each["outcome"], each["stored_bytes"] > 0) for each in answer("add", "store", "x", "y")["added"]
        ]
        assert outcomes == [("stored", True), ("known", False)]
        assert "the store had its bytes" in command("add", "store", "y", "--name", "z")

    def test_without_json(self, here: Path, command: Command) -> None:
        write_run(here / "run", 2)
        assert "times smaller" in command("add", "store", "run")
        assert "run/step-000100/model.safetensors" in command("ls", "store", "run/step-000100")
        assert "saved by" in command("stat", "store")
        command("check", "store", "--deep")
        assert "removed" in command("rm", "store", "run/step-000000")
        assert "free again" in command("gc", "store")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("get", "nowhere", "x", "--into", "out"),
            ("ls", "nowhere"),
            ("stat", "nowhere"),
            ("check", "nowhere"),
            ("check", "nowhere", "--rebuild"),
            ("gc", "nowhere"),
            ("rm", "nowhere", "x"),
        ],
    )
    def test_there_is_no_store(self, here: Path, command: Command, arguments: tuple[str, ...]) -> None:
        command(*arguments, code=3)
        assert not (here / "nowhere").exists()

    def test_there_is_no_such_entry(self, here: Path, command: Command) -> None:
        (here / "x").write_text("x")
        command("add", "store", "x")
        command("get", "store", "y", "--into", "out", code=3)
        command("rm", "store", "x/y", code=3)
        command("ls", "store", "y", code=3)
        (here / "large").write_bytes(os.urandom(20_000))
        command("add", "store", "large", "--base", "y", code=3)
        command("add", "store", "nothing", code=3)

    def test_damage(self, here: Path, command: Command, answer: Answer) -> None:
        (here / "x").write_bytes(os.urandom(100_000))
        command("add", "store", "x")
        (pack,) = (here / "store" / "packs").iterdir()
        whole = bytearray(pack.read_bytes())
        whole[50_000] ^= 16
        pack.write_bytes(whole)
        assert answer("check", "store")["sound"]
        assert not answer("check", "store", "--deep", code=1)["sound"]
        command("get", "store", "x", "--into", "out", code=74)
        assert not (here / "out" / "x").exists()

    def test_the_database_is_made_anew(self, here: Path, command: Command, answer: Answer) -> None:
        write_run(here / "run", 3)
        command("add", "store", "run")
        (here / "store" / "archive.db").write_bytes(b"nothing of use" * 5000)
        assert "--rebuild" in command("ls", "store", code=74)
        found = answer("check", "store", "--rebuild", "--deep")
        assert found["rebuilt"] == {"packs": 6, "objects": 18, "contents": 6, "entries": 6, "lost": []}
        command("get", "store", "run", "--into", "out")
        assert files(here / "out" / "run") == files(here / "run")


class TestBases:
    def test_one_that_is_named(self, here: Path, command: Command, answer: Answer) -> None:
        training = Training(5)
        (here / "a.bin.safetensors").write_bytes(training.checkpoint())
        training.step()
        (here / "b.safetensors").write_bytes(training.checkpoint())
        command("add", "store", "a.bin.safetensors")
        (found,) = answer("add", "store", "b.safetensors", "--base", "a.bin.safetensors")["added"]
        assert found["stored_bytes"] < found["size_bytes"] / 6

    def test_kin_under_another_name_are_found(self, here: Path, command: Command, answer: Answer) -> None:
        training = Training(6)
        (here / "base.safetensors").write_bytes(training.checkpoint())
        (here / "stranger.safetensors").write_bytes(Training(7).checkpoint())
        training.step()
        (here / "tuned.safetensors").write_bytes(training.checkpoint())
        command("add", "store", "base.safetensors", "stranger.safetensors")
        (found,) = answer("add", "store", "tuned.safetensors")["added"]
        assert found["stored_bytes"] < found["size_bytes"] / 6

    def test_the_parents_of_a_merge_are_found_among_many_kin(
        self, here: Path, command: Command, answer: Answer
    ) -> None:
        base = Training(9)
        tuned = {}
        for number in range(6):
            branch = Training(9)
            for _ in range(3):
                branch.step(np.random.default_rng(100 + number))
            tuned[number] = branch.weights
            (here / f"{'abcdef'[number]}.safetensors").write_bytes(branch.checkpoint("float32"))
        (here / "base.safetensors").write_bytes(base.checkpoint("float32"))
        half = np.float32(0.5)
        merged = {name: tuned[1][name] * half + tuned[4][name] * half for name in base.weights}
        (here / "merge.safetensors").write_bytes(safetensors_file(merged, "float32"))
        command("add", "store", "base.safetensors", *(f"{letter}.safetensors" for letter in "abcdef"))
        (found,) = answer("add", "store", "merge.safetensors")["added"]
        assert found["stored_bytes"] < found["size_bytes"] / 30

    def test_a_cast_holds_nothing_new(self, here: Path, command: Command, answer: Answer) -> None:
        training = Training(8)
        (here / "base.safetensors").write_bytes(training.checkpoint("float32"))
        (here / "cast.safetensors").write_bytes(training.checkpoint("bfloat16"))
        command("add", "store", "base.safetensors")
        (found,) = answer("add", "store", "cast.safetensors")["added"]
        assert found["stored_bytes"] < found["size_bytes"] / 30


def test_two_at_once_both_come_to_be_there(here: Path, answer: Answer) -> None:
    for seed in (1, 2):
        write_run(here / f"run{seed}", 4, seed)
    running = [start("add", "store", f"run{seed}", cwd=here) for seed in (1, 2)]
    for process in running:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, (out, err)
    assert answer("check", "store", "--deep")["sound"]
    answer("get", "store", "run1", "run2", "--into", "out")
    for seed in (1, 2):
        assert files(here / "out" / f"run{seed}") == files(here / f"run{seed}")


def test_ctrl_c_leaves_nothing_half(here: Path, command: Command, answer: Answer) -> None:
    (here / "first").write_text("first")
    command("add", "store", "first")
    write_run(here / "run", 30)
    process = start("add", "store", "run", cwd=here)
    packs = here / "store" / "packs"
    deadline = time.monotonic() + 60
    while len(list(packs.glob("*.pack"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert list(packs.glob("*.part")) == []
    told = [line.split("  ")[-2].strip() for line in out.splitlines() if line.startswith("stored")]
    there = [entry["name"] for entry in answer("ls", "store")["entries"]]
    assert set(told) <= set(there)
    found = answer("check", "store", "--deep")
    assert found["sound"], json.dumps(found)
    command("add", "store", "run")
    command("get", "store", "run", "--into", "out")
    assert files(here / "out" / "run") == files(here / "run")
