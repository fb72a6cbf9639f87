"""A request at a repo's files: whether it asks for unsafe ones expressly, and the warning of an answer."""

from starlette.requests import Request

from allmende.flows import ALLOW_UNSAFE_HEADER, ALLOW_UNSAFE_PARAMETER, Door
from allmende.http.calls import services_of
from allmende.http.errors import header_text
from allmende.registry import Actor, Repo

__all__ = ["asks_for_unsafe", "door_of", "warning_headers"]

_YES = frozenset({"1", "true", "yes"})


def asks_for_unsafe(request: Request) -> bool:
    """Whether the request says that it wants files although the scan stopped them."""
    said = (
        request.query_params.get(ALLOW_UNSAFE_PARAMETER, ""),
        request.headers.get(ALLOW_UNSAFE_HEADER, ""),
    )
    return any(word.strip().lower() in _YES for word in said)


def door_of(request: Request, actor: Actor, repo: Repo) -> Door:
    """Where the caller stands with the files of this repo."""
    return Door(services_of(request), actor, repo, unsafe=asks_for_unsafe(request))


def warning_headers(warning: str | None) -> dict[str, str]:
    """What stock clients print once: `X-HF-Warning: topic; words`."""
    return {} if warning is None else {"X-HF-Warning": header_text(warning)}
