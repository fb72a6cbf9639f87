"""Verifying the signature of a model against its bounds: 10,000 files, of which none is read.

In memory: what parsing, the signature and the comparison cost. Times are processor time of one thread, since
the machines are shared.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from statistics import median

from allmende.proof import (
    SignedFile,
    generate_signer,
    make_manifest,
    sign_model,
    trust_keys,
    verify_model_signature,
)
from bench.findings import Finding
from bench.place import Place

__all__ = ["measure_proof"]

_FILES = 10_000
_AT = datetime(2026, 11, 28, tzinfo=UTC)


def measure_proof(_place: Place, rounds: int) -> list[Finding]:
    """All of it; needs nothing."""
    files = [
        SignedFile(f"shard-{number // 100}/part-{number}.bin", sha256(b"%d" % number).hexdigest(), 1)
        for number in range(_FILES)
    ]
    signer = generate_signer()
    signed: list[bytes] = []
    signing = [
        _cpu_s(lambda: signed.append(sign_model(make_manifest("m", files), signer))) for _ in range(rounds)
    ]
    trust = trust_keys([signer.public])

    def verify() -> None:
        report = verify_model_signature(signed[0], files, trust, _AT)
        if report.state != "valid":
            raise RuntimeError(f"the signature is {report.state}: {report.reason}")

    verifying = [_cpu_s(verify) for _ in range(rounds)]
    size = {"bundle_bytes": len(signed[0]), "files": _FILES}
    return [
        Finding(
            "signature_verify",
            f"signature of a model of {_FILES} files verified, from their digests",
            1000 * median(verifying),
            "ms",
            100,
            details={"cpu_s": verifying, "signing_cpu_s": signing, **size},
        )
    ]


def _cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
