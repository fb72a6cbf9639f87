"""The order of system calls behind the acknowledgement of a xorb and of a shard, from a trace of a real hub.

Clients never ask again whether a xorb is still there, so it must be as durable as a content when it is
acknowledged. The checker is that of `test_sync_order.py`, where it is tested itself.
"""

import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.system.syscalls import Place, check_file, check_upload, read_trace
from tests.system.test_sync_order import end, traced
from tests.system.wire_client import WireClient
from tests.xet_forge import Xorb, file_of, pieces, shard_of

__all__ = ["traced"]


def post(url: str, address: str, token: str, body: bytes) -> int:
    """One request over a connection of its own; returns the client's port."""
    with WireClient(url) as client:
        client.authorization = f"Bearer {token}"
        client.ask("POST", address, body, kind="application/octet-stream")
        return client.port


def test_a_xorb_and_a_shard_are_durable_before_they_are_answered(traced):
    contents, log = traced.data / "contents", traced.data / "allmende.db-wal"
    with WireClient(traced.url) as client:
        client.create_repo()
        store = json.loads(client.ask("GET", f"{client.api}/xet-write-token/main").body)
    address, token = urlsplit(store["casUrl"]).path, store["accessToken"]
    xorb = Xorb(pieces(1, 40))
    file = file_of((xorb, 3, 40), (xorb, 0, 3))
    xorb_port = post(traced.url, f"{address}/v1/xorbs/default/{xorb.name}", token, xorb.serialized())
    (kept,) = (contents / "xorbs").glob("*/*")
    shard_port = post(traced.url, f"{address}/v1/shards", token, shard_of([file]))
    calls = read_trace(end(traced))
    location = str(Path(*kept.parts[-2:]))
    check_file(calls, Place(contents / "xorbs", log), location, sum(map(len, xorb.pieces)), xorb_port)
    check_upload(calls, Place(contents, log), file.sha256, len(file.data), shard_port)
