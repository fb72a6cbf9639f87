"""Adding files: what comes back is what went in, whatever it is, and nothing half is ever there."""

import json
import os
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmende.archive import (
    Archive,
    ContentChanged,
    EntryName,
    NameTaken,
    add_file,
    check_archive,
    entry_name,
    entry_of,
    figures_of,
    list_entries,
    open_content,
    recipe_of,
)
from allmende.archive import adding as adding_module
from allmende.errors import BadRequest
from allmende.packing import build
from tests.integration.archive.training import safetensors_file

NAME = entry_name("a/b")


def add(archive: Archive, path: Path, data: bytes, name: EntryName = NAME) -> None:
    path.write_bytes(data)
    add_file(archive, path, name)


def read(archive: Archive, name: EntryName = NAME) -> bytes:
    entry = entry_of(archive, name)
    assert entry is not None
    with open_content(archive, entry.sha256) as reader:
        return reader.read()


def container(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("size_bytes", [0, 1, 16_383, 16_384, 300_001])
@pytest.mark.parametrize("compressible", [False, True])
def test_files_of_any_size(
    archive: Archive, tmp_path: Path, random: Random, size_bytes: int, compressible: bool
) -> None:
    data = bytes(size_bytes) if compressible else random.randbytes(size_bytes)
    add(archive, tmp_path / "file", data)
    assert read(archive) == data
    assert check_archive(archive, deep=True).sound


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.dictionaries(
        st.text(max_size=8),
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["F32", "BF16", "F64", "I8", "BOOL", "F4", "X"]),
                "shape": st.lists(st.integers(0, 80), max_size=3),
                "data_offsets": st.lists(st.integers(0, 30_000), min_size=2, max_size=2),
            }
        ),
        max_size=4,
    ),
    pattern=st.binary(min_size=1, max_size=64),
    size_bytes=st.integers(0, 40_000),
)
def test_containers_that_say_anything(
    archive: Archive, tmp_path: Path, header: object, pattern: bytes, size_bytes: int
) -> None:
    data = container(header, (pattern * (size_bytes // len(pattern) + 1))[:size_bytes])
    path = tmp_path / "file"
    path.write_bytes(data)
    add_file(archive, path, NAME, replace=True)
    assert read(archive) == data


def test_words_that_are_no_numbers(archive: Archive, tmp_path: Path) -> None:
    words = np.array([0x7FC00001, 0xFF800001, 0x80000000, 1, 0x7F800000], "<u4")
    weights = {"w": np.resize(words, (90, 100)).view(np.float32)}
    add(archive, tmp_path / "one", safetensors_file(weights, "float32"), entry_name("one"))
    weights["w"] = (weights["w"].view(np.uint32) ^ 1).view(np.float32)
    data = safetensors_file(weights, "float32")
    add(archive, tmp_path / "two", data, entry_name("two"))
    assert read(archive, entry_name("two")) == data


def test_it_is_one_pack_and_one_transaction(archive: Archive, tmp_path: Path, random: Random) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.randbytes(50_000))
    told: list[int] = []
    added = add_file(archive, path, NAME, tell=told.append)
    assert sum(told) == added.size_bytes == 50_000
    assert added.outcome == "stored"
    assert added.stored_bytes == figures_of(archive).entries[0].stored_bytes
    assert recipe_of(archive, added.sha256).size_bytes == 50_000
    with archive.database.read() as connection:
        packs = connection.execute("SELECT count(*) FROM pack").fetchone()[0]
    assert packs == 1


def test_a_content_that_is_there_gets_one_name_more(archive: Archive, tmp_path: Path, random: Random) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.randbytes(50_000))
    add_file(archive, path, NAME)
    assert add_file(archive, path, NAME).outcome == "unchanged"
    again = add_file(archive, path, entry_name("again"))
    assert (again.outcome, again.stored_bytes) == ("known", 0)
    assert read(archive, entry_name("again")) == path.read_bytes()


def test_a_taken_name_is_kept(archive: Archive, tmp_path: Path) -> None:
    add(archive, tmp_path / "file", b"one")
    with pytest.raises(NameTaken):
        add(archive, tmp_path / "file", b"two")
    assert read(archive) == b"one"
    assert len(list_entries(archive)) == 1


@pytest.mark.parametrize("change", ["shorter", "other"])
def test_a_file_that_is_written_to_meanwhile(
    archive: Archive, tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.randbytes(50_000))

    def interfere(*arguments: object, **options: object) -> object:
        if change == "shorter":
            os.truncate(path, 100)
        else:
            path.write_bytes(random.randbytes(50_000))
        return build(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(adding_module, "build", interfere)
    with pytest.raises(ContentChanged):
        add_file(archive, path, NAME)
    assert list_entries(archive) == []
    assert list(archive.packs.folder.iterdir()) == []
    monkeypatch.undo()
    add_file(archive, path, NAME)
    assert read(archive) == path.read_bytes()


def test_what_is_no_file(archive: Archive, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRequest):
        add_file(archive, tmp_path / "pipe", NAME)


def test_giving_up_anywhere_leaves_nothing(archive: Archive, tmp_path: Path, random: Random) -> None:
    def stop(_more: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_bytes(random.randbytes(50_000))
    with pytest.raises(KeyboardInterrupt):
        add_file(archive, path, NAME, tell=stop)
    assert list(archive.packs.folder.iterdir()) == []
    with Archive.open(archive.folder, wait_s=0) as other:
        add_file(other, path, NAME)
        assert read(other) == path.read_bytes()
