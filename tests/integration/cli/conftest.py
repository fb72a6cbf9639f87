"""A hub's data folder, and commands run on it in this process."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from allmende.cli.entry import run

Command = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that does not exist yet, named to every command by the environment."""
    for name in [name for name in os.environ if name.startswith("ALLMENDE_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("ALLMENDE_DATA", str(folder))
    umask = os.umask(0o022)
    yield folder
    os.umask(umask)


@pytest.fixture
def command(data: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("admin", "user", "list")` answers what was printed; `code` is the exit code to expect."""

    def issue(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        ended = run(arguments)
        out, err = capsys.readouterr()
        assert ended == code, f"{arguments}: {ended}\n{out}\n{err}"
        return out if code in (0, 1) else err

    return issue


@pytest.fixture
def answer(command: Command) -> Callable[..., dict[str, Any]]:
    """The same with `--json`, parsed."""

    def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(command(*arguments, "--json", code=code))
        assert found["schema"].startswith("allmende.")
        return found

    return ask
