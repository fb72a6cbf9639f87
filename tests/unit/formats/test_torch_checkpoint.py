"""The tensors of a checkpoint, where they lie, and what is refused."""

import io
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.formats import (
    Malformed,
    MalformedPickle,
    MalformedTorch,
    MalformedZip,
    TorchTensor,
    read_torch_checkpoint,
)

from .torch_files import Call, Name, Persistent, Saved, torch_legacy, torch_zip, zip_of

W = np.arange(12, dtype=np.float32).reshape(3, 4)
B = np.arange(3, dtype=np.float16)


def read(data: bytes) -> tuple[TorchTensor, ...]:
    return read_torch_checkpoint(io.BytesIO(data), len(data))


def names(value) -> list[str]:
    return [tensor.name for tensor in read(torch_zip(value))]


def value_of(data: bytes, tensor: TorchTensor) -> np.ndarray:
    word = np.dtype({"F32": "<f4", "F16": "<f2", "I64": "<i8"}[tensor.dtype])
    storage = np.frombuffer(data[tensor.storage_start :][: tensor.storage_bytes], word)
    strides = [step * word.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)


@pytest.mark.parametrize("write", [torch_zip, torch_legacy])
def test_tensors_are_found_where_they_lie(write):
    data = write(
        OrderedDict(w=Saved(W), b=Saved(B), t=Saved(W.T, storage=W), part=Saved(W[1:, ::2], storage=W))
    )
    found = {tensor.name: tensor for tensor in read(data)}
    assert list(found) == ["w", "b", "t", "part"]
    assert [tensor.dtype for tensor in found.values()] == ["F32", "F16", "F32", "F32"]
    for name, array in (("w", W), ("b", B), ("t", W.T), ("part", W[1:, ::2])):
        assert np.array_equal(value_of(data, found[name]), array)


@pytest.mark.parametrize("part", ["state_dict", "model_state_dict", "model", "module", "net", "ema"])
def test_the_model_is_taken_from_beside_its_optimizer(part):
    state = {"state": {0: {"exp_avg": Saved(W)}}, "param_groups": [{"lr": 0.1}]}
    assert names({"epoch": 3, "optimizer": state, part: {"w": Saved(W), "b": Saved(B)}}) == ["w", "b"]


def test_one_of_several_models_is_taken():
    assert names({"ema": {"x": Saved(B)}, "model": {"w": Saved(W)}}) == ["w"]
    assert names({"state_dict": {"model": {"w": Saved(W)}, "step": 3}}) == ["w"]


def test_nested_dicts_and_lists_make_paths():
    assert names({"a": {"b": [Saved(W), {"c": Saved(B)}]}, "optimizer": {"z": Saved(W)}}) == [
        "a.b.0",
        "a.b.1.c",
    ]
    assert names(Saved(W)) == ["tensor"]
    assert names({1: Saved(W), (2, 3): Saved(B)}) == ["1"]


def test_a_dict_with_tensors_is_the_model_itself():
    assert names({"model": {"x": Saved(B)}, "w": Saved(W)}) == ["model.x", "w"]


def test_a_pickled_module_has_the_names_of_its_state_dict():
    def module(parameters, modules):
        made = Call(Name("copyreg", "_reconstructor"), ())
        state = {"training": True, "_parameters": OrderedDict(parameters), "_modules": OrderedDict(modules)}
        return Call(made.function, made.arguments, state)

    inner = module({"weight": parameter(W), "bias": None}, {})
    assert names(module({"scale": parameter(B)}, {"layer": inner})) == ["scale", "layer.weight"]


def parameter(array: np.ndarray) -> Call:
    return Call(Name("torch._utils", "_rebuild_parameter"), (Saved(array), True, OrderedDict()))


def test_parameters_tied_tensors_and_types_are_followed():
    tied = parameter(W)
    typed = Call(
        Name("torch._tensor", "_rebuild_from_type_v2"),
        (
            Name("torch._utils", "_rebuild_tensor_v2"),
            Name("torch", "Tensor"),
            (storage_of("0"), 0, (3, 4), (4, 1)),
            {},
        ),
    )
    assert names({"in": tied, "out": tied, "typed": typed}) == ["in", "out", "typed"]


def storage_of(key: str, elements: int = 12, kind: str = "FloatStorage") -> Persistent:
    return Persistent(("storage", Name("torch", kind), key, "cpu", elements))


