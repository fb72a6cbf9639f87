"""Links that carry their own right: short-lived, bound to one act, made and checked by this hub alone.

A token is `base64url(canonical JSON) . base64url(HMAC-SHA256)`, keyed by the hub's secret, with the
purpose mixed into the key so that a link for one act is no link for another. Replaying a link before its
time is over does the same act again; every act it can name is idempotent or a plain read.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from allmende.clock import Clock, system_clock
from allmende.errors import Forbidden
from allmende.storage.durable import replace_durably

__all__ = ["LinkExpired", "LinkInvalid", "LinkSigner", "load_secret"]

_SECRET_BYTES = 32
_MAX_TOKEN_CHARS = 4096
_PSEUDONYM_DIGITS = 16


class LinkInvalid(Forbidden):
    """The signed link was altered, or was never ours."""

    code = "link_invalid"


class LinkExpired(Forbidden):
    """The signed link is too old."""

    code = "link_expired"


class LinkSigner:
    """Signs and opens link tokens with the hub's secret."""

    def __init__(self, secret: bytes, clock: Clock = system_clock) -> None:
        self._secret = secret
        self._clock = clock

    def sign(self, purpose: str, claims: Mapping[str, Any], ttl_s: int) -> str:
        """A token for `purpose` that holds `claims` and is valid for `ttl_s` seconds."""
        expires = int((self._clock() + timedelta(seconds=ttl_s)).timestamp())
        body = json.dumps({**claims, "exp": expires}, sort_keys=True, separators=(",", ":")).encode()
        return f"{_encode(body)}.{_encode(self._mac(purpose, body))}"

    def open(self, purpose: str, token: str) -> dict[str, Any]:
        """The claims of a token. Raises LinkInvalid or LinkExpired."""
        try:
            body_text, _, mac_text = token.partition(".")
            if len(token) > _MAX_TOKEN_CHARS:
                raise LinkInvalid("This link is not valid.")
            body, mac = _decode(body_text), _decode(mac_text)
        except (binascii.Error, ValueError) as error:
            raise LinkInvalid("This link is not valid.") from error
        if not hmac.compare_digest(mac, self._mac(purpose, body)):
            raise LinkInvalid(
                "This link is not valid.", hint="Ask the hub for a new one; links cannot be edited."
            )
        claims: dict[str, Any] = json.loads(body)
        if self._clock() >= datetime.fromtimestamp(claims.pop("exp"), self._clock().tzinfo):
            raise LinkExpired("This link has expired.", hint="Repeat the request that gave it to you.")
        return claims

    def pseudonym(self, purpose: str, text: str) -> str:
        """16 hexadecimal digits that stand for `text` and tell nothing of it; the same each time."""
        return self._mac(purpose, text.encode()).hex()[:_PSEUDONYM_DIGITS]

    def _mac(self, purpose: str, body: bytes) -> bytes:
        key = hmac.digest(self._secret, b"allmende link " + purpose.encode(), hashlib.sha256)
        return hmac.digest(key, body, hashlib.sha256)


def load_secret(path: Path) -> bytes:
    """The hub's secret, made on first use; the file is readable by its owner alone."""
    if not path.exists():
        replace_durably(path, secrets.token_bytes(_SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise RuntimeError(
            f"{path} does not hold {_SECRET_BYTES} bytes; restore it from a backup or remove it."
        )
    return secret


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    # Only the one canonical spelling is accepted, so that a token cannot be altered and stay valid.
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
