"""What can go wrong between a hub and its client."""

from allmende.errors import (
    AllmendeError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    Stale,
    TooLarge,
    Unauthorized,
    Unavailable,
    Untrusted,
)

__all__ = ["BytesDiffer", "HubKeyChanged", "HubUnreachable", "LogForked", "UnexpectedAnswer", "refusal"]

_BY_STATUS: dict[int, type[AllmendeError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    413: TooLarge,
}


class HubUnreachable(Unavailable):
    """No answer from the hub, after all tries."""

    code = "hub_unreachable"


class UnexpectedAnswer(AllmendeError):
    """The hub answered something that this client does not understand."""

    code = "unexpected_answer"


class BytesDiffer(AllmendeError):
    """What arrived is not what the hub said it would be; it was thrown away."""

    code = "bytes_differ"


class HubKeyChanged(Untrusted):
    """A hub's log has another key than the one that this machine knows."""

    code = "hub_key_changed"


class LogForked(Untrusted):
    """A log has contradicted what it signed before; the evidence was kept."""

    code = "log_forked"


def refusal(status: int, message: str, code: str | None, hint: str | None = None) -> AllmendeError:
    """What the hub refused, as the error that an edge maps to an exit code."""
    kind = _BY_STATUS.get(status, BadRequest if 400 <= status < 500 else Unavailable)
    return kind(message, code=code, hint=hint)
