"""What can go wrong with the hub's own log."""

from sqlalchemy.exc import SQLAlchemyError

from allmende.errors import AllmendeError, BadRequest, Conflict, NotFound, Unavailable

__all__ = [
    "LOG_TROUBLE",
    "EntryNotFound",
    "KeysDamaged",
    "LogContradicted",
    "LogSetBack",
    "LogUnsigned",
    "PeerInvalid",
    "PeerUnknown",
]


class EntryNotFound(NotFound):
    """The log has no such entry, or what is asked of it is not shown: both look alike."""

    code = "log_entry_not_found"

    def __init__(self) -> None:
        super().__init__("The log has no such entry, or its statement is not public.")


class LogUnsigned(Unavailable):
    """No checkpoint that covers it is signed yet."""

    code = "log_unsigned"

    def __init__(self, message: str = "The log has no signed checkpoint yet.") -> None:
        super().__init__(message, hint="Try again in a moment.")


class LogSetBack(Conflict):
    """The database knows less than was signed already: it was restored from a backup."""

    code = "log_set_back"


class LogContradicted(Conflict):
    """The database tells another history than the one that was signed."""

    code = "log_contradicted"


class KeysDamaged(AllmendeError):
    """The folder of the keys does not hold what it should."""

    code = "log_keys_damaged"


class PeerInvalid(BadRequest):
    """What is said of a witness or of a log to be witnessed makes no sense."""

    code = "log_peer_invalid"


class PeerUnknown(NotFound):
    """No such witness or witnessed log is configured."""

    code = "log_peer_unknown"


LOG_TROUBLE = (AllmendeError, SQLAlchemyError, OSError)
"""What a round of the log may fail with, and the next one may not: said to the operator, and tried again."""
