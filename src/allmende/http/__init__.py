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
from allmende.http.commit_lines import CommitLines, CommitMalformed, read_commit_lines
from allmende.http.delegation import (
    Delegation,
    check_may_upload,
    claims_of,
    delegation_of,
    repo_to_read,
    repo_to_upload,
)
from allmende.http.doors import asks_for_unsafe, door_of, warning_headers
from allmende.http.edge import Edge
from allmende.http.errors import ErrorPage, error_response, header_text, refused, status_of
from allmende.http.lfs_links import Link, link_for, link_of, signed_address
from allmende.http.paths import API_TYPES, SegmentPaths, register_convertors
from allmende.http.ranges import Part, RangeNotSatisfiable, is_unchanged, wanted_part, wanted_parts
from allmende.http.sessions import SESSION_COOKIE, SESSION_TTL_S, session_actor, session_value
from allmende.http.uploads import body_chunks, receive_body

__all__ = [
    "API_TYPES",
    "SESSION_COOKIE",
    "SESSION_TTL_S",
    "CommitLines",
    "CommitMalformed",
    "Delegation",
    "Edge",
    "Endpoint",
    "ErrorPage",
    "Link",
    "Part",
    "RangeNotSatisfiable",
    "SegmentPaths",
    "StalledSender",
    "acting",
    "actor_of",
    "asks_for_unsafe",
    "base_url",
    "body_chunks",
    "check_may_upload",
    "claims_of",
    "delegation_of",
    "door_of",
    "error_response",
    "header_text",
    "is_unchanged",
    "json_object",
    "link_for",
    "link_of",
    "read_body",
    "read_commit_lines",
    "reading",
    "reading_unit",
    "receive_body",
    "refused",
    "register_convertors",
    "repo_to_read",
    "repo_to_upload",
    "services_of",
    "session_actor",
    "session_value",
    "signed_address",
    "status_of",
    "wanted_part",
    "wanted_parts",
    "warning_headers",
    "writing_unit",
]
