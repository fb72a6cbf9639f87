"""Exit codes: the one place where errors are mapped to them. Scripts rely on these numbers."""

from allmende import errors

__all__ = [
    "BROKEN_PIPE",
    "FOUND",
    "INTERRUPTED",
    "IO_FAILED",
    "OK",
    "SCAN_FAILED",
    "SOFTWARE",
    "USAGE",
    "exit_code",
]

OK = 0
FOUND = 1
"""The command did its work and found something wrong."""
USAGE = 2
"""The command line, a setting or an input is not possible."""
SCAN_FAILED = 4
"""`allmende scan` could not look at everything that it was told to look at."""
SOFTWARE = 70
IO_FAILED = 74
INTERRUPTED = 130
BROKEN_PIPE = 141

_CODES: tuple[tuple[type[errors.AllmendeError], int], ...] = (
    (errors.BadRequest, USAGE),
    (errors.TooLarge, USAGE),
    (errors.NotFound, 3),
    (errors.Gone, 3),
    (errors.Conflict, 4),
    (errors.Stale, 4),
    (errors.Forbidden, 5),
    (errors.Unauthorized, 5),
    (errors.TooManyRequests, 6),
    (errors.Unavailable, 6),
    (errors.StorageFull, 6),
    (errors.NotOffered, 7),
    (errors.Damaged, IO_FAILED),
    (errors.Untrusted, FOUND),
)


def exit_code(error: errors.AllmendeError) -> int:
    """The exit code of a command that ended with this error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), SOFTWARE)
