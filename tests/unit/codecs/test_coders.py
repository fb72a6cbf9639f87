"""Both coders give the same bytes, and neither is led astray by payloads that were made up."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.codecs import WORD_TYPES, MalformedEncoding, WordType, word_type
from allmende.codecs import rans_numpy as in_numpy
from allmende.codecs.rans_tables import SCALE, Tables, plan_tables, read_tables
from allmende.codecs.rans_tokens import RAW_BITS_OF, token_count
from tests.unit.codecs.weights_like import drifted, edge_words

in_c = pytest.importorskip("allmende.codecs._coder", reason="the extension was not built here")
FLOATS = [words for words in WORD_TYPES if words.is_float]


@contextmanager
def vectors(wanted: bool) -> Iterator[None]:
    in_c.use_vectors(wanted)
    try:
        yield
    finally:
        in_c.use_vectors(True)


def shape(words: WordType) -> tuple[int, int, int]:
    return words.size_bytes, words.exponent_bits, words.mantissa_bits


def encoded(coder: ModuleType, plain: bytes, predicted: bytes, words: WordType) -> bytes:
    kinds = token_count(words.size_bytes)
    keys = 1 << words.exponent_bits if words.is_float else 256
    tokens = np.empty(len(plain) // words.size_bytes, dtype=np.uint8)
    counts = np.zeros((keys, kinds), dtype=np.uint32)
    raw = coder.analyse(plain, predicted, *shape(words), tokens, counts)
    assert raw == int(RAW_BITS_OF[tokens].sum(dtype=np.int64))
    tables, _ = coder.plan(counts)
    made = coder.encode_residual(tables, tokens, plain, predicted, *shape(words))
    assert isinstance(made, bytes)
    return made


def decoded(coder: ModuleType, payload: bytes, predicted: bytes, words: WordType) -> bytes | None:
    """The words, or None for a payload that is malformed."""
    out = bytearray(len(predicted))
    try:
        coder.decode_residual(payload, predicted, out, *shape(words))
    except (ValueError, MalformedEncoding):
        return None
    return bytes(out)


@pytest.mark.parametrize("words", WORD_TYPES, ids=lambda words: words.name)
@pytest.mark.parametrize("count", [1, 31, 32, 33, 5000])
@pytest.mark.parametrize("kind", ["drift", "edges"])
def test_residuals_have_the_same_bytes_and_come_back(words: WordType, count: int, kind: str) -> None:
    if kind == "drift":
        predicted, plain = drifted(words, count, 1e-3)
    else:
        predicted, plain = edge_words(words, count, 1), edge_words(words, count, 2)
    payload = encoded(in_numpy, plain, predicted, words)
    folded = {}
    for coder in (in_c, in_numpy):
        apart, back = bytearray(len(plain)), bytearray(len(plain))
        coder.fold(plain, predicted, apart, *shape(words))
        coder.unfold(apart, predicted, back, *shape(words))
        assert back == plain
        folded[coder.__name__] = bytes(apart)
    assert len(set(folded.values())) == 1
    assert decoded(in_numpy, payload, predicted, words) == plain
    for wanted in (False, True):
        with vectors(wanted):
            assert encoded(in_c, plain, predicted, words) == payload
            assert decoded(in_c, payload, predicted, words) == plain


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 255))
def test_planes_have_the_same_bytes_and_come_back(plane: bytes, mask: int) -> None:
    plane = bytes(byte & mask for byte in plane)
    counts = np.zeros(256, dtype=np.uint32)
    in_c.histogram(plane, counts)
    assert counts.tolist() == [plane.count(bytes([byte])) for byte in range(256)]
    head = plan_tables(counts[np.newaxis])[0].document()
    payload = in_c.encode_plane(head, plane)
    assert payload == in_numpy.encode_plane(head, plane)
    for coder in (in_c, in_numpy):
        out = bytearray(len(plane))
        coder.decode_planes(stored_plane(2, payload), out, 1, 0)
        assert out == plane


def stored_plane(form: int, data: bytes) -> bytes:
    return bytes([form]) + len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("size_bytes", [1, 2, 4, 8])
@pytest.mark.parametrize("turn", [0, 1])
def test_stored_planes_of_each_form_are_joined_alike(size_bytes: int, turn: int) -> None:
    count, random = 999, np.random.default_rng(7)
    planes = [random.integers(0, 256 >> number % 3 * 3, count, np.uint8).tobytes() for number in range(8)]
    forms = []
    for number, plane in enumerate(planes[:size_bytes]):
        counts = np.bincount(np.frombuffer(plane, np.uint8), minlength=256).astype(np.uint32)
        head = plan_tables(counts[np.newaxis])[0].document()
        data = (plane, b"\x17", in_c.encode_plane(head, plane))[number % 3]
        planes[number] = data * count if number % 3 == 1 else plane
        forms.append(stored_plane(number % 3, data))
    payload, joined, out = b"".join(forms), bytearray(size_bytes * count), bytearray(size_bytes * count)
    in_numpy.join(b"".join(planes[:size_bytes]), joined, size_bytes, turn)
    for coder in (in_c, in_numpy):
        coder.decode_planes(payload, out, size_bytes, turn)
        assert out == joined
        for changed in (
            payload[:-1],
            payload + b"\0",
            b"\3" + payload[1:],
            b"\1" + payload[1:],
            b"",
            payload[:4],
            payload[:1] + b"\xff" * 4 + payload[5:],
        ):
            with pytest.raises((ValueError, MalformedEncoding)):
                coder.decode_planes(changed, out, size_bytes, turn)


def test_brain_floats_are_rounded_alike() -> None:
    random = np.random.default_rng(5)
    edges = [
        0,
        1 << 31,
        0x7F800000,
        0x7F800001,
        0xFF812345,
        0x7FFFFFFF,
        0x7F7FFFFF,
        0x3F808000,
        0x3F818000,
        1,
    ]
    singles = np.concatenate([np.array(edges, np.uint32), random.integers(0, 1 << 32, 5000, np.uint32)])
    found = [np.empty(len(singles), np.uint16) for _ in range(2)]
    in_c.brain_words(singles, found[0])
    in_numpy.brain_words(singles, found[1])
    assert (found[0] == found[1]).all()


def stored_planes(plain: bytes, size_bytes: int, turn: int) -> bytes:
    """Words in planes, the first of each form that there is."""
    planes = bytearray(len(plain))
    in_numpy.split(plain, planes, size_bytes, turn)
    count, made = len(plain) // size_bytes, b""
    for number in range(size_bytes):
        plane = bytes(planes[number * count : (number + 1) * count])
        form, data = in_numpy.PLANE_RAW, plane
        if number % 2:
            counts = np.bincount(np.frombuffer(plane, np.uint8), minlength=256).astype(np.uint32)[None]
            form, data = in_numpy.PLANE_CODED, in_numpy.encode_plane(in_numpy.plan(counts)[0], plane)
        made += bytes([form]) + len(data).to_bytes(4, "little") + data
    return made


def carried_out(coder: ModuleType, payloads: tuple[bytes, bytes], sizes: tuple[int, int]) -> bytes | None:
    """A chain: planes of F32, as BF16, and words against these, which come behind a copy of them."""
    singles, brains, out = (bytearray(size) for size in (sizes[0], sizes[1], 2 * sizes[1]))
    calls: list[in_numpy.Call] = [
        (in_numpy.PLANES, memoryview(singles), payloads[0], None, 4, 1, 0),
        (in_numpy.BRAIN, memoryview(brains), memoryview(singles), None, 2, 0, 0),
        (in_numpy.COPY, memoryview(out)[: sizes[1]], brains, None, 1, 0, 0),
        (in_numpy.RESIDUAL, memoryview(out)[sizes[1] :], payloads[1], brains, 2, 8, 7),
    ]
    try:
        coder.carry_out(calls)
    except (ValueError, MalformedEncoding):
        return None
    return bytes(out)


@pytest.mark.parametrize("count", [1, 33, 3000])
def test_calls_are_carried_out_one_after_another(count: int) -> None:
    singles, _ = drifted(word_type("F32"), count, 1e-3)
    brains = np.empty(count, np.uint16)
    in_numpy.brain_words(np.frombuffer(singles, np.uint32), brains)
    plain = (brains + np.arange(count, dtype=np.uint16) % 3).tobytes()
    residual = encoded(in_c, plain, brains.tobytes(), word_type("BF16"))
    payloads, sizes = (stored_planes(singles, 4, 1), residual), (4 * count, 2 * count)
    for coder in (in_c, in_numpy):
        assert carried_out(coder, payloads, sizes) == brains.tobytes() + plain
        for number in (0, 1):
            cut = [*payloads]
            cut[number] = cut[number][:-1]
            assert carried_out(coder, (cut[0], cut[1]), sizes) is None
        coder.carry_out([])


@pytest.mark.parametrize(
    "call",
    [
        (in_numpy.COPY, bytearray(4), bytes(3), None, 1, 0, 0),
        (in_numpy.COPY, bytearray(4), bytes(4), bytes(4), 1, 0, 0),
        (in_numpy.PLANES, bytearray(5), bytes(4), None, 4, 1, 0),
        (in_numpy.PLANES, bytearray(6), bytes(4), None, 3, 1, 0),
        (in_numpy.RESIDUAL, bytearray(8), bytes(4), bytes(4), 4, 8, 23),
        (in_numpy.RESIDUAL, bytearray(8), bytes(4), None, 4, 8, 23),
        (in_numpy.BRAIN, bytearray(8), bytes(8), None, 2, 0, 0),
        (in_numpy.BRAIN, bytearray(8), bytes(17), None, 2, 0, 0),
        (in_numpy.BRAIN, bytearray(8), bytes(16), None, 4, 0, 0),
        (7, bytearray(4), bytes(4), None, 1, 0, 0),
    ],
)
def test_the_extension_refuses_calls_that_do_not_fit(call: tuple[object, ...]) -> None:
    sound = (in_numpy.COPY, bytearray(3), b"abc", None, 1, 0, 0)
    with pytest.raises(ValueError, match="no such call"):
        in_c.carry_out([sound, call])
    assert sound[1] == bytes(3)  # nothing was begun


@pytest.mark.parametrize("calls", [[None], [()], [(0, b"abc", b"abc", None, 1, 0, 0)], ((),)])
def test_the_extension_refuses_what_is_no_list_of_calls(calls: object) -> None:
    with pytest.raises((TypeError, SystemError, BufferError)):
        in_c.carry_out(calls)


@pytest.mark.parametrize("coder", [in_c, in_numpy], ids=["C", "numpy"])
def test_runs_of_bytes_are_joined(coder: ModuleType) -> None:
    assert coder.joined([]) == b""
    assert coder.joined([memoryview(b"ab"), memoryview(b""), memoryview(bytearray(b"c"))]) == b"abc"


@pytest.mark.parametrize("size_bytes", [1, 2, 4, 8])
@pytest.mark.parametrize("turn", [0, 1])
def test_planes_are_split_and_joined_alike(size_bytes: int, turn: int) -> None:
    plain = np.random.default_rng(5).bytes(size_bytes * 777)
    split = {}
    for coder in (in_c, in_numpy):
        planes, out = bytearray(len(plain)), bytearray(len(plain))
        coder.split(plain, planes, size_bytes, turn)
        coder.join(planes, out, size_bytes, turn)
        assert out == plain
        split[coder.__name__] = bytes(planes)
    assert len(set(split.values())) == 1


@pytest.mark.parametrize("words", [word_type(name) for name in ("BF16", "F32", "F64", "U8")], ids=str)
def test_changed_payloads_are_refused_or_decoded_alike(words: WordType) -> None:
    predicted, plain = drifted(words, 400, 1e-3)
    payload = encoded(in_c, plain, predicted, words)
    random, refused = np.random.default_rng(3), 0
    for _ in range(150):
        changed = bytearray(payload)
        for _ in range(random.integers(1, 4)):
            changed[random.integers(len(changed))] = random.integers(256)
        if random.random() < 0.3:
            changed = changed[: random.integers(len(changed) + 1)]
        expected = decoded(in_numpy, bytes(changed), predicted, words)
        for wanted in (False, True):
            with vectors(wanted):
                assert decoded(in_c, bytes(changed), predicted, words) == expected
        refused += expected is None
    assert refused > 75


@pytest.mark.parametrize("coder", [in_c, in_numpy], ids=["C", "numpy"])
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 20, 150, -1])
def test_a_payload_that_breaks_off_is_refused(coder: ModuleType, cut: int) -> None:
    words = word_type("BF16")
    predicted, plain = drifted(words, 400, 1e-3)
    assert decoded(coder, encoded(coder, plain, predicted, words)[:cut], predicted, words) is None


@pytest.mark.parametrize("coder", [in_c, in_numpy], ids=["C", "numpy"])
def test_a_payload_with_more_after_its_end_is_refused(coder: ModuleType) -> None:
    words = word_type("F32")
    predicted, plain = drifted(words, 400, 1e-3)
    assert decoded(coder, encoded(coder, plain, predicted, words) + b"\0", predicted, words) is None


@pytest.mark.parametrize("coder", [in_c, in_numpy], ids=["C", "numpy"])
def test_bytes_are_compared_to_the_last_one(coder: ModuleType) -> None:
    for size in (0, 1, 7, 8, 300, 1001):
        data = np.random.default_rng(size).bytes(size)
        assert coder.is_same(memoryview(data), memoryview(bytes(data)))
        assert not coder.is_same(memoryview(data), memoryview(data + b"x"))
        for place in {0, size // 2, size - 1} if size else ():
            other = bytearray(data)
            other[place] ^= 1
            assert not coder.is_same(memoryview(data), memoryview(other))


def test_the_extension_refuses_buffers_of_the_wrong_size() -> None:
    with pytest.raises(ValueError, match="wrong size"):
        in_c.decode_residual(b"", bytes(8), bytearray(4), 4, 8, 23)
    with pytest.raises(ValueError, match="whole words"):
        in_c.decode_residual(b"", bytes(5), bytearray(5), 4, 8, 23)
    with pytest.raises(ValueError, match="no such words"):
        in_c.decode_residual(b"", bytes(3), bytearray(3), 3, 0, 0)
    with pytest.raises(ValueError, match="no such words"):
        in_c.decode_residual(b"", bytes(4), bytearray(4), 4, 30, 1)
    with pytest.raises(ValueError, match="no such words"):
        in_c.decode_residual(b"", bytes(2), bytearray(2), 2, 11, 4)
    with pytest.raises(ValueError, match="wrong size"):
        in_c.histogram(b"abc", np.zeros(255, dtype=np.uint32))
    with pytest.raises(ValueError, match="wrong size"):
        in_c.fold(bytes(8), bytes(4), bytearray(8), 4, 8, 23)
    for counts in (np.ones((1, 260), np.uint32), np.ones((1, 12), np.uint32), np.ones((2049, 8), np.uint32)):
        with pytest.raises(ValueError, match="wrong shape"):
            in_c.plan(counts)
    with pytest.raises(ValueError, match="wrong shape"):
        in_c.plan(np.ones((8, 64), np.uint64))
    with pytest.raises(ValueError, match="wrong size"):
        in_c.analyse(bytes(4), bytes(4), 4, 8, 23, np.zeros(2, np.uint8), np.zeros((256, 128), np.uint32))


def test_a_token_without_a_frequency_is_refused() -> None:
    head = Tables((0,), np.array([[SCALE, *[0] * 255]], dtype=np.uint32)).document()
    for coder in (in_c, in_numpy):
        with pytest.raises(ValueError, match="without a frequency"):
            coder.encode_plane(head, b"\0\1")


@pytest.mark.parametrize("words", FLOATS, ids=lambda words: words.name)
def test_a_small_drift_costs_few_bits(words: WordType) -> None:
    """Neighbours in the order of numbers differ by one, also over a power of two and over zero."""
    size = words.size_bytes
    if size == 1:
        middle = np.arange(1, 127, dtype=np.uint8)
        plain, predicted = middle.tobytes(), (middle + 1).tobytes()
    else:
        middle = np.arange(1 << words.mantissa_bits, (1 << words.mantissa_bits) + 4000, dtype=f"<u{size}")
        plain, predicted = (middle - 1).tobytes(), middle.tobytes()
    assert len(encoded(in_c, plain, predicted, words)) < 200 + len(middle) // 8


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0",
        b"\x11",
        b"\1",
        b"\1" + bytes(8),
        b"\2\0\0" + b"\1" + bytes(7) + b"\1" + bytes(7),
        b"\2\0\1" + b"\1" + bytes(7) + b"\1" + bytes(7),
        b"\1\3" + bytes(7),
        b"\1\3" + bytes(7) + b"\0",
        b"\1\3" + bytes(7) + b"\x81\0",
        b"\1\3" + bytes(7) + b"\x80\x10",
        b"\1\7" + bytes(7) + b"\xff\x0e\xff\x0e",
    ],
)
def test_malformed_tables_are_refused_by_both(head: bytes) -> None:
    body = (0).to_bytes(4, "little") + (1 << 16).to_bytes(4, "little") * 32
    predicted = bytes(64)
    for coder in (in_c, in_numpy):
        assert decoded(coder, head + body, predicted, word_type("BF16")) is None


@given(
    st.sampled_from([1, 7, 32, 256, 2048]),
    st.sampled_from([32, 64, 128, 256]),
    st.sampled_from([0.02, 1.0, 30.0, 1e3]),
    st.integers(0, 2**32),
)
def test_both_plan_the_same_tables(keys: int, kinds: int, often: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    far = np.abs(np.arange(keys) - keys // 2)[:, None] / random.choice([1, 9, 90])
    mean = often * np.exp(-np.arange(kinds)[None] / random.choice([1, 8, 80]) - far)
    counts = random.poisson(mean).astype(np.uint32)
    counts[random.integers(keys), random.integers(kinds)] += 1
    assert in_c.plan(counts) == in_numpy.plan(counts)


def test_counts_that_are_none_or_too_many_have_no_tables() -> None:
    for coder in (in_c, in_numpy):
        for counts in (np.zeros((8, 64), np.uint32), np.full((8, 64), 1 << 22, np.uint32)):
            with pytest.raises(ValueError, match="nothing was counted, or too much"):
                coder.plan(counts)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_tables_come_back(keys: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = (random.geometric(0.05, (keys, 64)) * (random.random((keys, 64)) < 0.3)).astype(np.uint32)
    counts[0, 0] = 1
    tables, _ = plan_tables(counts)
    document = tables.document()
    again, used = read_tables(memoryview(document + b"after"), keys, 64)
    assert used == len(document)
    assert again.first_keys == tables.first_keys
    assert (again.frequencies == tables.frequencies).all()
    assert (again.frequencies.sum(axis=1) == SCALE).all()


@pytest.mark.parametrize("words", [word_type(name) for name in ("BF16", "F16", "U8")], ids=str)
def test_many_words_of_one_kind_are_all_counted(words: WordType) -> None:
    """More than a counter of 16 bits holds."""
    count, kinds = 140_001, token_count(words.size_bytes)
    keys = 1 << words.exponent_bits if words.is_float else 256
    plain = np.arange(count).astype(f"<u{words.size_bytes}").tobytes()
    same = bytes(len(plain))
    for one, other in ((plain, plain), (plain, same), (same, same)):
        found = []
        for coder, wanted in ((in_numpy, True), (in_c, False), (in_c, True)):
            tokens, counts = np.empty(count, np.uint8), np.zeros((keys, kinds), np.uint32)
            with vectors(wanted):
                coder.analyse(one, other, *shape(words), tokens, counts)
            assert int(counts.sum()) == count
            found.append((tokens.tobytes(), counts.tobytes()))
        assert found[0] == found[1] == found[2]