def rebuilt(*arguments, function: str = "_rebuild_tensor_v2") -> Call:
    return Call(Name("torch._utils", function), (*arguments, False, OrderedDict()))


def test_types_by_name_are_read_from_untyped_storages():
    untyped = Persistent(("storage", Name("torch.storage", "UntypedStorage"), "0", "cpu", 48))
    value = {
        "a": Saved(W),
        "f8": Call(
            Name("torch._utils", "_rebuild_tensor_v3"),
            (untyped_of("1"), 0, (48,), (1,), False, OrderedDict(), Name("torch", "float8_e4m3fn")),
        ),
    }
    del untyped
    data = zip_of(pickled(value), [W, W])
    assert [(tensor.name, tensor.dtype) for tensor in read(data)] == [("a", "F32"), ("f8", "F8_E4M3")]


def untyped_of(key: str) -> Persistent:
    return Persistent(("storage", Name("torch.storage", "UntypedStorage"), key, "cpu", 48))


def pickled(value) -> bytes:
    from .torch_files import Pickler

    buffer = io.BytesIO()
    Pickler(buffer).dump(value)
    return buffer.getvalue()


def test_other_kinds_of_tensors_and_calls_are_passed_over():
    value = {
        "w": Saved(W),
        "q": Call(Name("torch._utils", "_rebuild_qtensor"), (storage_of("0"), 0, (3, 4), (4, 1))),
        "quantised": rebuilt(storage_of("1", 12, "QInt8Storage"), 0, (3, 4), (4, 1)),
        "evil": Call(Name("os", "system"), ("touch /tmp/evil",)),
        "config": Call(Name("argparse", "Namespace"), (), {"lr": 1}),
    }
    assert [tensor.name for tensor in read(zip_of(pickled(value), [W, W]))] == ["w"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((storage_of("0"), 0, (3, 5), (5, 1)), "ends at byte 60 of a storage of 48"),
        ((storage_of("0"), 1, (3, 4), (4, 1)), "ends at byte 52"),
        ((storage_of("0"), 0, (3, 4), (2**62, 1)), "ends at byte"),
        ((storage_of("0"), -1, (3, 4), (4, 1)), "that is none"),
        ((storage_of("0"), 0, (-3, 4), (4, 1)), "that is none"),
        ((storage_of("0"), 0, (3, 4), (4,)), "that is none"),
        ((storage_of("0"), 0, (2**70,), (0,)), "that is none"),
        ((storage_of("0"), 0, (1,) * 65, (1,) * 65), "that is none"),
        ((storage_of("0"), 0, (2**40,), (0,)), "by their shapes"),
        ((storage_of("9"), 0, (3, 4), (4, 1)), "no entry for '9'"),
        ((storage_of("0", -1), 0, (3, 4), (4, 1)), "torch does not"),
        ((storage_of("../0"), 0, (3, 4), (4, 1)), "no entry"),
        ((Persistent(("file", "x")), 0, (3, 4), (4, 1)), "no storage"),
    ],
)
def test_tensors_outside_of_their_storages_are_refused(arguments, part):
    with pytest.raises(MalformedTorch, match=part):
        read(zip_of(pickled({"w": rebuilt(*arguments)}), [W]))


def test_a_storage_described_in_two_ways_is_refused():
    value = [rebuilt(storage_of("0", n), 0, (1,), (1,)) for n in (12, 6)]
    with pytest.raises(MalformedTorch, match="two ways"):
        read(zip_of(pickled(value), [W]))


def test_compressed_archives_and_other_byte_orders_are_refused():
    with pytest.raises(MalformedTorch, match="compressed"):
        read(torch_zip({"w": Saved(W)}, compress=True))
    with pytest.raises(MalformedTorch, match="big-endian"):
        read(torch_zip({"w": Saved(W)}, byteorder=b"big"))


def test_two_entries_of_one_name_are_refused():
    data = (
        torch_zip({"w": Saved(W)})
        .replace(b"archive/version", b"archive/data/00")
        .replace(b"/data/00", b"/version")
    )
    assert read(data)
    twice = torch_zip({"w": Saved(W), "b": Saved(B)}).replace(b"archive/data/1", b"archive/data/0")
    with pytest.raises(MalformedTorch, match="two entries"):
        read(twice)


