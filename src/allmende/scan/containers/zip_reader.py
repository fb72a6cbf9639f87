"""Zip files, held to be read the same way by every program; what is in them is scanned by what it is.

Directory and local headers must agree, members must not overlap, nothing may hide between, before or behind
them. What lenient readers would still open is read as well, so that both views are looked at.
"""

import stat
from functools import partial
from itertools import islice
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.containers.layouts import SHORT_STORAGE, layout_of
from allmende.scan.containers.link_chains import MemberLink, check_links
from allmende.scan.containers.member_paths import check_path, check_twins
from allmende.scan.containers.tar_headers import BLOCK, is_header, lies_in_a_member
from allmende.scan.containers.torch_parts import is_sequence
from allmende.scan.containers.unpacking import ENCRYPTED, NOT_UNPACKED
from allmende.scan.containers.zip_cover import uncovered
from allmende.scan.containers.zip_members import DISAGREEMENT, METHODS, opened_anyway, opened_member
from allmende.scan.containers.zip_records import (
    END,
    LOCAL,
    Entry,
    ends_with_record,
    extents,
    has_directory,
    read_records,
)
from allmende.scan.containers.zip_salvage import salvaged
from allmende.scan.findings import Rule, Severity
from allmende.scan.provable import BOMB, TWO_READINGS
from allmende.scan.scanning import UNREADABLE, Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

HIDDEN = Rule(
    "zip-hidden-data",
    Severity.HIGH,
    "data that the directory does not name",
    "Between, before or behind the members lie bytes that some programs read and others do not see.",
    "Pack the files again.",
    "CWE-436: interpretation conflict.",
)
PREFIX = Rule(
    "zip-prefix",
    Severity.HIGH,
    "the archive begins inside the file",
    "Programs that look at the beginning see something else than a zip file; programs that look at the end "
    "unpack it.",
    "Publish the archive alone.",
    "CVE-2025-1889, polyglot files.",
)
OVERLAP = Rule(
    "zip-overlap",
    Severity.HIGH,
    "members overlap",
    "Several members share the same bytes: the way to make an archive unpack to far more than its size.",
    "Pack the files again.",
    "D. Fifield, A better zip bomb (2019).",
)
DEVICE = Rule(
    "archive-device",
    Severity.CRITICAL,
    "holds devices or pipes",
    "Unpacked by an administrator, the archive makes device files.",
    "Pack only files.",
    "CWE-22.",
)
RULES = (HIDDEN, PREFIX, OVERLAP, DEVICE)

_RULE_OF: Final = {
    "disagreement": DISAGREEMENT,
    "directory": DISAGREEMENT,
    "hidden": HIDDEN,
    "gap": HIDDEN,
    "prefix": PREFIX,
    "overlap": OVERLAP,
    "shared": BOMB,
    "renamed": TWO_READINGS,
}
_ENCRYPTED_FLAGS: Final = 0x2041
_UNIX = 3
_DEVICES: Final = frozenset((stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK))
_MAX_LINK_BYTES = 4096
_MAX_PIECES = 100
_SPANNED: Final = b"PK00PK\3\4"
_TFLITE: Final = b"TFL3"
_COMPOUND: Final = b"\xd0\xcf\x11\xe0"


def _claims(probe: Probe) -> Claim:
    if probe.hint == "torch-parts" and is_sequence(probe.source):
        return Claim.NONE  # `torch_parts` reads each archive by itself, as its loader does
    if probe.head.startswith((LOCAL, END, _SPANNED)):
        return Claim.CONTENT
    # Compound documents keep whole archives inside, and some of them lie near the end.
    kept_inside = probe.head.startswith(_COMPOUND) and not ends_with_record(probe.source)
    if kept_inside or not has_directory(probe.source):
        return Claim.NONE
    # The last member of a tar archive may be a zip file, and is looked into as that.
    in_a_member = is_header(probe.head[:BLOCK]) and all(
        lies_in_a_member(probe.source, start, end) for start, end in extents(probe.source)
    )
    return Claim.NONE if in_a_member else Claim.CONTENT


