"""What the nursery forks does what a start from nothing does: output, errors, exit code, environment."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nursery import run_command, start_command

PEOPLE = json.dumps({"users": [{"name": "ada", "token": "token-of-ada"}]})


def from_nothing(*arguments: str, env: dict[str, str], cwd: Path, given: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "allmende", *arguments]
    done = subprocess.run(
        command, env=env, cwd=cwd, input=given, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("admin", "apply", "-"),
        ("admin", "user", "list", "--json"),
        ("no-such-command",),
        ("inspect", "absent"),
    ],
    ids=" ".join,
)
def test_a_command_says_and_does_the_same(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    told = []
    for name in ("forked", "from-nothing"):
        (tmp_path / name).mkdir()
        env = {**os.environ, "ALLMENDE_DATA": str(tmp_path / name / "data")}
        if name == "forked":
            done = run_command(arguments, env=env, cwd=tmp_path / name, input=PEOPLE)
            told.append((done.returncode, done.stdout, done.stderr.replace(name, "HERE")))
        else:
            code, out, err = from_nothing(*arguments, env=env, cwd=tmp_path / name, given=PEOPLE)
            told.append((code, out, err.replace(name, "HERE")))
    assert told[0] == told[1]


def test_a_point_to_die_at_is_that_of_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    dying = {**os.environ, "ALLMENDE_FAILPOINT": "archive.before_commit"}
    assert (
        run_command(["store", "add", "store", "file"], env=dying, cwd=tmp_path).returncode == -signal.SIGKILL
    )
    assert run_command(["store", "add", "store", "file"], cwd=tmp_path).returncode == 0


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    env = {**os.environ, "ALLMENDE_DATA": str(tmp_path / "data")}
    process = start_command(["serve", "--port", "0"], env=env)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        run_command(["serve", "--port", "0"], env=env, timeout=0.01)
