"""Random access to bytes, to parts of them, and to what was unpacked."""

import io

import pytest

from allmende.scan.source import Source, gathered

DATA = bytes(range(256))


class TestReading:
    @pytest.mark.parametrize(
        ("offset", "count", "expected"),
        [(0, 3, DATA[:3]), (250, 100, DATA[250:]), (256, 1, b""), (300, 1, b""), (-1, 5, b""), (5, 0, b"")],
    )
    def test_reads_what_is_there(self, offset: int, count: int, expected: bytes) -> None:
        assert Source.of_bytes(DATA).read_at(offset, count) == expected

    def test_says_that_the_file_has_become_shorter(self) -> None:
        with pytest.raises(EOFError):
            Source(io.BytesIO(b"abc"), 10).read_at(0, 5)

    def test_refuses_to_read_too_much_at_once(self) -> None:
        with pytest.raises(ValueError, match="more than 10"):
            Source.of_bytes(DATA).read_all(10)


class TestWindows:
    def test_a_window_is_cut_to_what_is_there(self) -> None:
        window = Source.of_bytes(DATA).window(10, 20).window(15, 100)
        assert (window.size_bytes, window.read_at(0, 100)) == (5, DATA[25:30])
        assert window.place == (25, 5)

    @pytest.mark.parametrize(("offset", "size"), [(300, 5), (5, -1), (-5, 0)])
    def test_an_impossible_window_is_empty(self, offset: int, size: int) -> None:
        assert Source.of_bytes(DATA).window(offset, size).size_bytes == 0

    def test_streams_do_not_disturb_each_other(self) -> None:
        source = Source.of_bytes(DATA).window(1, 100)
        one, other = source.stream(), source.stream(50)
        assert (one.read(2), other.read(2), one.read(2)) == (DATA[1:3], DATA[51:53], DATA[3:5])
        assert one.seek(-1, io.SEEK_END) == 99
        assert one.read() == DATA[100:101]


class TestGathering:
    @pytest.mark.parametrize("pieces", [0, 3, 20])
    def test_small_and_large_alike(self, pieces: int) -> None:
        source = gathered(bytes([number]) * 1024 * 1024 for number in range(pieces))
        assert source.size_bytes == pieces * 1024 * 1024
        for number in range(pieces):
            assert source.read_at(number * 1024 * 1024, 2) == bytes([number]) * 2