def test_what_is_no_checkpoint_is_refused():
    for data in (b"", b"hello", b"\x80\x02}."):
        with pytest.raises(MalformedTorch):
            read(data)
    with pytest.raises(MalformedZip):
        read(b"PK\x03\x04" + bytes(100))


def test_a_cyclic_dict_and_one_in_many_places_are_walked_once():
    # d = {}; d["self"] = d; d["w"] = tensor
    data = pickled(Saved(W))[2:-1]
    cyclic = b"\x80\x02}q\x63h\x63X\x04\x00\x00\x00selfh\x63sX\x01\x00\x00\x00w" + data + b"s."
    assert [tensor.name for tensor in read(zip_of(cyclic, [W]))] == ["w"]
    shared: dict = {"w": Saved(W)}
    for _ in range(50):
        shared = {"a": shared, "b": shared}
    assert len(names(shared)) == 1


def test_depth_is_bounded_without_recursion():
    deep = b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."
    with pytest.raises(MalformedTorch, match="nested deeper") as caught:
        read(zip_of(deep, []))
    assert caught.value.code == "torch_beyond_limits"
    tuples = b"\x80\x02)" + b"\x85" * 50_000 + b"."
    with pytest.raises(MalformedTorch, match="nested deeper"):
        read(zip_of(tuples, []))


def test_the_number_of_opcodes_is_bounded():
    with pytest.raises(MalformedPickle, match="opcodes") as caught:
        read(zip_of(b"\x80\x02" + b"N0" * 600_000 + b"N.", []))
    assert caught.value.code == "pickle_beyond_limits"


def test_states_and_pairs_are_not_copied_again_and_again():
    many = b"(" + b"N" * 300_000 + b"lq\x01"
    again = b"ccollections\nOrderedDict\nq\x02" + b"h\x02h\x01\x85R0" * 100
    with pytest.raises(MalformedTorch, match="pairs"):
        read(zip_of(b"\x80\x02" + many + again + b"N.", []))


def test_large_parts_without_tensors_are_walked_once():
    from time import process_time

    many: dict = {f"k{number}": [] for number in range(30_000)}
    parts = ("state_dict", "model", "module", "net", "ema", "params", "weights", "generator")
    value = {part: {"inner": many} for part in parts} | {"w": [Saved(W)]}
    data = torch_zip(value)
    before = process_time()
    assert [tensor.name for tensor in read(data)] == ["w.0"]
    assert process_time() - before < 2


def test_keys_of_a_legacy_file_that_are_no_text_are_refused():
    data = torch_legacy({"w": Saved(W)})
    keys = pickle.dumps(["0"], 2)
    nested = b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    for other in (pickle.dumps([10**4000], 2), pickle.dumps(["0", "0"], 2), nested):
        with pytest.raises(MalformedTorch, match="does not list"):
            read(data.replace(keys, other))


def test_long_names_are_refused():
    with pytest.raises(Malformed, match="characters"):
        names({"x" * 2000: Saved(W)})
    value: dict = {"w": Saved(W)}
    for _ in range(3):
        value = {"x" * 900: value}
    with pytest.raises(MalformedTorch, match="characters"):
        names(value)


def test_a_legacy_file_with_other_lengths_is_refused():
    data = torch_legacy({"w": Saved(W)})
    at = data.rindex(struct.pack("<q", 12))
    with pytest.raises(MalformedTorch, match="kind or length"):
        read(data[:at] + struct.pack("<q", 13) + data[at + 8 :])
    with pytest.raises(MalformedTorch, match="end at byte"):
        read(data[:-1])


SAMPLES = [
    write({"state_dict": OrderedDict(w=Saved(W), b=Saved(B)), "optimizer": {0: Saved(W)}})
    for write in (torch_zip, torch_legacy)
]


@given(st.sampled_from(SAMPLES), st.data())
def test_any_flipped_byte_and_any_prefix_is_read_within_bounds_or_refused(sample, draw):
    at = draw.draw(st.integers(0, len(sample) - 1))
    changed = bytearray(sample)
    changed[at] ^= draw.draw(st.integers(1, 255))
    for data in (bytes(changed), sample[:at]):
        try:
            tensors = read(data)
        except AllmendeError:
            continue
        for tensor in tensors:
            assert tensor.storage_start + tensor.storage_bytes <= len(data)
