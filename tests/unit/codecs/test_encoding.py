"""Encodings come back whole and in part, and whatever is changed in one is found out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from allmende.codecs import (
    BLOCK_WORDS,
    BytesPlain,
    DamagedObject,
    Decoding,
    Effort,
    EncodedReader,
    KeptHeads,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    Piece,
    Plain,
    Prediction,
    PredictionImpossible,
    Predictor,
    Source,
    WordType,
    estimate,
    object_id,
    rans_numpy,
    read_head,
    word_type,
    write_encoding,
)
from allmende.codecs import decoding as decoding_module
from allmende.codecs.outputs import Words
from allmende.codecs.rans import Coder
from allmende.codecs.steps import Load
from tests.unit.codecs.weights_like import drifted

F32, BF16, U8 = (word_type(name) for name in ("F32", "BF16", "U8"))


class Counted(BytesPlain):
    """Bytes that say how many were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read = 0

    def read_at(self, start: int, count: int) -> memoryview:
        self.read += count
        return super().read_at(start, count)


def nothing(missing: ObjectId) -> Plain:
    raise ObjectMissing(f"{missing} is not here.")


def same_as(base: bytes, words: WordType) -> Prediction:
    """The prediction that nothing changed."""
    source = Source((Piece(object_id(base), 0, len(base)),), words.name)
    return Prediction((source,), (Load(0),), Words(words.name))


def shelf(*objects: bytes) -> Callable[[ObjectId], Plain]:
    known = {object_id(data): BytesPlain(data) for data in objects}
    return known.__getitem__


def stored(plain: bytes, words: WordType, base: bytes | None = None) -> bytes:
    prediction = None if base is None else same_as(base, words)
    encoded = write_encoding(BytesPlain(plain), words, prediction, shelf(*[base] if base else []))
    made = b"".join(encoded.parts)
    assert encoded.size_bytes == len(made)
    assert encoded.object_id == object_id(plain)
    assert encoded.plain_bytes == len(plain)
    assert encoded.parents == (frozenset() if base is None else {object_id(base)})
    return made


@pytest.mark.parametrize("words", [F32, BF16, U8], ids=lambda words: words.name)
@pytest.mark.parametrize("count", [1, 1000, BLOCK_WORDS, BLOCK_WORDS + 1, 2 * BLOCK_WORDS + 77])
def test_an_encoding_comes_back_whole_and_in_part(words: WordType, count: int) -> None:
    base, plain = drifted(words, count, 1e-4)
    for encoded in (stored(plain, words), stored(plain, words, base)):
        reader = EncodedReader(BytesPlain(encoded), shelf(base))
        assert reader.size_bytes == len(plain)
        assert reader.object_id == object_id(plain)
        assert reader.read_at(0, len(plain)) == plain
        random = np.random.default_rng(count)
        for _ in range(20):
            start = int(random.integers(len(plain)))
            some = int(random.integers(len(plain) - start + 1))
            assert reader.read_at(start, some) == plain[start : start + some]
        assert len(reader.read_at(len(plain), 0)) == 0


def test_the_head_says_what_is_needed() -> None:
    base, plain = drifted(BF16, 1000, 1e-4)
    head = read_head(BytesPlain(stored(plain, BF16, base)))
    assert (head.object_id, head.plain_bytes, head.words) == (object_id(plain), len(plain), BF16)
    assert head.parents == {object_id(base)}
    assert read_head(BytesPlain(stored(plain, BF16))).parents == frozenset()


def test_bytes_that_are_no_whole_words_are_coded_as_bytes() -> None:
    plain = b"seven by" * 1000 + b"tes"
    encoded = stored(plain, F32)
    assert len(encoded) < 300
    assert EncodedReader(BytesPlain(encoded), nothing).read_at(5, 7000) == plain[5:7005]


def test_reading_a_little_decodes_a_little() -> None:
    base, plain = drifted(BF16, 4 * BLOCK_WORDS, 1e-2)
    kept = Counted(stored(plain, BF16, base))
    sources = Counted(base)
    reader = EncodedReader(kept, lambda _: sources)
    kept.read = 0
    assert reader.read_at(300_000, 10) == plain[300_000:300_010]
    assert kept.read < kept.size_bytes / 3
    assert sources.read == 2 * BLOCK_WORDS
    again = kept.read
    reader.read_at(300_100, 10)
    assert kept.read == again


def cast_of(base: bytes) -> Prediction:
    """The prediction that words of F32 were rounded to BF16."""
    return Prediction((Source((Piece(object_id(base), 0, len(base)),), "F32"),), (Load(0),), Words("BF16"))


