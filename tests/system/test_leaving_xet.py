"""A client that goes away while its shard is worked on: the work goes on, and the repeat finds it done."""

import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hubs import RunningHub
from tests.system.wire_client import WireClient
from tests.xet_forge import File, Xorb, file_of, pieces, shard_of

PATIENCE_S = 60.0


def place_of(hub: RunningHub, file: File) -> Path:
    sha256 = file.sha256
    return hub.data / "contents" / sha256[:2] / sha256[2:4] / sha256


@pytest.mark.parametrize("version", [1, 2])
def test_a_shard_whose_client_leaves_is_received_all_the_same(tmp_path: Path, version: int) -> None:
    with RunningHub(tmp_path / "data") as hub:
        with WireClient(hub.url) as client:
            client.create_repo()
            store = json.loads(client.ask("GET", f"{client.api}/xet-write-token/main").body)
            address = urlsplit(store["casUrl"]).path
            client.authorization = f"Bearer {store['accessToken']}"
            xorbs = [Xorb(pieces(seed, 400, 100_000)) for seed in (1, 2)]
            for xorb in xorbs:
                sent = xorb.serialized()
                client.ask(
                    "POST", f"{address}/v1/xorbs/default/{xorb.name}", sent, kind="application/octet-stream"
                )
        file = file_of(*xorbs)
        body = shard_of([file])
        request = (
            f"POST {address}/v{version}/shards HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n"
            f"Authorization: {client.authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((urlsplit(hub.url).hostname, urlsplit(hub.url).port)) as leaving:
            leaving.sendall(request.encode() + body)
        deadline = time.monotonic() + PATIENCE_S
        while not place_of(hub, file).exists():
            assert time.monotonic() < deadline, "the shard was given up with its client"
            time.sleep(0.02)
        with WireClient(hub.url) as client:
            client.authorization = f"Bearer {store['accessToken']}"
            answer = client.ask("POST", f"{address}/v2/shards", body, kind="application/octet-stream")
        assert json.loads(answer.body.splitlines()[-1]) == {"type": "result"}
        assert "Traceback" not in hub.log
