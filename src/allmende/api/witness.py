"""This hub as a witness of other logs (C2SP tlog-witness): `add-checkpoint`, and what it cosigned last.

Only logs that the operator has named are witnessed; anybody may send their checkpoints.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import NotFound
from allmende.http import acting, header_text, reading, services_of
from allmende.log import add_checkpoint as answer_to
from allmende.log import witnessed_note
from allmende.merkle import MAX_REQUEST_BYTES

__all__ = ["routes"]

_TEXT = "text/plain; charset=utf-8"
_NOT_KEPT = {"Cache-Control": "no-store"}
_HASH_DIGITS = 64
_FIRST_REFUSAL = 400


class LogNotWitnessed(NotFound):
    """This hub has cosigned no checkpoint of such a log."""

    code = "log_not_witnessed"


def routes() -> list[Route]:
    """The addresses under `/witness`."""
    return [
        Route(
            "/witness/add-checkpoint", acting(add_checkpoint, max_bytes=MAX_REQUEST_BYTES), methods=["POST"]
        ),
        Route("/witness/vkey", reading(verifier_key), methods=["GET"]),
        Route("/witness/{origin:segment}/checkpoint", reading(cosigned), methods=["GET"]),
    ]


def add_checkpoint(request: Request, body: bytes) -> Response:
    """Cosign a checkpoint if the log has only grown since the last one, with the statuses of the norm."""
    services = services_of(request)
    answer = answer_to(services.database, services.log.witness_key(), body)
    headers = {**_NOT_KEPT, "Content-Type": answer.media_type}
    if answer.status >= _FIRST_REFUSAL:
        headers["X-Error-Code"] = "checkpoint_refused"
        said = answer.body.decode("utf-8", "replace").strip()
        headers["X-Error-Message"] = header_text(said or "The checkpoint is refused.")
    return Response(answer.body, answer.status, headers=headers)


def verifier_key(request: Request) -> Response:
    """The key that this hub cosigns with, for the policies of those who trust it."""
    key = services_of(request).log.witness_key().verifier
    return Response(f"{key.text}\n", media_type=_TEXT, headers=_NOT_KEPT)


def cosigned(request: Request) -> Response:
    """The last checkpoint of a log that this hub cosigned; the log is named by the SHA-256 of its origin."""
    origin: str = request.path_params["origin"]
    note = None
    if len(origin) == _HASH_DIGITS:
        with services_of(request).database.read() as uow:
            note = witnessed_note(uow, f"{origin}/checkpoint")
    if note is None:
        raise LogNotWitnessed("This hub has cosigned no checkpoint of such a log.")
    return Response(bytes(note), media_type=_TEXT, headers=_NOT_KEPT)