class Opened:
    """Encodings by their objects, each opened once; what others rest on is read by readers as well."""

    def __init__(self, *encodings: bytes, verify: bool) -> None:
        known = (read_head(BytesPlain(one)).object_id for one in encodings)
        self.stored = dict[ObjectId, bytes | bytearray](zip(known, encodings, strict=True))
        self._verify = verify
        self._readers: dict[ObjectId, EncodedReader] = {}

    def __call__(self, name: ObjectId) -> EncodedReader:
        if name not in self._readers:
            stored = BytesPlain(self.stored[name])
            self._readers[name] = EncodedReader(stored, self, verify=self._verify)
        return self._readers[name]


def three_levels(count: int) -> tuple[bytes, list[bytes]]:
    """A fine-tune of what was rounded from a root, and the encodings of all three, the root's first."""
    root, _ = drifted(F32, count, 1e-3)
    plain, resolve = [root], shelf(root)
    rounded = bytes(Predictor(cast_of(root), resolve).read_at(0, len(root) // 2))
    drift = np.random.default_rng(count).integers(-3, 4, count).astype("<u2")
    plain += [rounded, (np.frombuffer(rounded, "<u2") + drift).tobytes()]
    predictions = [None, cast_of(root), same_as(rounded, BF16)]
    made = [
        b"".join(write_encoding(BytesPlain(one), words, prediction, shelf(*plain)).parts)
        for one, words, prediction in zip(plain, (F32, BF16, BF16), predictions, strict=True)
    ]
    return plain[-1], made


@pytest.mark.parametrize("coder", [None, rans_numpy], ids=["C", "numpy"])
@pytest.mark.parametrize("count", [3 * BLOCK_WORDS + 77, 20])
def test_all_levels_are_decoded_together(
    coder: Coder | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, encodings = three_levels(count)
    if coder is not None:
        monkeypatch.setattr(decoding_module, "coder", coder)
    top = EncodedReader(BytesPlain(encodings[-1]), Opened(*encodings, verify=False))
    random = np.random.default_rng(4)
    places = [(0, len(plain)), (0, len(plain) // 2), (min(2 * BLOCK_WORDS, len(plain)) - 2, 2)]
    for _ in range(8):
        start = int(random.integers(len(plain)))
        places.append((start, int(random.integers(len(plain) - start + 1))))
    for start, some in places:
        assert top.read_at(start, some) == plain[start : start + some]
        found = memoryview(bytearray(some))
        top.read_into(found, start)
        assert found == plain[start : start + some]


@pytest.mark.parametrize("verify", [False, True])
def test_what_is_filled_later_is_there_when_all_is_carried_out(verify: bool) -> None:
    plain, encodings = three_levels(2 * BLOCK_WORDS + 5)
    reader = EncodedReader(BytesPlain(encodings[-1]), Opened(*encodings, verify=verify), verify=verify)
    found, decoding = memoryview(bytearray(len(plain))), Decoding()
    for start, end in ((0, 100), (100, 2 * BLOCK_WORDS), (2 * BLOCK_WORDS, len(plain))):
        reader.fill(found[start:end], start, decoding)
    decoding.carry_out()
    assert found == plain
    for start, count in ((-1, 2), (len(plain) - 1, 2)):
        with pytest.raises(DamagedObject):
            reader.fill(memoryview(bytearray(count)), start, decoding)
        with pytest.raises(DamagedObject):
            reader.read_into(memoryview(bytearray(count)), start)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_whatever_changed_below_no_wrong_bytes_are_given(level: int) -> None:
    plain, encodings = three_levels(300)
    name, given = read_head(BytesPlain(encodings[level])).object_id, 0
    for place in range(0, len(encodings[level]), 3):
        changed = bytearray(encodings[level])
        changed[place] ^= 128
        objects = Opened(*encodings, verify=False)
        objects.stored[name] = changed
        with suppress(MalformedEncoding, DamagedObject):
            reader = EncodedReader(BytesPlain(objects.stored[object_id(plain)]), objects)
            assert reader.read_at(0, len(plain)) == plain
            given += 1
    # Rounding drops what differs in the last bits of the root.
    assert given == 0 if level else given > 0


def test_heads_are_kept_within_a_bound() -> None:
    base, plain = drifted(BF16, 300, 1e-4)
    sources = [Counted(stored(plain, BF16, base)) for _ in range(5)]
    kept = KeptHeads(most_units=12)
    for number in (0, 1, 0, 0, 1):
        assert kept.head(number, sources[number]).plain_bytes == len(plain)
    read = [one.read for one in sources]
    assert read[0] == read[1] > 0
    for number in (2, 3, 4):
        kept.head(number, sources[number])
    kept.head(4, sources[4])
    assert sources[4].read == read[0]
    kept.head(0, sources[0])
    assert sources[0].read == 2 * read[0]
    with pytest.raises(MalformedEncoding):
        kept.head("elsewhere", BytesPlain(b"no encoding"))


def test_several_threads_may_read() -> None:
    base, plain = drifted(BF16, 5 * BLOCK_WORDS, 1e-3)
    reader = EncodedReader(BytesPlain(stored(plain, BF16, base)), shelf(base))
    starts = np.random.default_rng(1).integers(len(plain) - 300_000, size=40).tolist()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda start: bytes(reader.read_at(start, 300_000)), starts))
    assert found == [plain[start : start + 300_000] for start in starts]


@pytest.mark.parametrize(("start", "count"), [(-1, 5), (0, 4001), (4000, 1), (5, -1)])
def test_reading_beyond_the_end_is_refused(start: int, count: int) -> None:
    reader = EncodedReader(BytesPlain(stored(bytes(range(200)) * 20, U8)), nothing)
    with pytest.raises(DamagedObject):
        reader.read_at(start, count)


@pytest.mark.parametrize("with_base", [False, True], ids=["alone", "predicted"])
def test_every_changed_byte_is_found(with_base: bool) -> None:
    base, plain = drifted(BF16, 300, 1e-4)
    encoded = stored(plain, BF16, base if with_base else None)
    for place in range(len(encoded)):
        for flip in (1, 128, 255):
            changed = bytearray(encoded)
            changed[place] ^= flip
            with pytest.raises((MalformedEncoding, DamagedObject)):
                EncodedReader(BytesPlain(changed), shelf(base)).read_at(0, len(plain))


def test_every_cut_is_found() -> None:
    _, plain = drifted(BF16, 300, 1e-4)
    encoded = stored(plain, BF16)
    for length in range(len(encoded)):
        with pytest.raises(MalformedEncoding):
            EncodedReader(BytesPlain(encoded[:length]), nothing)
    with pytest.raises(MalformedEncoding):
        EncodedReader(BytesPlain(encoded + b"\0"), nothing)


def test_another_source_is_found_out() -> None:
    base, plain = drifted(BF16, 3000, 1e-4)
    other = bytearray(base)
    other[100] ^= 1
    reader = EncodedReader(BytesPlain(stored(plain, BF16, base)), lambda _: BytesPlain(other))
    with pytest.raises(DamagedObject):
        reader.read_at(0, len(plain))


def test_a_missing_source_is_said_to_be_missing() -> None:
    base, plain = drifted(BF16, 3000, 1e-4)
    reader = EncodedReader(BytesPlain(stored(plain, BF16, base)), nothing)
    with pytest.raises(ObjectMissing):
        reader.read_at(0, 5)


def test_an_object_is_neither_empty_nor_too_large() -> None:
    class Huge(BytesPlain):
        size_bytes = 1 << 40

        def __init__(self) -> None:
            """Nothing is ever read from it."""

    for plain in (BytesPlain(b""), Huge()):
        with pytest.raises(MalformedEncoding, match="An object has"):
            write_encoding(plain, U8, None, nothing)


def test_a_prediction_of_another_length_is_refused() -> None:
    base, _ = drifted(BF16, 100, 1e-4)
    with pytest.raises(PredictionImpossible):
        write_encoding(BytesPlain(bytes(300)), BF16, same_as(base, BF16), shelf(base))
    with pytest.raises(PredictionImpossible):
        estimate(BytesPlain(bytes(300)), BF16, BytesPlain(base))


@pytest.mark.parametrize("words", [F32, BF16], ids=lambda words: words.name)
@pytest.mark.parametrize("with_base", [False, True], ids=["alone", "predicted"])
@pytest.mark.parametrize("count", [500, 6 * BLOCK_WORDS])
def test_an_estimate_is_near(words: WordType, with_base: bool, count: int) -> None:
    base, plain = drifted(words, count, 1e-4)
    real = sum(
        row.payload_bytes
        for row in read_head(BytesPlain(stored(plain, words, base if with_base else None))).blocks
    )
    guessed = estimate(BytesPlain(plain), words, BytesPlain(base) if with_base else None)
    assert abs(guessed - real) < 0.05 * real


def test_thorough_is_never_longer_by_much() -> None:
    base, plain = drifted(BF16, BLOCK_WORDS, 1e-4)
    made = [
        write_encoding(BytesPlain(plain), BF16, same_as(base, BF16), shelf(base), effort).size_bytes
        for effort in (Effort.QUICK, Effort.THOROUGH)
    ]
    assert made[1] <= made[0]


def test_a_source_is_made_of_pieces_and_zeros() -> None:
    base, grown = drifted(F32, 1000, 1e-4)
    plain = grown[:2000] + bytes(400) + grown[2000:]
    pieces = (Piece(object_id(base), 0, 2000), Piece(None, 0, 400), Piece(object_id(base), 2000, 2000))
    one = same_as(base, F32)
    prediction = Prediction((Source(pieces, "F32"),), one.steps, one.output)
    encoded = write_encoding(BytesPlain(plain), F32, prediction, shelf(base))
    reader = EncodedReader(BytesPlain(b"".join(encoded.parts)), shelf(base))
    assert reader.read_at(0, len(plain)) == plain
