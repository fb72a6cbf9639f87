"""What objects may get as their state: what libraries write passes, what was changed in it does not."""

import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from allmende.scan import FileReport, Source, Status, scan_source
from allmende.scan.pickles.hash_tally import HashTally
from allmende.scan.pickles.values import Global, Node
from tests.attack.corpus.pickle_states import NAMESPACE, built, call, made, name, whole

MODULUS = 2**61 - 1


def scan(data: bytes, file_name: str = "m.pkl") -> FileReport:
    return scan_source(Source.of_bytes(data), file_name)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


class TestTypesOfArrays:
    @pytest.mark.parametrize(
        "dtype",
        [
            "f8", ">i4", "?", "U3", "S0", "S10", "V5", "M8[ns]", "m8[D]", "c16", "g", "O",
            [("a", "f4"), ("b", "O")], [("a", "f8", (2, 3))], [("a", [("b", "O"), ("c", "U2")])],
            np.dtype([("a", "i1"), ("b", "f8")], align=True),
            np.dtype({"names": ["a", "b"], "formats": ["f4", "f4"], "offsets": [0, 0]}),
            np.dtype({"names": ["a"], "formats": ["f4"], "offsets": [8], "itemsize": 32}),
            np.dtype([(("title", "a"), "f4")]), np.dtype((np.record, [("a", "i4")])),
            np.dtype("f8", metadata={"a": 1}), np.dtype([]),
        ],
        ids=str,
    )  # fmt: skip
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_what_numpy_writes_is_clean(self, dtype: object, protocol: int) -> None:
        kind = np.dtype(dtype)  # type: ignore[call-overload]  # whatever numpy takes
        report = scan(pickle.dumps([kind, np.zeros(2, kind)], protocol))
        assert report.status() is Status.CLEAN, report.findings

    @settings(max_examples=150, deadline=None)
    @given(hnp.array_dtypes(subtype_strategy=hnp.scalar_dtypes(), allow_subarrays=True))
    def test_records_of_any_kind_are_clean(self, dtype: "np.dtype[np.generic]") -> None:
        assert scan(pickle.dumps(dtype, 4)).status() is Status.CLEAN

    @settings(max_examples=150, deadline=None)
    @given(st.integers(1, 64), st.integers(-64, 64), st.integers(0, 63))
    def test_a_field_lies_inside_its_element_and_the_flags_are_right(
        self, size: int, offset: int, flags: int
    ) -> None:
        inner = built(call("numpy.dtype", "f8", False, True), (3, "<", None, None, None, -1, -1, 0))
        state = (3, "|", None, ("a",), {"a": (inner, offset)}, size, 1, flags)
        report = scan(whole(built(call("numpy.dtype", f"V{size}", False, True), state)))
        sound = 0 <= offset <= size - 8 and not flags & 1
        assert ("pickle-forged-dtype" in rules_of(report)) is not sound


class TestAttributes:
    @settings(max_examples=100, deadline=None)
    @given(st.dictionaries(st.text(max_size=12), st.integers() | st.text(max_size=5) | st.none(), max_size=6))
    def test_plain_attributes_pass(self, attributes: dict[str, object]) -> None:
        report = scan(whole(built(made(NAMESPACE), attributes)))
        assert report.status() is Status.CLEAN or any(key.startswith("__") for key in attributes)

    @pytest.mark.parametrize("value", [5, "text", None, [1], {"a": 1}])
    @pytest.mark.parametrize("key", ["append", "extend", "add", "keys", "items"])
    def test_data_may_be_called_like_a_method(self, key: str, value: object) -> None:
        assert scan(whole(built(made(NAMESPACE), {key: value}))).status() is Status.CLEAN

    def test_data_may_hold_any_word_as_a_key(self) -> None:
        words = dict.fromkeys(("__setstate__", "__class__", "append", "__init__"), 1)
        assert scan(pickle.dumps({"vocabulary": words})).status() is Status.CLEAN

    def test_a_function_is_refused_wherever_it_lies(self) -> None:
        function = name("copyreg._reconstructor")
        for value in ([function], {"a": function}, ((function,), [1])):
            report = scan(whole(built(made(NAMESPACE), {"x": value})))
            assert "pickle-function-as-data" in rules_of(report)


class TestHashTally:
    def test_what_hashes_alike_is_counted(self) -> None:
        tally = HashTally()
        tally.add([number * MODULUS for number in range(1, 501)])
        tally.add([Node((number * MODULUS, 1)) for number in range(1, 1001)])
        assert tally.worst == 1000

    def test_ordinary_keys_do_not_count(self) -> None:
        tally, source = HashTally(), random.Random(1)
        tally.add([b"text"] * 5000)
        tally.add(range(5000))
        tally.add([source.getrandbits(64) for _ in range(100_000)])
        tally.add([Node((number, b"text")) for number in range(5000)])
        assert tally.worst <= 2

    def test_numbers_that_calls_made_count_together(self) -> None:
        tally = HashTally()
        tally.add([Node((1, 2), Global("fractions", "Fraction"))] * 20)
        assert tally.worst == 20
