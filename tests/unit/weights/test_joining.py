"""Quantised weights and their companions become one tensor, with the values that their libraries give."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.weights.joining import join_quantised
from allmende.weights.number_types import decode, round_through
from allmende.weights.places import BytesPlace
from allmende.weights.tensors import PlainWords, Span, WeightTensor

DTYPES = {
    "float32": "F32", "float16": "F16", "int8": "I8", "uint8": "U8", "int32": "I32", "uint32": "U32",
    "uint16": "BF16", "int64": "I64",
}  # fmt: skip
NF4 = np.array(
    [-1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.0795803,
     0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0],
    np.float32,
)  # fmt: skip
RNG = np.random.default_rng(7)


def tensor(name: str, array: np.ndarray, dtype: str | None = None) -> WeightTensor:
    data = array.tobytes()
    words = PlainWords(Span(BytesPlace(name, data), 0, len(data)), dtype or DTYPES[array.dtype.name])
    return WeightTensor(name, words.dtype, array.shape, words)


def join(arrays: dict, config: dict | None = None) -> tuple[dict[str, WeightTensor], list[str]]:
    tensors = {
        name: tensor(name, *array) if isinstance(array, tuple) else tensor(name, array)
        for name, array in arrays.items()
    }
    return join_quantised(tensors, config or {})


def check(found: WeightTensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    flat = expected.ravel()
    assert np.allclose(found.values(), flat, rtol=1e-6, atol=0, equal_nan=True)
    first, count = flat.size // 3, flat.size // 2
    assert np.array_equal(found.values(first, count), found.values()[first : first + count], equal_nan=True)
    places = np.array([[0, flat.size - 1], [1, flat.size // 2]])
    assert np.array_equal(found.at(places), found.values()[places], equal_nan=True)


def check_cell(found: WeightTensor, original: np.ndarray, slack: float = 1e-6) -> None:
    cell = found.source.rounding_cell(0, found.elements)
    assert cell is not None
    change = original.ravel().astype(np.float64) - found.values()
    assert np.all(-change <= cell[0] + slack)
    assert np.all(change <= cell[1] + slack)
    part = found.source.rounding_cell(3, 5)
    assert part is not None
    assert np.array_equal(part[0], cell[0][3:8])


W = RNG.standard_normal((6, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "scale_name", ["a.weight_scale", "a.weight.scale", "a.scale", "a.scales", "a.weight_scales"]
)
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("flat", [True, False])
def test_int8_with_scales(scale_name, axis, flat):
    scale = np.abs(W).max(axis=None if axis is None else 1 - axis, keepdims=True) / 127
    codes = np.rint(W / scale).clip(-127, 127).astype(np.int8)
    found, problems = join({"a.weight": codes, scale_name: scale.ravel() if flat else scale, "a.bias": W[0]})
    assert not problems
    assert list(found) == ["a.weight", "a.bias"]
    assert found["a.weight"].dtype == "I8"
    check(found["a.weight"], codes * scale)
    check_cell(found["a.weight"], W)


def test_int8_in_groups_with_zero_points():
    scale = RNG.uniform(0.01, 0.1, (6, 2)).astype(np.float32)
    zero = RNG.integers(-10, 10, (6, 2)).astype(np.int8)
    codes = RNG.integers(-127, 128, (6, 8)).astype(np.int8)
    found, _ = join({"a.weight": codes, "a.weight_scale": scale, "a.weight_zero_point": zero})
    expected = (codes.astype(np.float32) - np.repeat(zero, 4, 1)) * np.repeat(scale, 4, 1)
    assert list(found) == ["a.weight"]
    check(found["a.weight"], expected)


def test_bitsandbytes_int8():
    largest = np.abs(W).max(axis=1)
    codes = np.rint(W * 127 / largest[:, None]).astype(np.int8)
    arrays = {"a.SCB": largest, "a.weight": codes, "a.weight_format": np.array(0, np.uint8)}
    found, _ = join(arrays)
    assert list(found) == ["a.weight"]
    check(found["a.weight"], codes * (largest[:, None] / 127))
    check_cell(found["a.weight"], W)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("shape", [(), (1,), (300, 1), (3, 2)])
@pytest.mark.parametrize("ending", ["_scale", "_scale_inv"])
def test_float8_with_scales_of_tensors_rows_and_blocks(dtype, shape, ending):
    original = RNG.standard_normal((300, 200)).astype(np.float32)
    scale = RNG.uniform(0.01, 0.02, shape).astype(np.float32)
    spread = (
        np.broadcast_to(scale, (300, 200))
        if shape != (3, 2)
        else np.kron(scale, np.ones((128, 128)))[:300, :200]
    )
    levels = decode(np.arange(256, dtype=np.uint8), dtype)
    rounded = round_through((original / spread).astype(np.float32), dtype)
    order = np.argsort(levels[:128])
    codes = np.searchsorted(levels[:128][order], np.abs(rounded)).astype(np.uint8) | (
        np.signbit(rounded) * 128
    ).astype(np.uint8)
    assert np.array_equal(levels[codes], rounded)
    found, problems = join({"a.weight": (codes, dtype), f"a.weight{ending}": scale})
    assert not problems
    assert found["a.weight"].dtype == dtype
    check(found["a.weight"], rounded * spread)
    check_cell(found["a.weight"], original, 1e-4)
    cell = found["a.weight"].source.rounding_cell(0, 100)
    assert cell is not None
    assert np.median(cell[0] + cell[1]) < np.abs(original).mean() / 2


def nf4(original: np.ndarray, *, nested: bool, kind: str = "nf4") -> tuple[dict, np.ndarray]:
    flat = original.ravel()
    padded = np.pad(flat, (0, -flat.size % 64)).reshape(-1, 64)
    scales = np.abs(padded).max(axis=1).astype(np.float32)
    codes = (
        np.abs(padded[..., None] / scales[:, None, None] - NF4)
        .argmin(-1)
        .ravel()[: flat.size]
        .astype(np.uint8)
    )
    both = np.pad(codes, (0, codes.size % 2)).reshape(-1, 2)
    state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": list(original.shape)}
    parts: dict = {"w": (both[:, :1] << 4) | both[:, 1:], "w.quant_map": NF4}
    if nested:
        table = np.linspace(-1, 1, 256, dtype=np.float32)
        offset = float(scales.mean())
        rows = np.pad(scales - offset, (0, -scales.size % 256)).reshape(-1, 256)
        outer = (np.abs(rows).max(axis=1) * 1.01 + 1e-6).astype(np.float32)
        bytes_ = np.abs((rows / outer[:, None])[..., None] - table).argmin(-1).astype(np.uint8)
        scales = (table[bytes_] * outer[:, None]).ravel()[: scales.size] + np.float32(offset)
        bytes_ = bytes_.ravel()[: scales.size]
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset}
        parts |= {"w.absmax": bytes_, "w.nested_absmax": outer, "w.nested_quant_map": table}
    else:
        parts |= {"w.absmax": scales}
    text = json.dumps(state).encode()
    parts[f"w.quant_state.bitsandbytes__{kind}"] = np.frombuffer(text, np.uint8)
    return parts, (NF4[codes] * np.repeat(scales, 64)[: flat.size]).reshape(original.shape)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", [(16, 40), (7, 9), (300, 100)])
def test_four_bits_of_bitsandbytes(nested, shape, kind):
    original = RNG.standard_normal(shape).astype(np.float32)
    parts, expected = nf4(original, nested=nested, kind=kind)
    found, problems = join(parts)
    assert not problems
    assert list(found) == ["w"]
    assert found["w"].dtype == kind.upper()
    check(found["w"], expected)
    if not nested:
        check_cell(found["w"], original)


def packed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes along the first dimension packed to words of 32 bits, the lowest first, as one run of bits."""
    length, width = codes.shape
    stream = (codes[:, None, :] >> np.arange(bits)[None, :, None]) & 1
    words = stream.reshape(length * bits // 32, 32, width).astype(np.uint32)
    return (
        (words << np.arange(32, dtype=np.uint32)[None, :, None]).sum(axis=1, dtype=np.uint32).view(np.int32)
    )


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_gptq(bits, order, second):
    inputs, outputs, group = 64, 32, 32
    codes = RNG.integers(0, 1 << bits, (inputs, outputs))
    zeros = RNG.integers(1, 1 << bits, (inputs // group, outputs))
    scales = RNG.uniform(0.01, 0.1, (inputs // group, outputs)).astype(np.float16)
    index = (
        RNG.permutation(inputs).astype(np.int32) // group
        if order
        else np.arange(inputs, dtype=np.int32) // group
    )
    parts = {
        "m.qweight": packed(codes, bits),
        "m.qzeros": np.ascontiguousarray(packed((zeros - (0 if second else 1)).T, bits).T),
        "m.scales": scales,
        "m.bias": scales[0],
    }
    if order:
        parts["m.g_idx"] = index
    config = {"quantization_config": {"checkpoint_format": "gptq_v2"}} if second else {}
    found, problems = join(parts, config)
    assert not problems
    assert list(found) == ["m.weight", "m.bias"]
    assert found["m.weight"].dtype == f"GPTQ{bits}"
    expected = ((codes - zeros[index]).astype(np.float32) * scales[index].astype(np.float32)).T
    check(found["m.weight"], expected)
    check_cell(found["m.weight"], expected)


def test_awq():
    inputs, outputs, group = 64, 16, 32
    codes = RNG.integers(0, 16, (inputs, outputs))
    zeros = RNG.integers(0, 16, (inputs // group, outputs))
    scales = RNG.uniform(0.01, 0.1, (inputs // group, outputs)).astype(np.float16)

    def pack(values):
        order = values.reshape(len(values), -1, 8)[:, :, [0, 2, 4, 6, 1, 3, 5, 7]].astype(np.uint32)
        return (order << (np.arange(8, dtype=np.uint32) * 4)).sum(axis=2, dtype=np.uint32).view(np.int32)

    found, problems = join({"m.qweight": pack(codes), "m.qzeros": pack(zeros), "m.scales": scales})
    assert not problems
    assert found["m.weight"].dtype == "AWQ4"
    index = np.arange(inputs) // group
    check(found["m.weight"], ((codes - zeros[index]).astype(np.float32) * scales[index].astype(np.float32)).T)


def test_digest_covers_all_parts():
    codes = np.zeros((2, 2), np.int8)
    one, two = (join({"a": codes, "a_scale": np.array([scale], np.float32)})[0]["a"] for scale in (1, 2))
    assert one.digest() != two.digest()


GOOD = nf4(W, nested=True)[0]


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"a": np.zeros((4, 4), np.int8), "a_scale": np.ones(3, np.float32)}, "scales are not of its shape"),
        (
            {"a": np.zeros((4, 4), np.int8), "a_scale": np.ones((5, 1), np.float32)},
            "scales are not of its shape",
        ),
        (
            {
                "a": np.zeros(4, np.int8),
                "a_scale": np.ones(1, np.float32),
                "a_zero_point": np.zeros(2, np.int8),
            },
            "zero points",
        ),
        (GOOD | {"w.absmax": np.zeros(99, np.uint8)}, "not as many"),
        (GOOD | {"w.quant_map": NF4[:5]}, "missing"),
        (GOOD | {"w.nested_absmax": np.ones(7, np.float32)}, "not as many"),
        (GOOD | {"w.quant_state.bitsandbytes__nf4": np.zeros(5, np.uint8)}, "cannot be read"),
        (GOOD | {"w.quant_state.bitsandbytes__nf4": np.zeros(70_000, np.uint8)}, "not text"),
        ({"m.qweight": np.zeros((4, 4), np.int32)}, "missing"),
        (
            {
                "m.qweight": np.zeros((4, 4), np.int32),
                "m.qzeros": np.zeros((1, 1), np.int32),
                "m.scales": np.ones((1, 99), np.float16),
            },
            "fit together",
        ),
    ],
)
def test_what_does_not_fit_stays_as_it_is(arrays, part):
    found, problems = join(arrays)
    assert list(found) == list(arrays)
    assert part in problems[0]


def test_a_group_that_is_not_there_is_refused_when_read():
    parts = {
        "m.qweight": np.zeros((1, 8), np.int32),
        "m.qzeros": np.zeros((1, 1), np.int32),
        "m.scales": np.ones((1, 8), np.float16),
        "m.g_idx": np.full(8, 5, np.int32),
    }
    found, _ = join(parts)
    with pytest.raises(AllmendeError, match="names a group"):
        found["m.weight"].values()


def test_plain_integers_are_left_alone():
    arrays = {"ids": np.arange(4, dtype=np.int64), "mask": np.zeros(4, np.uint8), "i": np.zeros(4, np.int8)}
    found, problems = join(arrays)
    assert list(found) == list(arrays)
    assert not problems
    assert found["i"].source.rounding_cell(0, 4) is None


NAMES = ["w", "w.absmax", "w.quant_map", "w_scale", "w.SCB", "w.qweight", "w.qzeros", "w.scales", "w.g_idx"]


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.tuples(
            st.sampled_from(["I8", "U8", "I32", "F16", "F32", "F8_E4M3"]),
            st.lists(st.integers(0, 9), max_size=3),
        ),
    )
)
def test_any_shapes_are_joined_or_told(parts):
    sizes = {"I8": np.int8, "U8": np.uint8, "I32": np.int32, "F16": np.float16, "F32": np.float32}
    tensors = {
        name: tensor(name, RNG.integers(0, 99, shape).astype(sizes.get(dtype, np.uint8)), dtype)
        for name, (dtype, shape) in parts.items()
    }
    found, _ = join_quantised(tensors, {})
    for made in found.values():
        try:
            made.values()
            made.at(np.arange(made.elements))
            made.source.rounding_cell(0, made.elements)
        except AllmendeError:
            pass
