"""Tar archives (POSIX pax, GNU, ustar, version 7), read header by header; each must be sound.

Extended headers are applied as the usual programs apply them; where two of them would be applied differently,
or where a header and its extension disagree, the archive cannot be trusted to be read in one way.
"""

import re
from dataclasses import replace
from typing import Final

from allmende.scan.containers.link_chains import MemberLink, check_links
from allmende.scan.containers.member_paths import UNSAFE_PATH, check_path, check_twins, is_outside
from allmende.scan.containers.tar_headers import BLOCK, TarHeader, header_text, is_header, read_header
from allmende.scan.containers.unpacking import NOT_UNPACKED
from allmende.scan.containers.zip_reader import DEVICE, HIDDEN
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

DISAGREEMENT = Rule(
    "tar-disagreement",
    Severity.HIGH,
    "headers of a member disagree",
    "The member is described twice, and differently; programs differ in which description they take.",
    "Pack the files again.",
    "CWE-436: interpretation conflict.",
)
RULES = (DISAGREEMENT,)

_MAX_EXTENSION_BYTES: Final = 1024 * 1024
_REGULAR: Final = frozenset(b"\x0007")
_DIRECTORY, _HARD_LINK, _SYMLINK = ord("5"), ord("1"), ord("2")
_LINKS: Final = frozenset((_HARD_LINK, _SYMLINK))
_DEVICES: Final = frozenset(b"346")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = ord("L"), ord("K"), ord("x"), ord("g"), ord("S")
_MAX_DIGITS: Final = 20
_PAX_RECORD: Final = re.compile(rb"(\d{1,8}) ([^=]+)=")
_TORCH_HINTS: Final = {
    "sys_info": "torch-pickle", "pickle": "torch-pickle", "storages": "torch-tar-storages",
    "tensors": "torch-tar-tensors",
}  # fmt: skip


def _claims(probe: Probe) -> Claim:
    """A right checksum, however oddly it is written; or the magic, whatever the checksum."""
    return Claim.CONTENT if is_header(probe.head[:BLOCK]) else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """All members, then what follows the end. Raises Unreadable, LimitReached."""
    members: list[TarHeader] = []
    position = 0
    failure: Unreadable | None = None
    while failure is None and source.read_at(position, BLOCK).strip(b"\0"):
        try:
            header, position = _next_member(source, position, scan)
        except Unreadable as broken:
            failure = broken
            continue
        if header is not None:
            members.append(header)
            scan.budget.add_members()
    check_twins((member.name for member in members), scan)
    is_torch = {member.name.rpartition("/")[2] for member in members} >= _TORCH_HINTS.keys()
    for member in members:
        _look_into(source, member, scan, is_torch=is_torch)
    _check_links(members, scan)
    if failure is not None:
        # A lenient program takes what follows for a member, or goes on at the next sound header.
        behind = position + BLOCK
        scan.inside(f"bytes at {behind}", source.window(behind, source.size_bytes), raw=True)
        raise failure
    _check_end(source, position, scan)


