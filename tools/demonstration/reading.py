"""Reading from the hub as somebody without an account and without a client of ours: plain HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple

from tools.demonstration.scene import DemoFailed

__all__ = ["Refusal", "read_json", "read_page", "read_refusal"]

_TIMEOUT_S = 30
_MAX_BYTES = 8 * 1024 * 1024
# A proxy is no way to this machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refusal(NamedTuple):
    """What a refused reader can tell two refusals apart by."""

    status: int
    code: str
    message: str
    body: bytes


def read_refusal(url: str, path: str) -> Refusal:
    """The refusal at an address; raises DemoFailed when there is none."""
    try:
        with _direct.open(f"{url}{path}", timeout=_TIMEOUT_S) as answer:
            raise DemoFailed(f"{path} was answered with {answer.status} to somebody without an account")
    except urllib.error.HTTPError as refused:
        with refused:
            header = refused.headers.get
            return Refusal(
                refused.code,
                header("X-Error-Code", ""),
                header("X-Error-Message", ""),
                refused.read(_MAX_BYTES),
            )


def read_json(url: str, path: str) -> dict[str, Any]:
    """An answer in JSON; raises DemoFailed when there is none."""
    try:
        with _direct.open(f"{url}{path}", timeout=_TIMEOUT_S) as answer:
            document: dict[str, Any] = json.loads(answer.read(_MAX_BYTES))
            return document
    except urllib.error.HTTPError as refused:
        with refused:
            raise DemoFailed(f"{path} answers {refused.code}") from refused


def read_page(url: str, path: str) -> str:
    """A page that carries a content security policy; raises DemoFailed when it does not or is no page."""
    try:
        with _direct.open(f"{url}{path}", timeout=_TIMEOUT_S) as answer:
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                raise DemoFailed(f"{path} is no page but {answer.headers.get('Content-Type')}")
            if "default-src 'none'" not in answer.headers.get("Content-Security-Policy", ""):
                raise DemoFailed(f"the page {path} has no strict content security policy")
            return str(answer.read(_MAX_BYTES), "utf-8")
    except urllib.error.HTTPError as refused:
        with refused:
            raise DemoFailed(f"the page {path} answers {refused.code}") from refused
