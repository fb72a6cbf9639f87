"""Deltas: what is built gives the file again, and whatever else is sent gives nothing."""

import io
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import pytest

from allmende.codecs import BytesPlain
from allmende.ids import Sha256
from allmende.packing import DeltaBuilder, DeltaDoesNotPay, DeltaRefused, read_delta, rebuild
from allmende.packing.delta_format import BaseObject, DeltaBase, Kind, write_delta_head
from allmende.weights.places import BytesPlace
from tests.unit.packing.deltas import A, delta_of, rebuilt, safetensors
from tests.unit.packing.stored_files import near
from tests.unit.packing.test_round_trip import FORMATS

ROWS, WIDTH = 128, 512


def weights(seed: int, layers: int = 4) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    found = {f"model.layers.{n}.up.weight": random.normal(0, 0.05, (ROWS, WIDTH)) for n in range(layers)}
    found |= {f"model.layers.{n}.norm.weight": random.normal(1, 0.01, (WIDTH,)) for n in range(layers)}
    return found


def moved(arrays: dict[str, np.ndarray], seed: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        name: value if ".0." in name else value + random.normal(0, 5e-5, value.shape)
        for name, value in arrays.items()
    }


def test_a_fine_tune_is_small_and_comes_back() -> None:
    base = weights(1)
    old, new = safetensors(base), safetensors(moved(base))
    sent = delta_of(new, [old])
    assert len(sent) < 0.15 * len(new)
    assert rebuilt(sent, new, [old]) == new


@pytest.mark.parametrize("form", FORMATS)
def test_other_formats_come_back(form: Callable[[dict[str, np.ndarray]], bytes]) -> None:
    base = {f"blk.{n}.ffn_up.weight": one for n, one in enumerate(floats(1))}
    tuned = {name: one if ".0." in name else near(one) for name, one in base.items()}
    old, new = form(base), form(tuned)
    sent = delta_of(new, [old])
    assert len(sent) < 0.7 * len(new)
    assert rebuilt(sent, new, [old]) == new


def floats(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(0, 0.05, (64, 512)).astype(np.float32) for _ in range(3)]


def test_a_base_that_is_not_used_is_not_named() -> None:
    base = weights(1)
    old, new = safetensors(base), safetensors(moved(base))
    sent = delta_of(new, [safetensors(weights(7)), old])
    delta = read_delta(BytesPlain(sent), len(new))
    assert [one.size_bytes for one in delta.bases] == [len(old)]
    assert rebuilt(sent, new, [old]) == new


def test_what_is_no_kin_does_not_pay() -> None:
    random = np.random.default_rng(3)
    noise = {"a": random.integers(0, 256, (64, 4096), np.uint8)}
    with pytest.raises(DeltaDoesNotPay):
        delta_of(safetensors(noise, "U8"), [safetensors(weights(1))])
    with pytest.raises(DeltaDoesNotPay):
        delta_of(b"no weights at all" * 1000, [safetensors(weights(1))])


def test_extended_vocabularies_and_files_in_another_order() -> None:
    base = weights(1)
    more = moved(base)
    extra = np.random.default_rng(8).normal(0, 0.05, (8, WIDTH))
    more["model.layers.1.up.weight"] = np.concatenate([more["model.layers.1.up.weight"], extra])
    new = safetensors(dict(reversed(more.items())))
    old = safetensors(base)
    assert rebuilt(delta_of(new, [old]), new, [old]) == new


# --- what others may send ----------------------------------------------------------------------------------


def small() -> tuple[bytes, bytes, bytes]:
    base = weights(1, 2)
    old, new = safetensors(base), safetensors(moved(base))
    return old, new, delta_of(new, [old])


@pytest.mark.parametrize("cut", [0, 7, 8, 35, 36, 100, 200, -1, -1000])
def test_what_is_cut_off_is_refused(cut: int) -> None:
    old, new, sent = small()
    with pytest.raises(DeltaRefused):
        rebuilt(sent[:cut], new, [old])


def test_what_is_too_long_is_refused() -> None:
    old, new, sent = small()
    with pytest.raises(DeltaRefused):
        rebuilt(sent + b"\0", new, [old])


def test_every_changed_byte_is_found() -> None:
    """By the delta's own rules, or by other bytes at the end: nothing else is ever raised."""
    old, new, sent = small()
    random = np.random.default_rng(2)
    places = {*range(200), *random.integers(0, len(sent), 300).tolist()}
    for place in sorted(places):
        wrong = bytearray(sent)
        wrong[place] ^= 1 << int(random.integers(8))
        with suppress(DeltaRefused):
            assert len(rebuilt(bytes(wrong), new, [old])) == len(new)


def test_another_base_of_the_same_size_gives_nothing() -> None:
    _, new, sent = small()
    with pytest.raises(DeltaRefused):
        rebuilt(sent, new, [safetensors(weights(9, 2))])


def head(
    segments: Sequence[tuple[int, int, int]],
    *,
    bases: tuple[DeltaBase, ...] = (DeltaBase(A, 1000),),
    objects: tuple[BaseObject, ...] = (),
    literals: bytes = b"",
    lengths: tuple[int, ...] = (),
) -> bytes:
    return write_delta_head(bases, objects, segments, literals, lengths)


