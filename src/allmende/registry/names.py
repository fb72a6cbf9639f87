"""Which names and paths are possible: decided once, for every door."""

import re

from allmende.ids import NAME
from allmende.registry.errors import NameInvalid, PathInvalid

__all__ = ["check_account_name", "check_path", "check_repo_name", "name_key"]

_RESERVED = frozenset(
    [
        "api",
        "applications",
        "assess",
        "assets",
        "bench",
        "blog",
        "collections",
        "compare",
        "datasets",
        "docs",
        "events",
        "favicon.ico",
        "glance",
        "healthz",
        "join",
        "kernels",
        "lfs",
        "log",
        "login",
        "logout",
        "metrics",
        "models",
        "new",
        "notifications",
        "oauth",
        "organizations",
        "papers",
        "pricing",
        "readyz",
        "robots.txt",
        "search",
        "settings",
        "spaces",
        "static",
        "tasks",
        "uploads",
        "users",
        "witness",
        "xet",
        ".well-known",
    ]
)
"""First segments of the hub's own addresses; an account of that name could not be reached."""

_MAX_PATH_BYTES = 4096
_MAX_PART_BYTES = 255
_MAX_DEPTH = 64
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_GIT_LIKE = re.compile(r"\.git[. ]*|git~[0-9]+", re.IGNORECASE)
"""`.git` as git itself refuses it: also as Windows and macOS would fold it."""

_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that some file systems drop, so that `.g<zwnj>it` would become `.git`."""


def name_key(name: str) -> str:
    """What two names must differ in."""
    return name.lower()


def check_account_name(name: str) -> None:
    """Raises NameInvalid unless a user or organisation may be called so."""
    _check_name(name, least_chars=2)
    if name.lower() in _RESERVED:
        raise NameInvalid(f"The name {name!r} is reserved for the hub itself.", hint="Choose another name.")


def check_repo_name(name: str) -> None:
    """Raises NameInvalid unless a repo may be called so (without its namespace)."""
    _check_name(name, least_chars=1)


def check_path(path: str) -> str:
    """`path` itself; raises PathInvalid unless a file of a repo may lie there."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError as error:
        raise PathInvalid("A path is not valid Unicode.") from error
    parts = path.split("/")
    if not path or len(encoded) > _MAX_PATH_BYTES or len(parts) > _MAX_DEPTH:
        raise PathInvalid(f"A path has 1 to {_MAX_PATH_BYTES} bytes and at most {_MAX_DEPTH} parts.")
    if _FORBIDDEN.search(path):
        raise PathInvalid(f"The path {path!r} contains a control character or a backslash.")
    for part in parts:
        if part in ("", ".", ".."):
            raise PathInvalid(f"The path {path!r} is not relative to the repo or leaves it.")
        if len(part.encode()) > _MAX_PART_BYTES:
            raise PathInvalid(f"A part of the path {path[:80]!r}… is longer than {_MAX_PART_BYTES} bytes.")
        if _GIT_LIKE.fullmatch(_IGNORABLE.sub("", part)):
            raise PathInvalid(f"The path {path!r} contains {part!r}, which belongs to git.")
    return path


def _check_name(name: str, *, least_chars: int) -> None:
    if (
        not NAME.fullmatch(name)
        or len(name) < least_chars
        or "--" in name
        or ".." in name
        or name.lower().endswith((".git", ".ipynb"))
    ):
        raise NameInvalid(
            f"{name!r} is not a possible name.",
            hint=f"Use {least_chars} to 96 of A-Z a-z 0-9 _ . -, first a letter, digit or _; "
            "no '--', no '..', no final '.git'.",
        )
