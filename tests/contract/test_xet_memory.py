"""A file that is larger than the memory that the hub may take, over Xet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.processes import peak_memory_mb
from tests.contract.conftest import ClientOf, HubWith
from tests.contract.folders import digests, write_noise
from tests.contract.traffic import RECONSTRUCTIONS, XORBS, Traffic

SIZE_BYTES = 10**9
CAMPAIGN_BYTES = 2 * 10**9
MOST_MB = 600.0
LONG_S = 800.0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size_bytes", [SIZE_BYTES, pytest.param(CAMPAIGN_BYTES, marks=pytest.mark.campaign)])
def test_gigabytes_there_and_back(
    hub_of_its_own: HubWith,
    client_of: ClientOf,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    size_bytes: int,
):
    hub, file = hub_of_its_own(), tmp_path / "from" / "weights.bin"
    write_noise(file, size_bytes, 42)
    traffic = Traffic.from_now(hub)
    client = client_of("alice", endpoint=hub.url, timeout_s=LONG_S)
    client.hf("upload", "alice/gigabytes", str(file), file.name)
    after_upload_mb = peak_memory_mb(hub.pid)
    client.hf("download", "alice/gigabytes", file.name, "--local-dir", str(tmp_path / "into"))
    after_download_mb = peak_memory_mb(hub.pid)
    record_property("peak_mb_after_the_upload", after_upload_mb)
    record_property("peak_mb_after_the_download", after_download_mb)

    assert digests(tmp_path / "into") == digests(tmp_path / "from")
    assert len(traffic.answered("POST", XORBS)) >= size_bytes // (64 * 1024**2), "xorbs of at most 64 MiB"
    assert traffic.answered("GET", RECONSTRUCTIONS)
    assert after_download_mb < MOST_MB