def _next_member(source: Source, position: int, scan: Scan) -> tuple[TarHeader | None, int]:
    """The member at `position` with its extensions applied, and where the next header is."""
    extensions: dict[str, str] = {}
    while True:
        header = read_header(source, position)
        following = header.start + -(-header.size_bytes // BLOCK) * BLOCK
        if header.start + header.size_bytes > source.size_bytes:
            raise Unreadable(f"The data of {header.name!r} go beyond the end of the file.", position)
        if header.kind not in {_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL}:
            return _extended(source, header, following, extensions, scan)
        if header.size_bytes > _MAX_EXTENSION_BYTES:
            raise Unreadable("An extended header is too large.", position)
        data = source.read_at(header.start, header.size_bytes)
        if header.kind == _LONG_NAME:
            told = {"path": header_text(data)}
        elif header.kind == _LONG_LINK:
            told = {"linkpath": header_text(data)}
        else:
            told = _pax_records(data, position)
        _check_extension(header, told, extensions, scan)
        extensions.update(told)
        scan.budget.add_members()
        position = following
        if not source.read_at(position, BLOCK).strip(b"\0"):
            return None, position


def _check_extension(header: TarHeader, told: dict[str, str], extensions: dict[str, str], scan: Scan) -> None:
    """Programs differ in which of two extensions they take, and for how long they keep a global one."""
    for key in ("path", "linkpath", "size"):
        if key not in told:
            continue
        if header.kind == _PAX_GLOBAL or extensions.get(key, told[key]) != told[key]:
            scan.found(DISAGREEMENT, f"{key}={told[key]}", inside=header.name)
        if key == "path" and is_outside(told[key]):
            scan.found(UNSAFE_PATH, told[key], inside=header.name)


def _extended(
    source: Source, header: TarHeader, following: int, extensions: dict[str, str], scan: Scan
) -> tuple[TarHeader, int]:
    if any(name.startswith("GNU.sparse") for name in extensions):
        scan.found(NOT_UNPACKED, "sparse file", inside=header.name)
    header = replace(
        header, name=extensions.get("path", header.name), link=extensions.get("linkpath", header.link)
    )
    told = extensions.get("size")
    if told is None or told == str(header.size_bytes):
        return header, following
    if not told.isdecimal() or len(told) > _MAX_DIGITS:
        raise Unreadable(f"The size of {header.name!r} is {told[:20]!r}.", header.start)
    if header.size_bytes:
        scan.found(DISAGREEMENT, f"size {header.size_bytes} and {told}", inside=header.name)
    header = replace(header, size_bytes=int(told))
    if header.start + header.size_bytes > source.size_bytes:
        raise Unreadable(f"The data of {header.name!r} go beyond the end of the file.", header.start)
    return header, header.start + -(-header.size_bytes // BLOCK) * BLOCK


def _pax_records(data: bytes, position: int) -> dict[str, str]:
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        match = _PAX_RECORD.match(data, at)
        length = int(match[1]) if match else 0
        if match is None or length < 5 or at + length > len(data) or data[at + length - 1] != 0x0A:
            raise Unreadable("An extended header cannot be read.", position)
        records[match[2].decode("utf-8", "replace")] = data[match.end() : at + length - 1].decode(
            "utf-8", "replace"
        )
        at += length
    return records


def _check_links(members: list[TarHeader], scan: Scan) -> None:
    links = [
        MemberLink(member.name, member.link, is_symbolic=member.kind == _SYMLINK)
        for member in members
        if member.kind in _LINKS
    ]
    check_links(links, [member.name for member in members if member.kind in _REGULAR], scan)


def _look_into(source: Source, member: TarHeader, scan: Scan, *, is_torch: bool) -> None:
    check_path(member.name, scan)
    if is_outside(member.other_name) and member.kind != _SPARSE:
        scan.found(UNSAFE_PATH, member.other_name)
    if member.kind in _DEVICES:
        scan.found(DEVICE, chr(member.kind), inside=member.name)
    elif member.kind in _REGULAR:
        base = member.name.rpartition("/")[2]
        hint = _TORCH_HINTS.get(base) if is_torch else None
        scan.inside(member.name, source.window(member.start, member.size_bytes), hint=hint)
    elif member.kind != _DIRECTORY and member.kind not in _LINKS:
        scan.found(NOT_UNPACKED, f"tar member of type {chr(member.kind)!r}", inside=member.name)
        scan.inside(member.name, source.window(member.start, member.size_bytes))


def _check_end(source: Source, position: int, scan: Scan) -> None:
    """Behind the end there may be zeros alone; a program told to ignore them would go on."""
    while block := source.read_at(position, 64 * 1024):
        kept = block.lstrip(b"\0")
        if kept:
            at = position + len(block) - len(kept)
            scan.found(HIDDEN, kept[:32], detail="Bytes follow the end of the archive.", offset=at)
            for start in sorted({at, at // BLOCK * BLOCK}):
                scan.inside(f"bytes at {start}", source.window(start, source.size_bytes), raw=True)
            return
        position += len(block)


READER = Reader("tar", "tar", _claims, _read)
