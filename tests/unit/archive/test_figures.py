"""Figures: every byte that is saved is counted once, under the means that saved it."""

from random import Random

import pytest

from allmende.archive import Archive, collect_garbage, entries_below, entry_name, figures_of, remove_entries
from allmende.archive.figures import EntryFigures
from tests.unit.archive.stores import drifted, put


def of(archive: Archive) -> dict[str, EntryFigures]:
    return {str(entry.name): entry for entry in figures_of(archive).entries}


def test_an_empty_store(archive: Archive) -> None:
    figures = figures_of(archive)
    assert (figures.logical_bytes, figures.contents, figures.entries) == (0, 0, ())
    assert figures.stored_bytes == figures.own_bytes > 0


def test_each_means(archive: Archive, random: Random) -> None:
    tensor, text = random.randbytes(30_000), random.randbytes(8000)
    base = put(archive, "base", [tensor, bytes(20_000)])
    put(archive, "copy", [tensor, bytes(20_000)])
    put(archive, "child", [drifted(tensor, random), bytes(20_000)], base=base.objects[0])
    put(archive, "text/1", [text], chunked=True)
    put(archive, "text/2", [text], tail=b"another tail")
    found = of(archive)
    assert found["base"].saved["compression"] > 19_000
    assert found["copy"].stored_bytes == 0
    assert found["copy"].saved["whole_files"] == found["copy"].logical_bytes == 50_004
    assert found["child"].saved["tensors"] == 20_000
    assert found["child"].saved["residuals"] > 29_000
    assert found["child"].stored_bytes < 1000
    assert found["text/1"].saved["chunks"] == 0
    assert found["text/2"].saved["chunks"] == 8000


def test_saved_and_stored_bytes_make_up_the_logical_ones(archive: Archive, random: Random) -> None:
    tensor = random.randbytes(30_000)
    base = put(archive, "a", [tensor])
    put(archive, "b", [drifted(tensor, random), tensor], base=base.objects[0])
    put(archive, "c", [random.randbytes(5000), tensor], chunked=True)
    put(archive, "d", [tensor])
    for name in ("a", "d"):
        remove_entries(archive, entries_below(archive, entry_name(name)))
    for entry in figures_of(archive).entries:
        assert entry.logical_bytes == entry.stored_bytes + sum(entry.saved.values())
    figures = figures_of(archive)
    assert figures.stored_bytes == sum(path.stat().st_size for path in archive.files())
    brought = sum(entry.stored_bytes for entry in figures.entries)
    assert (
        brought + figures.bases_only_bytes + figures.garbage_bytes + figures.own_bytes == figures.stored_bytes
    )
    assert figures.logical_bytes == brought + sum(figures.saved.values())
    assert figures.garbage_bytes > 0
    collect_garbage(archive)
    assert figures_of(archive).garbage_bytes == 0


def test_what_is_kept_for_others_alone(archive: Archive, random: Random) -> None:
    tensor = random.randbytes(30_000)
    base = put(archive, "base", [tensor])
    put(archive, "child", [drifted(tensor, random)], base=base.objects[0])
    assert figures_of(archive).bases_only_bytes == 0
    remove_entries(archive, entries_below(archive, entry_name("base")))
    figures = figures_of(archive)
    assert figures.bases_only_bytes == pytest.approx(30_000, abs=200)
    assert figures.deepest == 1
