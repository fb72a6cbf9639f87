"""How commands end: exit codes, sentences instead of tracebacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from allmende import errors
from allmende.cli import application, entry
from allmende.cli.exits import SOFTWARE, exit_code
from allmende.cli.output import printable, size_text


class FakeApplication:
    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def __call__(self, *_arguments: object, **_options: object) -> object:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadRequest("x"), 2),
        (errors.TooLarge("x"), 2),
        (errors.NotFound("x"), 3),
        (errors.Conflict("x"), 4),
        (errors.Forbidden("x"), 5),
        (errors.Unavailable("x"), 6),
        (errors.StorageFull("x"), 6),
        (errors.NotOffered("x"), 7),
        (errors.AllmendeError("x"), SOFTWARE),
    ],
)
def test_each_kind_of_error_has_its_code(error: errors.AllmendeError, code: int) -> None:
    assert exit_code(error) == code


def test_every_kind_of_error_is_mapped() -> None:
    kinds = {getattr(errors, name) for name in errors.__all__} - {errors.AllmendeError}
    assert all(exit_code(kind("x")) != SOFTWARE for kind in kinds)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (None, 0),
        (1, 1),
        (KeyboardInterrupt(), 130),
        (PermissionError(13, "Permission denied", "/somewhere"), 74),
        (errors.NotFound("It is gone.", hint="Look elsewhere."), 3),
    ],
)
def test_what_a_command_returns_or_raises_becomes_its_exit_code(
    outcome: object, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "build", lambda: FakeApplication(outcome))
    assert entry.run([]) == code


def test_an_error_is_said_in_a_sentence_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = errors.Conflict("It is\x1b[31m taken.", hint="Choose another.")
    monkeypatch.setattr(application, "build", lambda: FakeApplication(error))
    assert entry.run([]) == 4
    assert capsys.readouterr() == ("", "error: It is\\x1b[31m taken.\nhint: Choose another.\n")


def test_a_fault_of_ours_is_logged_with_its_traceback_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(application, "build", lambda: FakeApplication(ZeroDivisionError("oops")))
    assert entry.run([]) == SOFTWARE
    assert "Allmende itself failed" in capsys.readouterr().err
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["nonsense"], ["admin", "nonsense"], ["serve", "--port", "many"], ["admin", "apply"]],
)
def test_an_impossible_command_line_is_said_in_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.run(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("arguments", [[], ["admin"], ["--help"], ["serve", "--help"], ["admin", "gc", "-h"]])
def test_help_is_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.run(arguments) == 0
    assert "Usage: allmende" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["admin", "--help"], ["env"], ["inspect", "."]])
def test_commands_that_need_no_hub_load_no_database(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from allmende.cli.entry import run\n"
        f"code = run({arguments!r})\n"
        "heavy = {'sqlalchemy', 'fastapi', 'starlette', 'torch', 'granian', 'alembic', 'dulwich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = "import sys; from allmende.cli import main; sys.argv = ['allmende', 'env']; main()"
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()
    with writer:
        assert writer.stderr.read() == b""
    assert writer.returncode == 141


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (91_000_000, "91.0 MB"), (10**15, "1000.0 TB")],
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


def test_what_a_terminal_would_obey_is_shown_and_not_sent() -> None:
    assert printable("a\x1b]0;x\x07\nb\u202ec") == "a\\x1b]0;x\\x07\\nb\\u202ec"
    assert printable("Größe 😀") == "Größe 😀"
