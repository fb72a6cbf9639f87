"""What others signed: the vectors of the specification, and files of every release of the reference."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from allmende.proof import (
    NO_TRUST,
    SignedFile,
    read_pem_certificates,
    read_public_key,
    trust_certificates,
    trust_keys,
    verify_model_signature,
)

VECTORS = Path(__file__).parent / "vectors"
NOW = datetime(2026, 11, 28, tzinfo=UTC)

ONE = "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc"
ONE_BY_CERTIFICATE = "f6310066c7320497ea554260c32c43660bff648cb2a61194832cc086077085e1"
TWO = "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028"

KEY = read_public_key((VECTORS / "signing-key-pub.pem").read_bytes())
KEYS = trust_keys([KEY])
ROOTS = trust_certificates(read_pem_certificates((VECTORS / "ca-cert.pem").read_bytes()))


def files(**digests: str) -> list[SignedFile]:
    return [SignedFile(name.replace("_", "-"), digest, 10) for name, digest in digests.items()]


def verify(name: str, trust=KEYS, present=None, at=NOW):
    present = files(signme_1=ONE, signme_2=TWO) if present is None else present
    return verify_model_signature((VECTORS / name).read_bytes(), present, trust, at)


@pytest.mark.parametrize(
    "name", ["spec-valid-key", "reference-v1.0.1-elliptic-key", "reference-v1.1.0-elliptic-key"]
)
def test_a_signature_by_key_is_valid(name: str) -> None:
    report = verify(f"{name}.json")
    assert (report.state, report.method, len(report.coverage.covered)) == ("valid", "key", 2), report
    assert report.key_id == KEY.id


@pytest.mark.parametrize("name", ["reference-v0.3.1-elliptic-key", "reference-v1.0.0-elliptic-key"])
def test_an_old_signature_of_a_single_file_is_valid(name: str) -> None:
    report = verify(f"{name}.json", present=files(signme_1=ONE))
    assert (report.state, report.coverage.covered) == ("valid", ("signme-1",)), report


@pytest.mark.parametrize(
    "name",
    [
        "spec-valid-certificate",
        *(f"reference-{v}-certificate" for v in ("v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0")),
    ],
)
def test_a_signature_by_certificate_is_valid(name: str) -> None:
    one = ONE if name.startswith("spec") else ONE_BY_CERTIFICATE
    report = verify(f"{name}.json", ROOTS, files(signme_1=one, signme_2=TWO))
    assert (report.state, report.method) == ("valid", "certificate"), report
    assert report.identities == ("subject:CN=intermediate-ca",)


def test_the_version_0_2_is_said_to_be_unsupported() -> None:
    report = verify("reference-v0.2.0-certificate.json", ROOTS)
    assert report.state == "unsupported"
    assert "Digests/v0.1" in report.reason


def test_the_certificate_is_asked_about_the_time() -> None:
    present = files(signme_1=ONE, signme_2=TWO)
    assert verify("spec-valid-certificate.json", ROOTS, present, datetime(2036, 1, 1, tzinfo=UTC)).state == (
        "expired-at-signing"
    )
    assert verify("spec-valid-certificate.json", ROOTS, present, datetime(2020, 1, 1, tzinfo=UTC)).state == (
        "expired-at-signing"
    )


@pytest.mark.parametrize(("trust", "state"), [(NO_TRUST, "untrusted-key"), (KEYS, "untrusted-key")])
def test_without_a_root_a_certificate_is_untrusted_and_its_key_known(trust, state: str) -> None:
    report = verify("spec-valid-certificate.json", trust)
    assert (report.state, report.key_id) == (state, KEY.id)


def test_a_key_that_is_only_named_is_untrusted_and_unchecked() -> None:
    report = verify("spec-valid-key.json", NO_TRUST)
    assert (report.state, report.key_id, report.claimed_key_id) == (
        "untrusted-key",
        "",
        KEY.id,
    )


@pytest.mark.parametrize("path", sorted(VECTORS.glob("spec-invalid*.json")), ids=lambda path: path.stem)
def test_an_invalid_file_is_refused(path: Path) -> None:
    report = verify(path.name)
    assert report.state in ("malformed", "unsupported"), report
    assert report.reason
