"""What the names of members, and the targets of links among them, may be: plain paths inside the archive."""

import re
import unicodedata
from collections.abc import Iterable

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = [
    "DUPLICATE_NAME",
    "RULES",
    "UNSAFE_PATH",
    "check_path",
    "check_twins",
    "is_absolute",
    "is_climbing",
    "is_outside",
    "leads_outside",
]

UNSAFE_PATH = Rule(
    "archive-unsafe-path",
    Severity.CRITICAL,
    "writes outside its folder when unpacked",
    "A member's name leads out of the folder that the archive is unpacked into: it is absolute, climbs "
    "by '..', names a drive or a home folder.",
    "Pack the files again with plain relative names.",
    "CWE-22: path traversal ('zip slip').",
)
ODD_NAME = Rule(
    "archive-odd-name",
    Severity.HIGH,
    "member name that programs read differently",
    "The name holds NUL, control characters, marks that turn the direction of writing, or backslashes. "
    "Programs cut or translate it in different ways, so that one checks another file than the other loads.",
    "Pack the files again with plain names.",
    "CVE-2025-1944, CVE-2025-1945.",
)
DUPLICATE_NAME = Rule(
    "archive-duplicate-name",
    Severity.HIGH,
    "two members of the same name",
    "Some programs take the first, some the last: what is checked need not be what is loaded.",
    "Pack the files again, each once.",
    "CWE-436: interpretation conflict.",
)
SIMILAR_NAME = Rule(
    "archive-similar-name",
    Severity.MEDIUM,
    "names that differ only in case or form",
    "On file systems that do not tell upper from lower case, one of the members overwrites the other.",
    "Rename one of the members.",
    "CWE-178: improper handling of case sensitivity.",
)
RULES = (UNSAFE_PATH, ODD_NAME, DUPLICATE_NAME, SIMILAR_NAME)

_OUTSIDE = re.compile(r"[/\\]|~|[A-Za-z]:|file:|\\\\")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CLIMBING = re.compile(r"\.\.[ .]*")  # Windows leaves out spaces and dots at the end of a name


def is_absolute(path: str) -> bool:
    """Whether a path names its place by itself, on any system, wherever it is used."""
    return _OUTSIDE.match(path) is not None


def is_climbing(part: str) -> bool:
    """Whether a part of a path is the folder above, on any system."""
    return _CLIMBING.fullmatch(part) is not None


def is_outside(path: str) -> bool:
    """Whether a relative path leaves the folder that it is relative to, on any system."""
    if is_absolute(path):
        return True
    depth = 0
    for part in re.split(r"[/\\]", path):
        if is_climbing(part):
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            return True
    return False


def leads_outside(name: str, target: str) -> bool:
    """Whether a symbolic link called `name` leads out of the archive; its target counts from its folder."""
    folder = name.rpartition("/")[0]
    return is_absolute(target) or is_outside(f"{folder}/{target}" if folder else target)


def check_path(name: str, scan: Scan) -> None:
    """Find what is wrong with the name of one member."""
    if is_outside(name):
        scan.found(UNSAFE_PATH, name)
    if "\\" in name or _CONTROL.search(name):
        scan.found(ODD_NAME, name)


def check_twins(names: Iterable[str], scan: Scan) -> None:
    """Find names that are there twice, or nearly so."""
    exact: set[str] = set()
    similar: set[str] = set()
    for name in names:
        if name in exact:
            scan.found(DUPLICATE_NAME, name)
            continue
        exact.add(name)
        folded = unicodedata.normalize("NFKC", name).casefold()
        if folded in similar:
            scan.found(SIMILAR_NAME, name)
        similar.add(folded)
