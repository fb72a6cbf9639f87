"""The caller's token and the hub's address, where the stock clients keep them."""

import os
from pathlib import Path

from allmende.errors import BadRequest

__all__ = ["known_endpoint", "known_token"]

_MAX_TOKEN_BYTES = 4096


def known_token() -> str | None:
    """`HF_TOKEN`, or what `hf auth login` has left; None for an anonymous caller."""
    named = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    if named:
        return named.strip()
    path = os.environ.get("HF_TOKEN_PATH")
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    kept = Path(path) if path else Path(home) / "token"
    try:
        with kept.expanduser().open("rb") as file:
            return file.read(_MAX_TOKEN_BYTES).decode("ascii").strip() or None
    except FileNotFoundError:
        return None


def known_endpoint() -> str:
    """`HF_ENDPOINT`. Raises BadRequest where it is not set: there is no hub that goes without saying."""
    endpoint = os.environ.get("HF_ENDPOINT")
    if not endpoint:
        raise BadRequest(
            "Which hub is meant is not said.",
            hint='Set HF_ENDPOINT (eval "$(allmende env)" does), or give --endpoint.',
        )
    return endpoint
