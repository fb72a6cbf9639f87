"""docs/commands.md and the command line say the same: every command, every argument, every option."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from allmende.cli.application import build
from allmende.cli.client_environment import VARIABLES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text("utf-8")
SHARED = {"--data", "--database", "--storage", "--json"}
"""What stands once for all `admin` commands."""
APART = "allmende admin keys root"
"""These are said where no hub is."""


def commands(app: App, path: tuple[str, ...] = ("allmende",)) -> Iterator[tuple[str, App]]:
    if app.default_command is not None:
        yield " ".join(path), app
    for name, command in app.resolved_commands().items():
        if not name.startswith("-"):
            yield from commands(command, (*path, name))


def names(app: App) -> tuple[list[str], set[str]]:
    """The arguments and the options of a command."""
    first = [argument.names[0] for argument in app.assemble_argument_collection()]
    return [name for name in first if name.isupper()], {name for name in first if name.startswith("--")}


def sections() -> dict[str, str]:
    parts = re.split(r"^## `(.+)`$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


COMMANDS = dict(commands(build()))


def test_every_command_has_a_section_with_its_arguments_and_no_other_has() -> None:
    expected = {" ".join([path, *names(app)[0]]) for path, app in COMMANDS.items()}
    assert set(sections()) == expected


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_line_and_no_other(path: str) -> None:
    arguments, options = names(COMMANDS[path])
    section = sections()[" ".join([path, *arguments])]
    listed = set(re.findall(r"^- `(--[a-z-]+)`: ", section, flags=re.MULTILINE))
    if path.startswith("allmende admin") and not path.startswith(APART):
        assert options >= SHARED
        assert listed == options - SHARED
    else:
        assert listed == options - {"--json"}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != "allmende serve"])
def test_the_schema_of_every_json_answer_is_named(path: str) -> None:
    section = sections()[" ".join([path, *names(COMMANDS[path])[0]])]
    assert re.search(r"`allmende\.[a-z-]+/1`", section)


def test_shared_options_are_explained() -> None:
    assert set(re.findall(r"^- `(--[a-z]+)`: ", PAGE.split("## `")[0], flags=re.MULTILINE)) == SHARED


def test_every_variable_of_env_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z_]{6,})`", sections()["allmende env"]))
    assert explained == {"HF_ENDPOINT", *(variable.name for variable in VARIABLES)}


def test_every_exit_code_is_explained() -> None:
    from allmende.cli import exits

    codes = {code for _, code in exits._CODES} | {
        value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)
    }
    table = PAGE.split("## Exit codes")[1].split("## ")[0]
    told = {
        int(code)
        for cell in re.findall(r"^\| ([0-9, ]+) \|", table, flags=re.MULTILINE)
        for code in cell.split(",")
    }
    assert told == codes
