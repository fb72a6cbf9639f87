"""Malicious xorbs and shards: whatever is wrong with them, they are refused as such, and in little memory."""

import contextlib
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.block
import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.xorbs import (
    MAX_CHUNK_BYTES,
    MAX_SERIALIZED_BYTES,
    MAX_SHARD_BYTES,
    MAX_XORB_BYTES,
    MAX_XORB_CHUNKS,
    Chunk,
    MalformedShard,
    MalformedXorb,
    XorbReader,
    decompress,
    read_shard,
)
from tests.unit.xorbs.client_bytes import SHARD, XORB
from tests.unit.xorbs.xet_bytes import (
    BOOKEND,
    chunk,
    compressed,
    file_records,
    footer,
    footer_v0,
    footer_v1,
    frame,
    raw_frame,
    record,
    shard,
    xorb_records,
)

MIB = 1024 * 1024
CHUNK = b"0123456789abcdef" * 64


def _read_xorb(data: bytes, step: int = 2**30) -> list[Chunk]:
    reader = XorbReader()
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return reader.finish()


def _refuses_xorb(data: bytes, match: str | None = None) -> None:
    with pytest.raises(MalformedXorb, match=match):
        _read_xorb(data)
    for step in (1, 5, 8, 13) if len(data) < 5000 else (65_537,):
        with pytest.raises(MalformedXorb, match=match):
            _read_xorb(data, step)


def _refuses_shard(data: bytes, match: str | None = None) -> None:
    with pytest.raises(MalformedShard, match=match):
        read_shard(data)


