"""What can go wrong, in words for people and codes for programs.

One root, a handful of kinds, and in each package its own few subclasses. A kind says what sort of answer
an edge gives (HTTP status and exit code are mapped from it in one place per edge); `code` is stable and
names the very error; `hint` says what to do. Class names end in the thing that is wrong and not in
`Error`, except for the root.
"""

from collections.abc import Mapping

__all__ = [
    "AllmendeError",
    "BadRequest",
    "Conflict",
    "Damaged",
    "Forbidden",
    "Gone",
    "NotFound",
    "NotOffered",
    "Stale",
    "StorageFull",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Untrusted",
]


class AllmendeError(Exception):
    """Something went wrong that a person should hear about.

    `message` is one sentence; `hint`, where there is one, is what to do; `code` is a stable word. `places`
    are what the sentence names, for pages that say the same under that code in the visitor's language; a
    number of bytes ends in `_bytes` there.
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        places: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.places = places or {}
        if code is not None:
            self.code = code


class BadRequest(AllmendeError):
    """The request itself is malformed or impossible."""

    code = "bad_request"


class Unauthorized(AllmendeError):
    """The credentials are missing where some are needed, or are not valid."""

    code = "unauthorized"


class Forbidden(AllmendeError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(AllmendeError):
    """The thing does not exist, or the caller may not learn that it does."""

    code = "not_found"


class Gone(AllmendeError):
    """A link or session that once was valid has ended."""

    code = "gone"


class Conflict(AllmendeError):
    """It exists already, or somebody else was faster."""

    code = "conflict"


class Damaged(AllmendeError):
    """What is stored is not what was stored; none of it is given out."""

    code = "damaged"


class Stale(AllmendeError):
    """The caller acted on a state that has moved on (a `parentCommit` that is not the head)."""

    code = "stale"


class TooLarge(AllmendeError):
    """More bytes, entries or depth than this hub accepts."""

    code = "too_large"


class TooManyRequests(AllmendeError):
    """Too often; `retry_after_s` says when the next one may succeed."""

    code = "too_many_requests"

    def __init__(
        self, message: str, *, retry_after_s: float = 1.0, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_s = retry_after_s


class Unavailable(AllmendeError):
    """Not now; the same request may succeed later."""

    code = "unavailable"


class StorageFull(AllmendeError):
    """The disk or store has no room; nothing was kept."""

    code = "storage_full"


class NotOffered(AllmendeError):
    """This hub does not offer the feature (yet); repeating the request will not help."""

    code = "not_offered"


class Untrusted(AllmendeError):
    """A signature, a proof or a key does not hold against what is believed."""

    code = "untrusted"
