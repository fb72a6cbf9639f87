"""`allmende env`: what a shell takes over."""

import json
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import constants

from allmende.cli.client_environment import VARIABLES
from allmende.cli.entry import run


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ALLMENDE_PUBLIC_URL", "ALLMENDE_HOST", "ALLMENDE_PORT", "ALLMENDE_DATA", "ALLMENDE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_a_shell_takes_all_of_it_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "--endpoint", "http://127.0.0.1:9000/"]) == 0
    script = capsys.readouterr().out + "env -0\n"
    done = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=True, env={})
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert found["HF_ENDPOINT"] == "http://127.0.0.1:9000"
    assert {variable.name: variable.value for variable in VARIABLES}.items() <= found.items()
    assert "HF_TOKEN" not in found


def test_evaluated_as_one_line_the_comments_swallow_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env"]) == 0
    text = capsys.readouterr().out
    script = f'eval "{text}"\nprintf %s "$HF_ENDPOINT,$DO_NOT_TRACK"'
    done = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=True, env={})
    assert done.stdout == "http://127.0.0.1:8080,1"


def test_every_line_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(lines[index - 1].startswith("# ") for index, line in enumerate(lines) if line[:1] != "#")


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", "export HF_ENDPOINT='http://127.0.0.1:8080'"),
        ("fish", "set -gx HF_ENDPOINT 'http://127.0.0.1:8080'"),
        ("powershell", "$Env:HF_ENDPOINT = 'http://127.0.0.1:8080'"),
    ],
)
def test_each_shell_has_its_language(shell: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "--shell", shell]) == 0
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({"ALLMENDE_PORT": "9999"}, "http://127.0.0.1:9999"),
        ({"ALLMENDE_HOST": "0.0.0.0"}, "http://127.0.0.1:8080"),
        ({"ALLMENDE_HOST": "::1"}, "http://[::1]:8080"),
        ({"ALLMENDE_PUBLIC_URL": "https://hub.example.org/"}, "https://hub.example.org"),
    ],
)
def test_the_address_comes_from_the_settings(
    settings: dict[str, str],
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run(["env", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "allmende.env/1"
    assert answer["variables"]["HF_ENDPOINT"] == endpoint


@pytest.mark.parametrize("address", ["ftp://x", "x", "http://x';rm -rf ~;'", "http://$(id)", "http://a b"])
def test_what_a_shell_might_run_is_refused(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "--endpoint", address]) == 2
    assert capsys.readouterr().out == ""


def test_clients_keep_their_own_way_of_sending_files() -> None:
    assert not any("XET" in variable.name for variable in VARIABLES)


def test_the_stock_client_knows_the_names() -> None:
    own = [variable.name for variable in VARIABLES if variable.name.startswith("HF_HUB_")]
    source = Path(constants.__file__).read_text("utf-8")
    assert own
    assert all(f'"{name}"' in source for name in [*own, "DO_NOT_TRACK", "HF_ENDPOINT"])