def _read(source: Source, scan: Scan) -> None:
    """Judge the records, then scan the members. Raises Unreadable, LimitReached."""
    try:
        records = read_records(source, scan.budget)
    except Unreadable:
        _scan_members(source, tuple(salvaged(source, scan.budget)), scan)
        raise
    oddities = list(records.oddities)
    pieces_between = list(islice(uncovered(source, records, oddities), _MAX_PIECES))
    carried = source.read_at(4, len(_TFLITE)) == _TFLITE
    for oddity in oddities:
        if carried and oddity.kind == "prefix":
            continue  # a model with its labels behind it, as its writers make it; both are looked into
        scan.found(_RULE_OF[oddity.kind], oddity.kind, detail=oddity.detail, offset=oddity.offset)
    _scan_members(source, records.entries, scan)
    _scan_locals(source, records.locals, scan)
    if records.comment:
        scan.inside("comment", Source.of_bytes(records.comment), raw=True)
    for offset, size_bytes in pieces_between:
        scan.inside(f"bytes at {offset}", source.window(offset, size_bytes), raw=True)


def _scan_locals(source: Source, entries: tuple[Entry, ...], scan: Scan) -> None:
    """What programs see that go by the local headers; how broken that is, is told already."""
    left_bytes = source.size_bytes
    for entry in entries:
        left_bytes -= entry.packed_bytes
        if left_bytes >= 0:
            scan.inside(f"{entry.name} (by its local header)", opened_anyway(source, entry, scan), raw=True)


def _scan_members(source: Source, entries: tuple[Entry, ...], scan: Scan) -> None:
    """Each member by its role; broken ones are told, so that those behind them are still looked into."""
    check_twins((entry.name for entry in entries), scan)
    layout = layout_of([entry.name for entry in entries], scan)
    left_bytes = source.size_bytes
    needed: dict[str, int] = {}
    links: list[MemberLink] = []
    for entry in entries:
        check_path(entry.name, scan)
        left_bytes -= entry.packed_bytes
        if left_bytes < 0:
            raise LimitReached("overlap", "The members together are larger than the file.")
        try:
            if _is_ordinary(source, entry, links, scan):
                role = layout.role(entry.name)
                opened = opened_member(source, entry, scan)
                needs = partial(_need, needed, entry.name)
                scan.inside(entry.name, opened, raw=role.raw, hint=role.hint, needs=needs)
        except Unreadable as failure:
            scan.found(UNREADABLE, "zip", detail=failure.message, inside=entry.name)
    linked = {link.name for link in links}
    check_links(links, [entry.name for entry in entries if entry.name not in linked], scan)
    for entry in entries:
        if entry.size_bytes < needed.get(entry.name, 0):
            what = f"{needed[entry.name]} bytes are asked for, {entry.size_bytes} are there."
            scan.found(SHORT_STORAGE, detail=what, inside=entry.name)


def _need(needed: dict[str, int], asking: str, key: str, size_bytes: int) -> None:
    """Keep what the pickle `asking` needs of the storage `key`, which lies in the folder beside it."""
    place = f"{asking.removesuffix('data.pkl')}data/{key}"
    needed[place] = max(size_bytes, needed.get(place, 0))


def _is_ordinary(source: Source, entry: Entry, links: list[MemberLink], scan: Scan) -> bool:
    """Whether there is a file to look into; says what there is otherwise, and adds links to `links`."""
    mode = entry.attributes >> 16
    if entry.flags & _ENCRYPTED_FLAGS:
        scan.found(ENCRYPTED, inside=entry.name)
        # Some loaders ignore the flag, and read what is not encrypted at all.
        scan.inside(entry.name, opened_anyway(source, entry, scan), raw=True)
        return False
    if stat.S_ISLNK(mode):
        opened = opened_member(source, entry, scan)
        target = opened.read_at(0, _MAX_LINK_BYTES).decode("utf-8", "replace")
        links.append(MemberLink(entry.name, target, is_symbolic=True))
        # Programs that do not unpack read a link as a file.
        scan.inside(entry.name, opened, raw=True)
        return False
    if entry.system == _UNIX and stat.S_IFMT(mode) in _DEVICES:
        scan.found(DEVICE, oct(mode), inside=entry.name)
        scan.inside(entry.name, opened_anyway(source, entry, scan), raw=True)
        return False
    if entry.name.endswith("/") and not entry.size_bytes:
        return False
    if entry.method not in METHODS:
        scan.found(NOT_UNPACKED, f"zip method {entry.method}", inside=entry.name)
        scan.inside(entry.name, opened_anyway(source, entry, scan), raw=True)
        return False
    return True


READER = Reader("zip", "zip", _claims, _read)
