"""What the HTTP edges share: addresses, errors, the way from a request to a unit of work, streamed bodies."""

from allmende.http.calls import (
    Endpoint,
    StalledSender,
    acting,
    actor_of,
    base_url,
    json_object,
    read_body,
    reading,
    reading_unit,
    services_of,
    writing_unit,
)
from allmende.http.doors import asks_for_unsafe, door_of, warning_headers
from allmende.http.edge import Edge
from allmende.http.errors import ErrorPage, error_response, header_text, refused, status_of
from allmende.http.paths import API_TYPES, SegmentPaths, register_convertors
from allmende.http.ranges import Part, RangeNotSatisfiable, is_unchanged, wanted_part, wanted_parts
from allmende.http.sessions import SESSION_COOKIE, SESSION_TTL_S, session_actor, session_value
from allmende.http.uploads import body_chunks, receive_body

__all__ = [
    "API_TYPES",
    "SESSION_COOKIE",
    "SESSION_TTL_S",
    "Edge",
    "Endpoint",
    "ErrorPage",
    "Part",
    "RangeNotSatisfiable",
    "SegmentPaths",
    "StalledSender",
    "acting",
    "actor_of",
    "asks_for_unsafe",
    "base_url",
    "body_chunks",
    "door_of",
    "error_response",
    "header_text",
    "is_unchanged",
    "json_object",
    "read_body",
    "reading",
    "reading_unit",
    "receive_body",
    "refused",
    "register_convertors",
    "services_of",
    "session_actor",
    "session_value",
    "status_of",
    "wanted_part",
    "wanted_parts",
    "warning_headers",
    "writing_unit",
]
