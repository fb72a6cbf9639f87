"""What is blocked because only an attacker writes it, and what looks alike and may be damage."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile

import pytest

from allmende.scan import FileReport, Limits, Source, Status, scan_source

MIB = 1024 * 1024


def scanned(data: bytes, name: str, limits: Limits | None = None) -> FileReport:
    return scan_source(Source.of_bytes(data), name, limits)


def rules(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


def judged(data: bytes, name: str, limits: Limits | None = None) -> tuple[Status, set[str]]:
    report = scanned(data, name, limits)
    return report.status(), rules(report)


class TestBombs:
    LIMITS = Limits(ratio_free_bytes=MIB, bomb_bytes=8 * MIB)

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (gzip.compress(bytes(9 * MIB)), "a.gz"),
            (lzma.compress(bytes(9 * MIB)), "a.xz"),
            (bz2.compress(bytes(9 * MIB)), "a.bz2"),
            (bz2.compress(bytes(MIB)) * 10, "a.bz2"),
            (gzip.compress(bytes(MIB * 3)) * 4, "a.gz"),
        ],
    )
    def test_what_grows_beyond_all_measure_is_one(self, data: bytes, name: str) -> None:
        assert judged(data, name, self.LIMITS) == (Status.BLOCKED, {"resource-bomb"})

    @pytest.mark.parametrize(
        ("data", "name"), [(gzip.compress(bytes(4 * MIB)), "a.gz"), (bz2.compress(bytes(MIB)) * 3, "a.bz2")]
    )
    def test_a_table_of_zeros_may_be_honest(self, data: bytes, name: str) -> None:
        status, found = judged(data, name, self.LIMITS)
        assert status is Status.QUARANTINED
        assert "limit-reached" in found

    def test_the_member_of_a_zip_file_is_counted_to_its_end(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.bin", bytes(9 * MIB))
        assert judged(buffer.getvalue(), "a.zip", self.LIMITS)[0] is Status.BLOCKED

    def test_aliases_of_yaml(self) -> None:
        def grown(depth: int) -> bytes:
            lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
            lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, depth)]
            return "\n".join(lines).encode()

        assert judged(grown(9), "a.yaml") == (Status.BLOCKED, {"resource-bomb"})
        assert judged(grown(6), "a.yaml") == (Status.QUARANTINED, {"yaml-alias-growth"})

    @pytest.mark.parametrize(
        ("template", "status"),
        [
            ("{% for i in range(1000000000) %}x{% endfor %}", Status.BLOCKED),
            ("{{ 'ab' * 100000000 }}", Status.BLOCKED),
            ("{% for m in messages %}{% set s = s ~ s ~ s %}{% endfor %}", Status.BLOCKED),
            ("{% for i in range(200000) %}x{% endfor %}", Status.QUARANTINED),
            ("{% for i in range(200) %}x{% endfor %}", Status.CLEAN),
        ],
    )
    def test_templates(self, template: str, status: Status) -> None:
        assert judged(template.encode(), "chat_template.jinja")[0] is status

    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (b"\x80\x04Nr\xff\xff\xff\x7f.", Status.BLOCKED),
            (b"\x80\x04Nr\x00\x00\x02\x00.", Status.QUARANTINED),
            (b"cbuiltins\nbytearray\n(L300000000000L\ntR.", Status.BLOCKED),
            (b"cbuiltins\nbytearray\n(L2000000000L\ntR.", Status.QUARANTINED),
            (b"cbuiltins\nset\n(cbuiltins\nrange\n(L100000000000L\ntRtR.", Status.BLOCKED),
            (b"cbuiltins\nset\n(cbuiltins\nrange\n(L2000000L\ntRtR.", Status.QUARANTINED),
        ],
    )
    def test_pickles(self, data: bytes, status: Status) -> None:
        assert judged(data, "a.pkl")[0] is status

    def test_a_key_that_is_hashed_for_ever(self) -> None:
        value: object = (1,)
        for _ in range(60):
            value = (value, value)
        parts = pickle.dumps(value, 4)[11:-1]  # without the protocol, the frame, and the end
        assert judged(b"}" + parts + b"K\x01s.", "a.pkl")[0] is Status.BLOCKED
        assert judged(b"]" + parts + b"a.", "a.pkl")[0] is Status.QUARANTINED


def safetensors(header: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + data


def gguf(tensors: int = 0, keys: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


class TestSizes:
    @pytest.mark.parametrize(
        ("data", "name", "status"),
        [
            (gguf(tensors=2**60), "a.gguf", Status.BLOCKED),
            (gguf(tensors=200_000), "a.gguf", Status.QUARANTINED),
            (gguf(keys=1, rest=struct.pack("<Q", 2**64 - 1)), "a.gguf", Status.BLOCKED),
            (gguf(keys=1, rest=text(b"general.x")[:12]), "a.gguf", Status.QUARANTINED),
            (
                gguf(tensors=1, rest=text(b"w") + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0)),
                "a.gguf",
                Status.BLOCKED,
            ),
            (
                gguf(tensors=1, rest=text(b"w") + struct.pack("<IQIQ", 1, 2**30, 0, 0)),
                "a.gguf",
                Status.QUARANTINED,
            ),
            (
                safetensors(
                    json.dumps({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}),
                    b"abcd",
                ),
                "a.safetensors",
                Status.BLOCKED,
            ),
            (
                safetensors(json.dumps({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}})),
                "a.safetensors",
                Status.QUARANTINED,
            ),
            (struct.pack("<Q", 2**63) + bytes(100), "a.safetensors", Status.QUARANTINED),
        ],
    )
    def test_what_no_machine_holds(self, data: bytes, name: str, status: Status) -> None:
        assert judged(data, name)[0] is status

    @pytest.mark.parametrize(("rows", "status"), [(2**50, Status.BLOCKED), (100, Status.QUARANTINED)])
    def test_arrays(self, rows: int, status: Status) -> None:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows},), }}\n".encode()
        data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
        assert judged(data, "a.npy")[0] is status


class TestReadings:
    def test_a_header_with_a_key_twice(self) -> None:
        entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
        assert judged(safetensors(f'{{"w":{entry},"w":{entry}}}', b"x"), "a.safetensors") == (
            Status.BLOCKED,
            {"two-readings"},
        )
        assert judged(b'{"a": 1, "a": 2}', "config.json")[0] < Status.BLOCKED

    @pytest.mark.parametrize(
        ("local", "status"),
        [
            (b"other.bin", Status.BLOCKED),
            (b"modem.bin", Status.QUARANTINED),
            (b"mod\xe9l.bin", Status.QUARANTINED),
            (b"model.bin", Status.NOT_SCANNED),
        ],
    )
    def test_a_member_with_two_names(self, local: bytes, status: Status) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model.bin", bytes(range(1, 200)))
        data = buffer.getvalue().replace(b"model.bin", local, 1)
        assert judged(data, "a.zip")[0] is status

    @pytest.mark.parametrize(("members", "status"), [(5, Status.BLOCKED), (2, Status.QUARANTINED)])
    def test_members_that_lie_within_each_other(self, members: int, status: Status) -> None:
        """Each record reaches to the end of all; the last of two could be one size that was damaged."""
        records = b""
        directory = b""
        offsets = []
        names = [f"{number}.bin".encode() for number in range(members)]
        whole = sum(30 + len(name) for name in names) + 100
        for name in names:
            offsets.append(len(records))
            size = whole - len(records) - 30 - len(name)
            records += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, size, size, len(name), 0) + name
        records += bytes(100)
        for name, offset in zip(names, offsets, strict=True):
            size = whole - offset - 30 - len(name)
            directory += struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, size, size, len(name), 0, 0, 0, 0, 0, offset
            )
            directory += name
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, members, members, len(directory), len(records), 0)
        assert judged(records + directory + end, "a.zip")[0] is status
