"""`allmende applications` against a hub that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from allmende.cli.entry import run
from tests.hubs import RunningHub

TEXT = """schema: allmende.application/1
name: Help desk
system: {infers: yes}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with RunningHub(tmp_path / "hub" / "data") as running:
        yield running


def test_an_application_is_put_shown_packed_and_deleted(
    hub: RunningHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str) -> tuple[int, str]:
        code = run(["applications", *words, "--endpoint", hub.url, "--token", "token-of-alice"])
        return code, capsys.readouterr().out

    described = tmp_path / "application.yaml"
    described.write_text(TEXT)
    assert call("put", "alice/desk", str(described)) == (0, "alice/desk: description 1, assessment 1\n")
    described.write_text(TEXT.replace("yes", "no"))
    assert call("put", "alice/desk", str(described))[1].startswith("alice/desk: description 2, assessment 2")
    assert call("list") == (0, "alice/desk  private\n")
    assert "Help desk" in call("show", "alice/desk")[1]
    assert '"allmende.assessment/1"' in call("show", "alice/desk", "--json")[1]
    described.write_text("colour: red")
    assert call("put", "alice/desk", str(described))[0] != 0
    pack = tmp_path / "pack.zip"
    assert call("evidence", "alice/desk", "--log", "-o", str(pack))[0] == 0
    assert pack.read_bytes().startswith(b"PK")
    assert call("delete", "alice/desk", "--json")[0] == 0
    assert call("show", "alice/desk")[0] != 0
    assert call("put", "nonsense", str(described))[0] != 0