@contextlib.contextmanager
def _allocating_at_most(size_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= size_bytes


def _resident_peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


class TestCompression:
    def test_a_bomb_is_stopped_at_the_announced_size(self) -> None:
        bomb = lz4.frame.compress(bytes(64 * MIB), block_size=lz4.frame.BLOCKSIZE_MAX4MB)
        assert len(bomb) < 2 * MAX_CHUNK_BYTES + 100_000
        for scheme in (1, 2):
            with _allocating_at_most(2 * MIB), pytest.raises(MalformedXorb, match="more than"):
                decompress(scheme, bomb, MAX_CHUNK_BYTES)

    @pytest.mark.parametrize("declared", [1, len(CHUNK) - 1, len(CHUNK) + 1, 2**40, 2**63, 2**64 - 1])
    def test_a_frame_that_declares_another_size(self, declared: int) -> None:
        packed = bytearray(lz4.frame.compress(CHUNK, store_size=True))
        packed[6:14] = struct.pack("<Q", declared)
        # The header's checksum is the second byte of its xxHash, which is tried out here.
        before = _resident_peak_bytes()
        for checksum in range(256):
            packed[14] = checksum
            with pytest.raises(MalformedXorb):
                decompress(1, bytes(packed), len(CHUNK))
        assert _resident_peak_bytes() - before < 64 * MIB

    @pytest.mark.parametrize("second", [compressed(b""), compressed(CHUNK), b"\x00", bytes(8)])
    def test_what_follows_the_frame(self, second: bytes) -> None:
        for size_bytes in (len(CHUNK), 2 * len(CHUNK)):
            with pytest.raises(MalformedXorb):
                decompress(1, compressed(CHUNK) + second, size_bytes)

    def test_a_skippable_frame_before_the_frame(self) -> None:
        skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
        with pytest.raises(MalformedXorb, match="does not begin"):
            decompress(1, skippable + compressed(CHUNK), len(CHUNK))

    def test_a_skippable_frame_alone(self) -> None:
        with pytest.raises(MalformedXorb):
            decompress(1, struct.pack("<II", 0x184D2A50, 2**32 - 1), 1)

    def test_the_format_before_frames(self) -> None:
        block = lz4.block.compress(CHUNK, store_size=False)
        legacy = struct.pack("<II", 0x184C2102, len(block)) + block
        for packed in (legacy, block):
            with pytest.raises(MalformedXorb):
                decompress(1, packed, len(CHUNK))

    def test_a_frame_that_needs_a_dictionary(self) -> None:
        packed = bytearray(compressed(CHUNK))
        packed[4] |= 1
        packed[6:6] = struct.pack("<I", 7)
        for checksum in range(256):
            packed[10] = checksum
            with pytest.raises(MalformedXorb, match="dictionary"):
                decompress(1, bytes(packed), len(CHUNK))

    def test_a_block_longer_than_the_frame(self) -> None:
        packed = compressed(CHUNK)
        for length in (0x7FFFFFFF, 0xFFFFFFFF, 65_537, len(packed)):
            with _allocating_at_most(MIB), pytest.raises(MalformedXorb):
                decompress(1, packed[:7] + struct.pack("<I", length) + packed[11:], len(CHUNK))

    def test_cut_off_at_every_byte(self) -> None:
        packed = compressed(CHUNK)
        for length in range(len(packed)):
            for scheme in (1, 2):
                with pytest.raises(MalformedXorb):
                    decompress(scheme, packed[:length], len(CHUNK))

    @given(st.binary(max_size=300), st.integers(1, MAX_CHUNK_BYTES))
    def test_any_bytes(self, data: bytes, size_bytes: int) -> None:
        for packed in (data, b"\x04\x22\x4d\x18" + data, compressed(b"x")[:7] + data):
            for scheme in (1, 2):
                with pytest.raises(MalformedXorb):
                    decompress(scheme, packed, size_bytes)

    @given(st.data())
    def test_any_byte_changed(self, data: st.DataObject) -> None:
        packed = bytearray(compressed(CHUNK))
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
        with contextlib.suppress(MalformedXorb):
            assert len(decompress(1, bytes(packed), len(CHUNK))) == len(CHUNK)


class TestXorb:
    def test_cut_off_at_every_byte(self) -> None:
        boundaries = {0}
        at = 0
        while at < len(XORB):
            at += 8 + int.from_bytes(XORB[at + 1 : at + 4], "little")
            boundaries.add(at)
        for length in range(len(XORB)):
            if length not in boundaries:
                _refuses_xorb(XORB[:length], "ends")

    def test_no_chunk(self) -> None:
        with pytest.raises(MalformedXorb, match="no chunk"):
            XorbReader().finish()
        for empty in (footer_v0([], []), footer_v1([], [])):
            _refuses_xorb(empty, "no chunk")

    @pytest.mark.parametrize("version", [1, 2, 127, 255])
    def test_another_version(self, version: int) -> None:
        _refuses_xorb(raw_frame(CHUNK, len(CHUNK), 0, version), "version")

    @pytest.mark.parametrize("scheme", [3, 4, 99, 255])
    def test_another_scheme(self, scheme: int) -> None:
        _refuses_xorb(raw_frame(CHUNK, len(CHUNK), scheme), "scheme")

    @pytest.mark.parametrize("size_bytes", [0, MAX_CHUNK_BYTES + 1, 2**24 - 1])
    def test_a_chunk_of_no_or_too_many_bytes(self, size_bytes: int) -> None:
        for scheme in (0, 1, 2):
            _refuses_xorb(raw_frame(CHUNK, size_bytes, scheme), "chunk of")

    def test_a_frame_of_no_or_too_many_bytes(self) -> None:
        _refuses_xorb(b"\x00" + bytes(3) + b"\x00" + b"\x01\x00\x00", "frame of 0")
        for packed_bytes in (2 * MAX_CHUNK_BYTES + 1, 2**24 - 1):
            header = b"\x00" + packed_bytes.to_bytes(3, "little") + b"\x01" + b"\x01\x00\x00"
            # Refused from the header alone: nothing of the frame is waited for.
            with pytest.raises(MalformedXorb, match="frame of"):
                XorbReader().feed(header)

    def test_sizes_that_do_not_fit_the_bytes(self) -> None:
        for size_bytes in (len(CHUNK) - 1, len(CHUNK) + 1):
            _refuses_xorb(raw_frame(CHUNK, size_bytes, 0))
            _refuses_xorb(raw_frame(compressed(CHUNK), size_bytes, 1))

    def test_a_bomb_of_many_frames(self) -> None:
        bomb = raw_frame(compressed(bytes(MAX_CHUNK_BYTES)), MAX_CHUNK_BYTES, 1)
        reader = XorbReader()
        for _ in range(MAX_XORB_BYTES // MAX_CHUNK_BYTES):
            reader.feed(bomb)
        with pytest.raises(MalformedXorb, match="bytes unpacked"):
            reader.feed(bomb[:8])

    def test_more_chunks_than_there_may_be(self) -> None:
        _refuses_xorb(frame(b"x") * (MAX_XORB_CHUNKS + 1), "chunks")

    def test_more_bytes_than_any_xorb_has(self) -> None:
        # Frames are as long as they may be and hold one byte each, between many blocks of none.
        one = compressed(b"x")
        empty_block = struct.pack("<I", 1) + b"\x00"
        blocks = (2 * MAX_CHUNK_BYTES - len(one)) // len(empty_block)
        bloated = raw_frame(one[:-4] + empty_block * blocks + one[-4:], 1, 1)
        reader = XorbReader()
        assert [bytes(piece) for piece in reader.feed(bloated)] == [b"x"]
        with pytest.raises(MalformedXorb, match="serialized"):
            for _ in range(MAX_SERIALIZED_BYTES // len(bloated)):
                reader.feed(bloated)

    def test_a_reader_keeps_one_frame_only(self) -> None:
        data = random.Random(1).randbytes(MAX_CHUNK_BYTES)
        serialized = frame(data) * 100
        reader = XorbReader()
        with _allocating_at_most(MIB):
            for at in range(0, len(serialized), 10_000):
                reader.feed(memoryview(serialized)[at : at + 10_000])
        assert len(reader.finish()) == 100

    @given(st.binary(min_size=1, max_size=400))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            chunks = _read_xorb(data)
        except MalformedXorb:
            return
        # By chance only, and then each of the frames is a stored one.
        assert sum(8 + chunk.size_bytes for chunk in chunks) == len(data)

    @given(st.data())
    def test_any_byte_changed(self, data: st.DataObject) -> None:
        changed = bytearray(XORB)
        changed[data.draw(st.integers(0, len(XORB) - 1))] ^= data.draw(st.integers(1, 255))
        with contextlib.suppress(MalformedXorb):
            assert len(_read_xorb(bytes(changed))) == 3


class TestXorbFooter:
    FRAMES = (frame(b"first"), frame(b"the second" * 20, 1))
    CHUNKS = (chunk(b"first"), chunk(b"the second" * 20))
    SERIALIZED = b"".join(FRAMES)

    @pytest.fixture(params=[footer_v0, footer_v1], ids=["version 0", "version 1"])
    def writer(self, request: pytest.FixtureRequest) -> Callable[..., bytes]:
        writer: Callable[..., bytes] = request.param
        return writer

    def test_cut_off_at_every_byte(self, writer: Callable[..., bytes]) -> None:
        sound = writer(list(self.FRAMES), list(self.CHUNKS))
        for length in range(1, len(sound)):
            _refuses_xorb(self.SERIALIZED + sound[:length])

    def test_every_byte_changed(self, writer: Callable[..., bytes]) -> None:
        sound = writer(list(self.FRAMES), list(self.CHUNKS))
        free = range(len(sound) - 20, len(sound) - 4)
        for at in range(len(sound)):
            changed = bytearray(sound)
            changed[at] ^= 0x40
            if at in free:
                assert _read_xorb(self.SERIALIZED + changed) == list(self.CHUNKS)
            else:
                with pytest.raises(MalformedXorb):
                    _read_xorb(self.SERIALIZED + bytes(changed))

    def test_of_other_chunks(self, writer: Callable[..., bytes]) -> None:
        others = [chunk(b"other"), self.CHUNKS[1]]
        _refuses_xorb(self.SERIALIZED + writer(list(self.FRAMES), others), "agree")
        _refuses_xorb(self.SERIALIZED + writer(list(self.FRAMES), [self.CHUNKS[1], self.CHUNKS[0]]), "agree")
        _refuses_xorb(self.SERIALIZED + writer(list(self.FRAMES[:1]), list(self.CHUNKS[:1])), "fit")
        _refuses_xorb(self.SERIALIZED + writer([*self.FRAMES] * 2, [*self.CHUNKS] * 2))

    def test_with_bytes_behind_it(self, writer: Callable[..., bytes]) -> None:
        sound = writer(list(self.FRAMES), list(self.CHUNKS))
        for more in (b"\x00", frame(b"third"), sound):
            _refuses_xorb(self.SERIALIZED + sound + more)

    def test_endless(self) -> None:
        reader = XorbReader()
        reader.feed(self.SERIALIZED + b"XETBLOB\x01")
        with _allocating_at_most(2 * MIB), pytest.raises(MalformedXorb, match="follow the footer"):
            for _ in range(60):
                reader.feed(bytes(MIB))

    def test_of_a_count_beyond_everything(self) -> None:
        for count in (2**31, 2**32 - 1):
            v0 = b"XETBLOB\x00" + bytes(32) + struct.pack("<I", count)
            v1 = b"XETBLOB\x01" + bytes(32) + b"XBLBHSH\x00" + struct.pack("<I", count)
            for claimed in (v0, v1):
                with _allocating_at_most(MIB):
                    _refuses_xorb(self.SERIALIZED + claimed)

    @pytest.mark.parametrize("version", [2, 65, 255])
    def test_another_version(self, version: int) -> None:
        _refuses_xorb(self.SERIALIZED + b"XETBLOB" + bytes([version]) + bytes(100), "version")


RAW = b"\x01" * 32
FILE = file_records(b"\x02" * 32, [(RAW, 5, 0, 1)], [b"\x03" * 32], b"\x04" * 32)
XORB_ENTRY = xorb_records(RAW, [chunk(b"first"), chunk(b"second")])


class TestShard:
    def test_the_base_is_sound(self) -> None:
        assert len(read_shard(shard(FILE, XORB_ENTRY)).files) == 1

    def test_cut_off_at_every_byte(self) -> None:
        for sound in (SHARD, shard(FILE, XORB_ENTRY, footer_bytes=200) + footer(FILE, XORB_ENTRY)):
            for length in range(len(sound)):
                _refuses_shard(sound[:length])

    @pytest.mark.parametrize("more", [b"\x00", bytes(48), BOOKEND, bytes(200)])
    def test_bytes_behind_it(self, more: bytes) -> None:
        _refuses_shard(SHARD + more, "follow")
        _refuses_shard(shard(FILE, XORB_ENTRY, footer_bytes=200) + more + footer(FILE, XORB_ENTRY))
        _refuses_shard(shard(FILE, XORB_ENTRY, footer_bytes=200) + footer(FILE, XORB_ENTRY) + more)

    def test_larger_than_any(self) -> None:
        _refuses_shard(bytes(MAX_SHARD_BYTES + 1), "at most")

    def test_another_tag_or_version(self) -> None:
        for at in range(32):
            changed = bytearray(SHARD)
            changed[at] ^= 1
            _refuses_shard(bytes(changed), "begin like")
        for version in (0, 1, 3, 2**64 - 1):
            _refuses_shard(shard(FILE, XORB_ENTRY, version=version), "version")

    @pytest.mark.parametrize("footer_bytes", [1, 199, 201, 2**32, 2**64 - 1])
    def test_another_length_of_footer(self, footer_bytes: int) -> None:
        _refuses_shard(shard(FILE, XORB_ENTRY, footer_bytes=footer_bytes) + bytes(200), "footer")

    def test_a_section_without_an_end(self) -> None:
        sound = shard(FILE, XORB_ENTRY)
        assert sound.endswith(BOOKEND)
        _refuses_shard(sound[:-48], "ends inside")
        _refuses_shard(sound[: 48 + len(FILE)], "ends inside")
        _refuses_shard(sound.replace(BOOKEND, b"", 1))

    @pytest.mark.parametrize("count", [3, 1000, 2**31, 2**32 - 1])
    def test_counts_beyond_the_bytes_that_are_left(self, count: int) -> None:
        flags = 0b11 << 30
        with _allocating_at_most(MIB):
            _refuses_shard(shard(record(RAW, flags, count) + FILE[48:], XORB_ENTRY))
            _refuses_shard(shard(FILE, record(RAW, 0, count) + XORB_ENTRY[48:]))
            _refuses_shard(shard(b"", record(RAW, 0, count)))

    @pytest.mark.parametrize("flags", [1, 1 << 29, 1 << 31 | 1])
    def test_flags_that_nobody_knows(self, flags: int) -> None:
        _refuses_shard(shard(record(RAW, flags, 0), b""), "flags")

    @pytest.mark.parametrize(
        ("first", "end"), [(0, 0), (1, 1), (2, 1), (0, 8193), (2**32 - 1, 0), (0, 2**32 - 1)]
    )
    def test_a_term_without_chunks_or_beyond_a_xorb(self, first: int, end: int) -> None:
        _refuses_shard(shard(file_records(RAW, [(RAW, 5, first, end)], [RAW]), b""), "range")

    @pytest.mark.parametrize("size_bytes", [0, 1, 2 * MAX_CHUNK_BYTES + 1, 2**32 - 1])
    def test_a_term_whose_size_cannot_be(self, size_bytes: int) -> None:
        _refuses_shard(shard(file_records(RAW, [(RAW, size_bytes, 0, 2)], [RAW]), b""), "term of 2")

    def test_a_term_larger_than_a_xorb(self) -> None:
        _refuses_shard(shard(file_records(RAW, [(RAW, MAX_XORB_BYTES + 1, 0, 8192)], [RAW]), b""), "term of")

    def test_a_file_without_range_hashes(self) -> None:
        _refuses_shard(shard(file_records(RAW, [(RAW, 5, 0, 1)], None, RAW), b""), "range hashes")

    def test_a_file_with_too_few_range_hashes(self) -> None:
        _refuses_shard(shard(file_records(RAW, [(RAW, 5, 0, 1)] * 2, [RAW]), b""))

    def test_the_hash_of_the_empty_file_and_only_that_has_no_terms(self) -> None:
        _refuses_shard(shard(file_records(RAW, [], []), b""), "empty file")
        _refuses_shard(shard(file_records(bytes(32), [(RAW, 5, 0, 1)], [RAW]), b""), "empty file")

    @pytest.mark.parametrize("count", [0, MAX_XORB_CHUNKS + 1])
    def test_a_xorb_of_no_or_too_many_chunks(self, count: int) -> None:
        chunks = [chunk(b"x")] * count
        _refuses_shard(shard(b"", xorb_records(RAW, chunks)), "chunks")

    @pytest.mark.parametrize("size_bytes", [0, MAX_CHUNK_BYTES + 1, 2**32 - 1])
    def test_a_chunk_of_no_or_too_many_bytes(self, size_bytes: int) -> None:
        entry = record(RAW, 0, 1) + record(RAW, 0, size_bytes)
        _refuses_shard(shard(b"", XORB_ENTRY + entry), "chunk of a xorb")

    @pytest.mark.parametrize("begins", [(1, 6), (0, 4), (0, 6), (0, 0), (5, 0), (2**32 - 5, 0)])
    def test_chunks_that_do_not_follow_each_other(self, begins: tuple[int, int]) -> None:
        entry = record(RAW, 0, 2) + b"".join(record(RAW, begin, 5) for begin in begins)
        _refuses_shard(shard(b"", entry), "begin where")
        _refuses_shard(shard(b"", XORB_ENTRY + entry + XORB_ENTRY), "begin where")

    def test_a_xorb_of_too_many_bytes(self) -> None:
        chunks = [Chunk(RAW, MAX_CHUNK_BYTES)] * (MAX_XORB_BYTES // MAX_CHUNK_BYTES)
        assert read_shard(shard(b"", xorb_records(RAW, chunks))).xorbs[0].chunks() == chunks
        _refuses_shard(shard(b"", xorb_records(RAW, [*chunks, Chunk(RAW, 1)])), "more than")

    def test_a_million_entries_stay_packed(self) -> None:
        entry = xorb_records(RAW, [chunk(b"x")] * MAX_XORB_CHUNKS)
        data = shard(b"", entry * 100)
        with _allocating_at_most(len(data)):
            found = read_shard(data)
        assert sum(xorb.chunk_count for xorb in found.xorbs) == 100 * MAX_XORB_CHUNKS

    @settings(max_examples=300)
    @given(st.data())
    def test_any_byte_changed(self, data: st.DataObject) -> None:
        sound = shard(FILE, XORB_ENTRY, footer_bytes=200) + footer(FILE, XORB_ENTRY)
        changed = bytearray(data.draw(st.sampled_from([SHARD, sound])))
        for _ in range(data.draw(st.integers(1, 3))):
            changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        with contextlib.suppress(MalformedShard):
            found = read_shard(bytes(changed))
            assert all(xorb.chunk_count == len(xorb.chunks()) for xorb in found.xorbs)

    @given(st.binary(max_size=500))
    def test_any_bytes(self, data: bytes) -> None:
        _refuses_shard(data)
        for sound in (shard(b"", b"")[:48], shard(b"", b"", footer_bytes=200)[:48]):
            _refuses_shard(sound + data.replace(b"\xff", b"\x00"))


class TestShardFooter:
    WHOLE = shard(FILE, XORB_ENTRY, footer_bytes=200)

    @pytest.mark.parametrize("version", [0, 2, 2**64 - 1])
    def test_another_version(self, version: int) -> None:
        _refuses_shard(self.WHOLE + footer(FILE, XORB_ENTRY, version=version), "version")

    @pytest.mark.parametrize("shift", [-48, 48, 1, 2**40])
    def test_sections_elsewhere(self, shift: int) -> None:
        _refuses_shard(self.WHOLE + footer(FILE, XORB_ENTRY, shift=shift), "sections begin")

    def test_hashes_under_a_key(self) -> None:
        _refuses_shard(self.WHOLE + footer(FILE, XORB_ENTRY, key=b"\x01" + bytes(31)), "key")

    @pytest.mark.parametrize(
        "lookups", [(2, 0, 0), (0, 2, 0), (0, 0, 1), (2**60, 2**60, 2**60), (0, 0, 2**63)]
    )
    def test_tables_of_another_length(self, lookups: tuple[int, int, int]) -> None:
        claimed = footer(FILE, XORB_ENTRY)
        numbers = list(struct.unpack_from("<9Q", claimed))
        numbers[4], numbers[6], numbers[8] = lookups
        _refuses_shard(self.WHOLE + struct.pack("<9Q", *numbers) + claimed[72:], "table")

    def test_tables_elsewhere(self) -> None:
        sound = footer(FILE, XORB_ENTRY, lookups=(1, 1, 2))
        tables = bytes(12 + 12 + 32)
        assert len(read_shard(self.WHOLE + tables + sound).files) == 1
        for field in (3, 5, 7):
            numbers = list(struct.unpack_from("<9Q", sound))
            numbers[field] += 4
            _refuses_shard(self.WHOLE + tables + struct.pack("<9Q", *numbers) + sound[72:], "table")

    def test_a_gap_before_it(self) -> None:
        sound = bytearray(footer(FILE, XORB_ENTRY))
        sound[192:200] = struct.pack("<Q", len(self.WHOLE) + 16)
        _refuses_shard(self.WHOLE + bytes(16) + bytes(sound), "between")
