"""Commands of `allmende store`, run in this process in a folder of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allmende.cli.entry import run

Command = Callable[..., str]
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands run."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(here: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("ls", "store")` answers what was printed; `code` is the exit code to expect."""

    def issue(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        ended = run(["store", *arguments])
        out, err = capsys.readouterr()
        assert ended == code, f"{arguments}: {ended}\n{out}\n{err}"
        return out if code in (0, 1) else err

    return issue


@pytest.fixture
def answer(command: Command) -> Answer:
    """The same with `--json`, parsed."""

    def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(command(*arguments, "--json", code=code))
        assert found["schema"] == f"allmende.store-{arguments[0]}/1"
        return found

    return ask
