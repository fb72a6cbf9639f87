"""safetensors and GGUF: what is found in sound and in broken files, and what no mutation may do."""

import itertools
import json
import random
import struct
import time
from collections.abc import Iterator

import pytest

from allmende.scan import FileReport, Severity, Source, Status, scan_source
from tests.attack.corpus.case import Case
from tests.attack.corpus.tensors import cases, described, gguf, safetensors, tensor, text

CASES = list(cases())
MUTATIONS = 300
PATIENCE_S = 5.0


def report_of(data: bytes, name: str = "model.safetensors") -> FileReport:
    return scan_source(Source.of_bytes(data), name)


def rules_of(data: bytes, name: str = "model.safetensors") -> set[str]:
    return {finding.rule.id for finding in report_of(data, name).findings}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.label == "benign"], ids=lambda case: case.name
)
def test_a_sound_file_is_clean(case: Case) -> None:
    assert report_of(case.make(), case.file_name).status() is Status.CLEAN


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.label != "benign"], ids=lambda case: case.name
)
def test_a_broken_file_is_not(case: Case) -> None:
    assert report_of(case.make(), case.file_name).status() >= Status.WARNED


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}-{case.name}")
def test_the_name_does_not_matter_where_the_bytes_tell(case: Case) -> None:
    data = case.make()
    told = data.startswith(b"GGUF") or (
        data[8:10] == b'{"' and int.from_bytes(data[:8], "little") < len(data)
    )
    if told and case.label == "malicious":
        assert report_of(data, "weights.dat").status() >= Status.WARNED


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (safetensors(json.dumps({"w": tensor()}).encode() + b"\n", bytes(16)), "safetensors-odd-padding"),
        (safetensors(json.dumps({"w": tensor()}).encode() + b"  ", bytes(16)), "safetensors-padded-header"),
        (safetensors({"w": {**tensor(), "x": 1}}, bytes(16)), "safetensors-extra-field"),
        (safetensors({"w\n": tensor()}, bytes(16)), "tensor-hostile-name"),
        (safetensors({"w" * 1000: tensor()}, bytes(16)), "tensor-long-name"),
        (safetensors({"__metadata__": {"a": "b" * 2**21}}), "safetensors-large-metadata"),
        (safetensors({"w": tensor(0, 64, "U8", (64,))}, b"\x7fELF" + bytes(60)), "payload-in-tensor"),
        (safetensors({"w": tensor()}, bytes(15)), "unreadable"),
        (gguf(b"", 0, described("a"), 1, bytes(64)), "gguf-trailing-bytes"),
        (gguf(b"", 0, described("a", (3,)), 1, bytes(12) + b"x" * 20), "gguf-filled-padding"),
        (gguf(text("a") + struct.pack("<I", 8) + text("#!/bin/sh\n"), 1), "payload-in-metadata"),
        (gguf(b"", 1 << 40), "limit-reached"),
    ],
)
def test_each_rule_has_its_case(data: bytes, rule: str) -> None:
    assert rule in rules_of(data)


def test_a_payload_in_metadata_is_no_more_than_a_warning() -> None:
    report = report_of(safetensors({"__metadata__": {"a": "cos\ngetpid\n(S'x'\ntR."}}))
    assert [finding.severity for finding in report.findings] == [Severity.MEDIUM]


@pytest.mark.parametrize(
    "words", ["cat\ndog\nbird\n", "chat\nmodel\n(S)", "80" * 32, "MZ", "PK", "TVqQ", "a" * 500]
)
def test_words_are_no_payload(words: str) -> None:
    assert rules_of(safetensors({"__metadata__": {"a": words}})) == set()


def test_formats_before_gguf_are_not_held_to_its_rules() -> None:
    assert "gguf" not in report_of(b"tjgg" + bytes(100), "ggml-model.gguf").formats


def test_a_large_file_is_not_read() -> None:
    class Counting:
        read_bytes = 0
        position = 0
        head = safetensors({"w": tensor(0, 1 << 36, shape=(1 << 34,))})

        def seek(self, offset: int) -> int:
            self.position = offset
            return offset

        def read(self, count: int) -> bytes:
            self.read_bytes += count
            start, self.position = self.position, self.position + count
            return self.head[start : start + count].ljust(count, b"\0")

    file = Counting()
    report = scan_source(Source(file, len(file.head) + (1 << 36)), "model.safetensors")  # type: ignore[arg-type]
    assert report.status() is Status.CLEAN
    assert file.read_bytes < 4 * 1024 * 1024


def mutated(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data))
    flipped = bytes([data[place] ^ (1 << source.randrange(8))])
    return source.choice((data[:place], data[:place] + flipped + data[place + 1 :]))


def sound() -> Iterator[tuple[bytes, str]]:
    for case in CASES:
        if case.label == "benign":
            yield case.make(), case.file_name


@pytest.mark.parametrize("seed", range(3))
def test_a_mutation_gets_an_answer_in_time(seed: int) -> None:
    source, files = random.Random(seed), list(sound())
    for _ in range(MUTATIONS):
        data, name = source.choice(files)
        changed = mutated(data, source)
        started = time.process_time()
        assert report_of(changed, name).formats
        assert time.process_time() - started < PATIENCE_S


def test_what_is_clean_means_the_same_to_every_reader_of_the_header() -> None:
    data = safetensors(
        {"__metadata__": {"a": "b"}, "u": tensor(), "v": tensor(16, 20, "I8", (2, 2))}, bytes(20)
    )
    length = int.from_bytes(data[:8], "little")
    for place in range(8 + length):
        for bit in range(8):
            changed = data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
            if report_of(changed).status() >= Status.WARNED:
                continue
            first: list[object] = json.loads(changed[8 : 8 + length], object_pairs_hook=list)
            last = json.loads(changed[8 : 8 + length])
            assert len(first) == len(last)
            last.pop("__metadata__", None)
            ends = sorted(tuple(entry["data_offsets"]) for entry in last.values())
            assert ends[-1][1] == 20
            assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(ends))
