"""Several encodings of one object in one store: when one is damaged the other gives the bytes."""

import os
from pathlib import Path

from allmende.archive import Archive, add_file, check_archive, collect_garbage, entry_name, open_content
from allmende.archive.pack_files import PackPart
from allmende.codecs import ObjectId
from allmende.packing import reencode
from tests.integration.archive.training import write_run


def encodings(archive: Archive, object_id: ObjectId) -> list[tuple[int, int, int, str | None]]:
    """Pack, start, size and problem of each, the preferred first."""
    with archive.database.read() as connection:
        rows: list[tuple[int, int, int, str | None]] = connection.execute(
            "SELECT pack, start, encoding.size_bytes, problem FROM encoding"
            " JOIN object ON object.number = encoding.object WHERE object.id = ?"
            " ORDER BY problem IS NOT NULL, encoding.size_bytes",
            [object_id],
        ).fetchall()
    return rows


def a_predicted_object(archive: Archive) -> ObjectId:
    with archive.database.read() as connection:
        row = connection.execute(
            "SELECT object.id FROM object JOIN encoding ON encoding.object = object.number"
            " JOIN base ON base.encoding = encoding.number ORDER BY object.size_bytes DESC LIMIT 1"
        ).fetchone()
    return ObjectId(row[0])


def flip_in_the_middle(archive: Archive, object_id: ObjectId, number: int) -> None:
    part = archive.shelf.encodings(object_id)[number]
    assert isinstance(part, PackPart)
    pack, start, size_bytes, _ = encodings(archive, object_id)[number]
    descriptor = os.open(archive.packs.path(pack), os.O_RDWR)
    byte = os.pread(descriptor, 1, start + size_bytes - 1)[0]
    os.pwrite(descriptor, bytes([byte ^ 1]), start + size_bytes - 1)
    os.close(descriptor)


def test_of_two_encodings_of_one_object_either_may_be_damaged(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "store") as archive:
        paths = write_run(tmp_path / "run", 3)
        added = {path: add_file(archive, path, entry_name(str(path.relative_to(tmp_path)))) for path in paths}
        object_id = a_predicted_object(archive)
        intake = archive.intake()
        intake.add(reencode(archive.shelf, object_id))
        # Until the commit only the older one is there.
        assert len(encodings(archive, object_id)) == 1
        intake.commit(None)
        first, second = encodings(archive, object_id)
        assert first[2] < second[2]

        flip_in_the_middle(archive, object_id, 0)
        for path, one in added.items():
            assert open_content(archive, one.sha256).read() == path.read_bytes()
        sound, damaged = encodings(archive, object_id)
        assert (sound[:3], sound[3]) == (second[:3], None)
        assert damaged[:3] == first[:3]
        assert damaged[3]
        # The damage is told of, and goes with the garbage.
        assert not check_archive(archive, deep=True).sound


def test_a_second_encoding_that_is_damaged_harms_nobody(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "store") as archive:
        paths = write_run(tmp_path / "run", 3)
        added = {path: add_file(archive, path, entry_name(str(path.relative_to(tmp_path)))) for path in paths}
        object_id = a_predicted_object(archive)
        intake = archive.intake()
        intake.add(reencode(archive.shelf, object_id))
        intake.commit(None)
        flip_in_the_middle(archive, object_id, 1)
        for path, one in added.items():
            assert open_content(archive, one.sha256).read() == path.read_bytes()
        assert all(problem is None for *_, problem in encodings(archive, object_id))
        assert not check_archive(archive, deep=True).sound
        collect_garbage(archive)
