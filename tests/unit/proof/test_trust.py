"""Trust policies: what people write, and what is refused rather than half understood."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from allmende.proof import (
    Malformed,
    MalformedTrustPolicy,
    Oversized,
    certificate_fingerprint,
    generate_signer,
    read_trust_policy,
)
from tests.unit.proof.made_models import NOW, issue

KEY = generate_signer().public
ROOT = issue("root").certificate
ROOT_PEM = ROOT.public_bytes(Encoding.PEM).decode()
SIGSTORE = {"identity": "https://ci/release.yml", "issuer": "https://ci"}
YAML = f"""
version: 1
signers:
  - name: release key
    key: |
      {KEY.pem.replace(chr(10), chr(10) + "      ")}
    from: 2026-01-01
    until: 2027-01-01T00:00:00Z
  - name: the lab
    certificates: |
      {ROOT_PEM.replace(chr(10), chr(10) + "      ")}
    identities: ["email:a@lab.example"]
  - name: the pipeline
    sigstore: {{identity: https://ci/release.yml, issuer: https://ci}}
revoked:
  - {{key: {"ab" * 32}, since: 2026-05-01T00:00:00Z, reason: lost}}
unsigned_files: allow
"""


def test_what_people_write_is_read() -> None:
    policy = read_trust_policy(YAML)
    key, lab, pipeline = policy.signers
    assert (key.name, key.key, key.begin) == ("release key", KEY, datetime(2026, 1, 1, tzinfo=UTC))
    assert (lab.certificates, lab.identities) == ((ROOT,), ("email:a@lab.example",))
    assert (pipeline.sigstore_identity, pipeline.sigstore_issuer) == tuple(SIGSTORE.values())
    assert policy.allow_unsigned_files
    assert key.holds_at(NOW)
    assert not key.holds_at(NOW + timedelta(days=365))
    assert policy.revocation(["ab" * 32], NOW) is not None
    assert policy.revocation(["ab" * 32], datetime(2026, 4, 30, tzinfo=UTC)) is None


def test_what_is_revoked_may_be_given_as_pem() -> None:
    revoked = [{"key": KEY.pem}, {"certificate": ROOT_PEM}]
    policy = read_trust_policy(json.dumps({"version": 1, "signers": [], "revoked": revoked}))
    assert [one.id for one in policy.revoked] == [KEY.id, certificate_fingerprint(ROOT)]


def signer(**fields: object) -> dict[str, object]:
    return {"version": 1, "signers": [{"name": "x", **fields}]}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"version": 1},
        {"version": 2, "signers": []},
        {"version": 1, "signers": [], "more": 1},
        {"version": 1, "signers": {}},
        {"version": 1, "signers": [], "unsigned_files": "maybe"},
        {"version": 1, "signers": [], "revoked": [{"key": "AB" * 32}]},
        {"version": 1, "signers": [], "revoked": [{"key": "ab" * 32, "certificate": "ab" * 32}]},
        {"version": 1, "signers": [], "revoked": [{"reason": "none"}]},
        signer(),
        signer(key=KEY.pem, sigstore=SIGSTORE),
        signer(key=KEY.pem, identities=["email:x"]),
        signer(key="nothing"),
        signer(key=KEY.pem, keys=[]),
        signer(key=KEY.pem, **{"from": "yesterday"}),
        signer(key=KEY.pem, **{"from": "2026-01-01T00:00:00+02:00"}),
        signer(key=KEY.pem, **{"from": "2026-13-01T00:00:00Z"}),
        signer(key=KEY.pem, **{"from": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        signer(key=KEY.pem, name="x\u202e"),
        signer(certificates="nothing"),
        signer(sigstore={"identity": "x"}),
        signer(sigstore={**SIGSTORE, "more": 1}),
        {"version": 1, "signers": [{"name": "x", "key": KEY.pem}] * 2},
    ],
)
def test_what_is_not_understood_is_refused(policy: dict[str, object]) -> None:
    read_trust_policy(json.dumps(signer(key=KEY.pem)))
    with pytest.raises(Malformed):
        read_trust_policy(json.dumps(policy))


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nversion: 1\nsigners: []",
        "version: 1\nsigners: &x []\nrevoked: *x",
        "version: 1\nsigners: !!python/object/apply:os.system ['true']",
        "version: 1\nsigners: [",
        "[" * 5000,
        "{" * 5000,
        "version: 1\nsigners: !!binary aGk=",
        "\x00",
        "",
        "just words",
    ],
)
def test_tricks_of_yaml_are_refused(text: str) -> None:
    with pytest.raises((MalformedTrustPolicy, Oversized)):
        read_trust_policy(text)


def test_the_length_is_bounded() -> None:
    with pytest.raises(Oversized):
        read_trust_policy("#" * 300_000)
