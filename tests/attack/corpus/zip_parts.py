"""Zip files put together byte by byte, so that every field can say what no writer would let it say."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Member", "zip_file"]

STORED, DEFLATED, DEFLATED64, BZIP2, LZMA, ZSTD = 0, 8, 9, 12, 14, 93


def _packed(data: bytes, method: int) -> bytes:
    if method == DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()
    if method == BZIP2:
        return bz2.compress(data)
    if method == LZMA:
        filters = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 16}]
        packed = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
        return b"\x09\x04\x05\x00" + bytes([3 + 9 * (0 + 5 * 2)]) + struct.pack("<I", 1 << 16) + packed
    return data


@dataclass(frozen=True, slots=True)
class Member:
    """One member. `local` and `central` replace fields of one header and leave the other alone."""

    name: str | bytes
    data: bytes = b""
    method: int = STORED
    flags: int = 0
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    attributes: int = 0o100644 << 16
    system: int = 3
    behind: bytes = b""
    """What follows the data: a descriptor, or something hidden."""
    unlisted: bool = False
    """Whether the directory leaves it out."""

    @property
    def raw_name(self) -> bytes:
        """The name as it is written."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    def fields(self) -> dict[str, int]:
        """What an honest header says."""
        return {
            "flags": self.flags | (0 if self.raw_name.isascii() else 0x800),
            "method": self.method,
            "crc": zlib.crc32(self.data),
            "packed": len(_packed(self.data, self.method)),
            "size": len(self.data),
        }

    def local_record(self) -> bytes:
        """Header, name, extra and data."""
        values = {**self.fields(), **self.local}
        name = self.raw_name if self.local_name is None else self.local_name
        header = struct.pack(
            "<4s5H3L2H", b"PK\3\4", 20, values["flags"], values["method"], 0, 0x21, values["crc"],
            values["packed"], values["size"], len(name), len(self.local_extra),
        )  # fmt: skip
        return header + name + self.local_extra + _packed(self.data, self.method) + self.behind

    def central_record(self, offset: int) -> bytes:
        """The entry in the directory."""
        values = {**self.fields(), "offset": offset, **self.central}
        header = struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", self.system << 8 | 20, 20, values["flags"], values["method"], 0, 0x21,
            values["crc"], values["packed"], values["size"], len(self.raw_name), len(self.central_extra), 0,
            0, 0, self.attributes, values["offset"],
        )  # fmt: skip
        return header + self.raw_name + self.central_extra


def zip_file(
    members: Iterable[Member],
    *,
    prefix: bytes = b"",
    before_directory: bytes = b"",
    before_end: bytes = b"",
    comment: bytes = b"",
    tail: bytes = b"",
    end: Mapping[str, int] | None = None,
    shifted: bool = False,
) -> bytes:
    """An archive of these members. `end` replaces fields of the end record.

    With `shifted`, offsets count from the first header and not from the beginning of the file.
    """
    base = len(prefix) if shifted else 0
    body, directory, count = prefix, b"", 0
    for member in members:
        if not member.unlisted:
            directory += member.central_record(len(body) - base)
            count += 1
        body += member.local_record()
    body += before_directory
    values = {
        "disk": 0, "first_disk": 0, "here": count, "count": count, "size": len(directory),
        "offset": len(body) - base, "comment": len(comment), **(end or {}),
    }  # fmt: skip
    record = struct.pack("<4s4H2LH", b"PK\5\6", *values.values())
    return body + directory + before_end + record + comment + tail