def of_base(*stretches: tuple[int, int], base: int = 0, name: str = "1") -> BaseObject:
    return BaseObject(name * 64, base, stretches)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda: head([(Kind.LITERAL, 0, 5)], literals=b"1234"), 5),
        (lambda: head([(Kind.LITERAL, 0, 4)], literals=b"1234"), 5),
        (lambda: head([(Kind.LITERAL, 1, 4)], literals=b"1234"), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)]), 4),
        (lambda: head([(Kind.OBJECTS + 7, 0, 4)], objects=(of_base((0, 4)),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)], objects=(of_base((999, 4)),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)], objects=(of_base((2**64 - 1, 4)),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)], objects=(of_base((0, 4), base=3),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)], objects=(of_base(),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 4)], objects=(of_base((0, 4)), of_base((0, 4)))), 4),
        (lambda: head([(Kind.OBJECTS, 2, 4)], objects=(of_base((0, 4)),)), 4),
        (lambda: head([(Kind.OBJECTS, 0, 0)], objects=(of_base((0, 4)),)), 0),
        (lambda: head([(Kind.OBJECTS, 0, 2**63), (Kind.OBJECTS, 0, 2**63)], objects=(of_base((0, 4)),)), 4),
    ],
)
def test_what_makes_no_sense_is_refused(build: Callable[[], bytes], size: int) -> None:
    with pytest.raises(DeltaRefused):
        sent = BytesPlain(build())
        rebuild(
            sent, read_delta(sent, size), [BytesPlace("b", bytes(1000))], size, io.BytesIO(), lambda _: None
        )


def test_counts_beyond_the_rules_are_refused_before_memory_is_taken() -> None:
    for place in range(6):
        counts = [0] * 6
        counts[place] = 2**31
        with pytest.raises(DeltaRefused):
            read_delta(BytesPlain(struct.pack("<8sIIIIIQ", b"AllmDlt1", *counts)), 10)


def test_an_encoding_that_decodes_to_more_than_the_content_is_refused() -> None:
    """A bomb: a few bytes that say that they are 200 MiB."""
    from allmende.codecs import word_type, write_encoding

    class Zeros:
        size_bytes = 200 * 1024 * 1024

        def read_at(self, start: int, count: int) -> memoryview:
            return memoryview(bytes(count))

    bomb = write_encoding(Zeros(), word_type("U8"), None, lambda _: BytesPlain(b""))
    body = b"".join(bytes(part) for part in bomb.parts)
    sent = head([(Kind.OBJECTS, 0, 1000)], bases=(), lengths=(len(body),)) + body
    written: list[int] = []
    plain = BytesPlain(sent)
    with pytest.raises(DeltaRefused, match="more than its content"):
        rebuild(
            plain, read_delta(plain, 1000), [], 1000, io.BytesIO(), lambda data: written.append(len(data))
        )
    assert not written


def test_countless_jumps_in_a_base_end_at_the_bound() -> None:
    """Each of them could decode a block of what the hub stores packed."""
    there = b"x" * (8 * 1024 * 1024)
    many = tuple(((n % 2) * 4_000_000 + n, 1) for n in range(200_000))
    sent = BytesPlain(
        head([(Kind.OBJECTS, 0, 200_000)], bases=(DeltaBase(A, len(there)),), objects=(of_base(*many),))
    )
    reads = 0

    class Place(BytesPlace):
        def read_at(self, start: int, count: int) -> memoryview:
            nonlocal reads
            reads += 1
            return super().read_at(start, count)

    with pytest.raises(DeltaRefused, match="more work"):
        rebuild(sent, read_delta(sent, 200_000), [Place("b", there)], 200_000, io.BytesIO(), lambda _: None)
    assert reads < 600


def test_an_object_that_is_wanted_in_many_parts_is_decoded_once() -> None:
    from allmende.codecs import word_type, write_encoding

    data = np.random.default_rng(4).integers(0, 9, 400_000, np.uint8).tobytes()
    encoded = write_encoding(BytesPlain(data), word_type("U8"), None, lambda _: BytesPlain(b""))
    body = b"".join(bytes(part) for part in encoded.parts)
    backwards = [(Kind.OBJECTS, start, 1000) for start in range(399_000, -1, -1000)]
    sent = BytesPlain(head(backwards, bases=(), lengths=(len(body),)) + body)
    out = bytearray()
    spare = io.BytesIO()
    rebuild(sent, read_delta(sent, len(data)), [], len(data), spare, out.extend)
    assert bytes(out) == b"".join(data[start : start + 1000] for start in range(399_000, -1, -1000))
    assert len(spare.getvalue()) == len(data)


def test_an_encoding_rests_on_bases_alone() -> None:
    """So there is no circle, and no chain of one on the other."""
    base = weights(1, 2)
    old, new = safetensors(base), safetensors(moved(base))
    sent = delta_of(new, [old])
    delta = read_delta(BytesPlain(sent), len(new))
    start, size = delta.encodings[0]
    body = sent[start : start + size]
    alone = head([(Kind.OBJECTS, 0, 1)], bases=(), lengths=(size,)) + body
    plain = BytesPlain(alone)
    with pytest.raises(DeltaRefused):
        rebuild(plain, read_delta(plain, 1), [], 1, io.BytesIO(), lambda _: None)
    twice = head([(Kind.OBJECTS, 0, len(new))], bases=(), lengths=(size, size)) + body * 2
    plain = BytesPlain(twice)
    with pytest.raises(DeltaRefused):
        rebuild(plain, read_delta(plain, len(new)), [], len(new), io.BytesIO(), lambda _: None)


def test_a_base_is_of_use_only_with_weights() -> None:
    builder = DeltaBuilder()
    assert not builder.add_base(BytesPlace("a", b"text" * 100), Sha256("0" * 64))
    assert not builder.has_bases
    assert builder.add_base(BytesPlace("b", safetensors(weights(1, 1))), A)
