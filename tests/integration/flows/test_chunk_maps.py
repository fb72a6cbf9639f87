"""How contents are cut into chunks: by the job for what came otherwise, and recorded in several steps."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from allmende.flows import Services
from allmende.flows.chunk_maps import chunk_contents, record_chunk_map
from allmende.flows.xet_reading import reconstruct
from allmende.ids import Sha256
from allmende.jobs import JobContext, JobInterrupted
from allmende.registry import Actor
from allmende.storage import (
    Database,
    LocalContentStore,
    add_content,
    find_content,
    find_xet_file,
    forget_content,
    metadata,
    numbered_xorbs,
    xet_hashes_of,
)
from allmende.xorbs import Chunk, file_hash, to_hex, unpack_chunks
from tests.integration.flows.conftest import RunJobs
from tests.xet_forge import File, Xorb, file_of, pieces

Upload = Callable[[Actor, bytes], Sha256]
DATA = random.Random(5).randbytes(1_000_000)


def cut(database: Database, sha256: Sha256) -> list[Chunk]:
    with database.read() as uow:
        (xet_hash,) = xet_hashes_of(uow, [sha256]).values()
        xorbs = numbered_xorbs(uow, xet_hash, 0, 1000)
    return [chunk for xorb in xorbs for chunk in unpack_chunks(xorb.chunks)]


def test_the_job_cuts_what_is_not_cut(
    services: Services, database: Database, context: JobContext, upload: Upload, alice: Actor
) -> None:
    known = [upload(alice, data) for data in (DATA, b"small", bytes(500_000), b"")]
    chunk_contents(services, context)
    with database.read() as uow:
        assert set(xet_hashes_of(uow, known)) == set(known[:3])
    chunks = cut(database, known[0])
    assert sum(chunk.size_bytes for chunk in chunks) == len(DATA)
    assert len(chunks) > 5
    with database.read() as uow:
        (xet_hash,) = xet_hashes_of(uow, known[:1]).values()
    assert to_hex(file_hash(chunks)) == xet_hash


def test_the_job_is_what_real_clients_do(
    services: Services, database: Database, context: JobContext, upload: Upload, alice: Actor, tmp_path
) -> None:
    import hf_xet  # type: ignore[import-untyped]

    source = random.Random(6)
    files = {
        "random": DATA,
        "zeros": bytes(700_001),
        "text": b"".join(b"line %d of a text that repeats\n" % (number % 997) for number in range(40_000)),
        "one byte": b"x",
        "one chunk at most": source.randbytes(8192),
        "mixed": source.randbytes(300_000) + bytes(300_000) + source.randbytes(300_000),
    }
    paths = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        paths.append(str(tmp_path / name))
    hashes = {name: upload(alice, data) for name, data in files.items()}
    chunk_contents(services, context)
    with database.read() as uow:
        found = xet_hashes_of(uow, hashes.values())
    said = [info.hash for info in hf_xet.hash_files(paths)]
    assert said == [found[hashes[name]] for name in files]


def test_a_repeat_does_nothing(
    services: Services, database: Database, context: JobContext, upload: Upload, alice: Actor
) -> None:
    upload(alice, DATA)
    chunk_contents(services, context)

    class Untouched(LocalContentStore):
        def open_read(self, location: str):
            raise AssertionError("it was read again")

    assert isinstance(services.contents, LocalContentStore)
    chunk_contents(replace(services, contents=Untouched(services.contents.root)), context)


def test_a_content_whose_bytes_are_missing_does_not_stop_the_others(
    services: Services,
    database: Database,
    context: JobContext,
    upload: Upload,
    alice: Actor,
    contents: LocalContentStore,
) -> None:
    hashes = sorted(upload(alice, b"%d" % number * 100) for number in range(3))
    with database.read() as uow:
        lost = find_content(uow, hashes[0])
    assert lost is not None
    contents.delete(lost.location)
    chunk_contents(services, context)
    with database.read() as uow:
        assert set(xet_hashes_of(uow, hashes)) == set(hashes[1:])


def test_many_contents_are_cut_page_by_page(
    services: Services,
    database: Database,
    context: JobContext,
    upload: Upload,
    alice: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allmende.flows.chunk_maps._PAGE", 3)
    hashes = [upload(alice, b"%d" % number) for number in range(10)]
    chunk_contents(services, context)
    with database.read() as uow:
        assert set(xet_hashes_of(uow, hashes)) == set(hashes)


def test_a_job_that_is_stopped_goes_on_later(
    services: Services,
    database: Database,
    context: JobContext,
    upload: Upload,
    alice: Actor,
    run_jobs: RunJobs,
) -> None:
    hashes = sorted(upload(alice, b"%d" % number) for number in range(4))

    class Stopping:
        payload: Mapping[str, str] = {}
        left = 5

        def checkpoint(self) -> None:
            self.left -= 1
            if not self.left:
                raise JobInterrupted

        def progress(self, *_said: object) -> None:
            pass

    with pytest.raises(JobInterrupted):
        chunk_contents(services, Stopping())  # type: ignore[arg-type]
    with database.read() as uow:
        done = xet_hashes_of(uow, hashes)
    assert 0 < len(done) < 4
    chunk_contents(services, context)
    with database.read() as uow:
        assert set(xet_hashes_of(uow, hashes)) == set(hashes)


def test_a_content_that_was_uploaded_by_xet_is_not_cut_again(
    services: Services, database: Database, context: JobContext, upload: Upload, alice: Actor
) -> None:
    file = file_of(Xorb(pieces(1, 5)))
    upload(alice, file.data)
    record_chunk_map(services, file.name, file.sha256, file.chunks)
    chunk_contents(services, context)
    with database.read() as uow:
        assert uow.all(_count("xet_file"))[0][0] == 1


def _count(table: str):
    return select(func.count()).select_from(metadata.tables[table])


def many(xorbs: int) -> list[Chunk]:
    """Chunks of a file of so many xorbs of 64 MiB: it would be too large to make, and need not be there."""
    return [Chunk(number.to_bytes(32, "big"), 128 * 1024) for number in range(512 * xorbs)]


def test_a_map_of_many_xorbs_is_whole(services: Services, database: Database) -> None:
    chunks = many(130)
    sha256 = Sha256("ab" * 32)
    with database.write() as uow:
        add_content(uow, sha256, 1, "x")
    xet_hash = to_hex(file_hash(chunks))
    record_chunk_map(services, xet_hash, sha256, iter(chunks))
    assert cut(database, sha256) == chunks
    with database.read() as uow:
        file = find_xet_file(uow, xet_hash)
        assert file is not None
        _skipped, terms = reconstruct(uow, file, 0, 130 * 2**26)
    assert [term.chunks.number for term in terms] == list(range(130))


def test_a_content_that_goes_and_comes_back_meanwhile_leaves_no_file_with_a_hole(
    services: Services, database: Database
) -> None:
    """Collected and uploaded again while its map is recorded: what was recorded before went with it."""
    chunks = many(130)
    sha256 = Sha256("ab" * 32)
    with database.write() as uow:
        add_content(uow, sha256, 1, "x")

    def racing() -> Iterator[Chunk]:
        for number, chunk in enumerate(chunks):
            if number == 512 * 100:
                with database.write() as uow:
                    forget_content(uow, sha256)
                with database.write() as uow:
                    add_content(uow, sha256, 1, "x")
            yield chunk

    xet_hash = to_hex(file_hash(chunks))
    record_chunk_map(services, xet_hash, sha256, racing())
    with database.read() as uow:
        file = find_xet_file(uow, xet_hash)
        xorbs = numbered_xorbs(uow, xet_hash, 0, 1000)
    assert file is None or [xorb.number for xorb in xorbs] == list(range(130))
    record_chunk_map(services, xet_hash, sha256, iter(chunks))
    assert cut(database, sha256) == chunks


def test_the_map_of_a_content_that_is_gone_is_not_recorded(services: Services, database: Database) -> None:
    file: File = file_of(Xorb(pieces(1, 5)))
    record_chunk_map(services, file.name, file.sha256, file.chunks)
    with database.read() as uow:
        assert find_xet_file(uow, file.name) is None


def test_bytes_that_have_changed_in_the_store_are_not_cut(
    services: Services,
    database: Database,
    contents: LocalContentStore,
    context: JobContext,
    upload: Upload,
    alice: Actor,
) -> None:
    """Else clients would be told of the wrong bytes, and would be given them without noticing."""
    sha256 = upload(alice, DATA)
    with database.read() as uow:
        found = find_content(uow, sha256)
    assert found is not None
    path = contents.root / found.location
    path.write_bytes(DATA[:500_000] + b"?" + DATA[500_001:])
    chunk_contents(services, context)
    with database.read() as uow:
        assert xet_hashes_of(uow, [sha256]) == {}
        damaged = find_content(uow, sha256)
    assert damaged is not None
    assert damaged.damaged is not None
    upload(alice, DATA)
    chunk_contents(services, context)
    assert sum(chunk.size_bytes for chunk in cut(database, sha256)) == len(DATA)
