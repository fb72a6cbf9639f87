"""Request bodies and query switches of the Hugging Face protocol, checked before anything looks at them."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from allmende.errors import BadRequest
from allmende.http import json_object

__all__ = ["Body", "parsed", "switch", "switch_or_none", "visibility"]

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_MAX_FIELD_CHARS = 100


class Body(BaseModel):
    """A JSON body: what this hub reads of it. Clients of all versions send more, which is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_max_length=4 * 1024 * 1024)


BodyT = TypeVar("BodyT", bound=Body)


def parsed(model: type[BodyT], body: bytes) -> BodyT:
    """The body as `model` describes it; raises BadRequest that names the first field that is wrong."""
    try:
        return model.model_validate(json_object(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:_MAX_FIELD_CHARS] or "body"
        raise BadRequest(f'"{field}": {first["msg"]}.', code="body_invalid") from error


def switch(request: Request, name: str) -> bool:
    """Whether a query parameter is set to something true; raises BadRequest when it is neither."""
    return switch_or_none(request, name) or False


def switch_or_none(request: Request, name: str) -> bool | None:
    """The same, with None when the parameter is absent."""
    value = request.query_params.get(name)
    if value is None:
        return None
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise BadRequest(f'The parameter "{name}" must be true or false.', code="parameter_invalid")


def visibility(word: str | None, private: bool | None) -> bool | None:  # noqa: FBT001
    """Whether a repo is to be private, from either of the two words that clients have for it; None: not said.

    Raises BadRequest for a word that this hub does not know, or for two that contradict each other.
    """
    if word is None:
        return private
    if word not in {"public", "private"}:
        raise BadRequest(
            f"The visibility {word[:40]!r} is not known here.", hint='Use "public" or "private".'
        )
    if private is not None and private != (word == "private"):
        raise BadRequest('"private" and "visibility" contradict each other.')
    return word == "private"
