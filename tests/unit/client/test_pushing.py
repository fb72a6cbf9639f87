"""Which files are pushed under which names, and what a card says of bases."""

from pathlib import Path

import pytest

from allmende.client import card_bases, files_to_push
from allmende.errors import NotFound


def folder(place: Path) -> Path:
    for name in (
        "a.safetensors",
        "sub/b.json",
        ".git/config",
        ".cache/huggingface/x",
        ".allmende/y",
        "c.txt",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"bytes")
    return place


def names(
    path: Path, inside: str = "", include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> list[str]:
    return [one.name for one in files_to_push(path, inside, include, exclude)]


def test_what_clients_leave_in_folders_stays_here(tmp_path: Path) -> None:
    assert names(folder(tmp_path)) == ["a.safetensors", "c.txt", "sub/b.json"]


def test_patterns_and_places(tmp_path: Path) -> None:
    folder(tmp_path)
    assert names(tmp_path, "step-1/", include=("*.safetensors", "*.json")) == [
        "step-1/a.safetensors",
        "step-1/sub/b.json",
    ]
    assert names(tmp_path, exclude=("sub/*",)) == ["a.safetensors", "c.txt"]
    assert names(tmp_path / "c.txt") == ["c.txt"]
    assert names(tmp_path / "c.txt", "notes/d.txt") == ["notes/d.txt"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        names(tmp_path / "absent")


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("---\nbase_model: lab/base\n---\n", ["lab/base"]),
        ("---\nbase_model:\n- lab/a\n- lab/b\n- 3\n---\n", ["lab/a", "lab/b"]),
        ("---\nbase_model: {a: 1}\n---\n", []),
        ("---\n: [\n---\n", []),
        ("# no front matter\n", []),
    ],
)
def test_the_bases_of_a_card(tmp_path: Path, text: str, bases: list[str]) -> None:
    (tmp_path / "README.md").write_text(text)
    assert card_bases(tmp_path / "README.md") == bases
    assert card_bases(tmp_path / "absent.md") == []
