"""Whatever is changed of a signed model, its names, its signature or its chain: it is not accepted."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from allmende.proof import (
    SignedFile,
    TrustPolicy,
    generate_signer,
    make_manifest,
    sign_model,
    trust_certificates,
    trust_keys,
    verify_model_signature,
)
from tests.unit.proof.made_models import NOW, issue, table

FILES = {f"layer-{number}.bin": bytes([number]) * 50 for number in range(20)} | {
    "config.json": b"{}",
    "sub/a": b"",
}
SIGNER = generate_signer()
ROOT = issue("root")
MIDDLE = issue("middle", ROOT, ca=True)
LEAF = issue("leaf", MIDDLE)
MANIFEST = make_manifest("m", table(FILES), ["model.sig"])
CASES: list[tuple[bytes, TrustPolicy]] = [
    (sign_model(MANIFEST, SIGNER), trust_keys([SIGNER.public])),
    (
        sign_model(MANIFEST, LEAF.signer, [LEAF.certificate, MIDDLE.certificate]),
        trust_certificates([ROOT.certificate]),
    ),
]

Change = Callable[[random.Random, bytes, list[SignedFile]], tuple[bytes, list[SignedFile]]]


def flipped(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def flip_payload(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    bundle = json.loads(data)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(flipped(chance, payload)).decode()
    return json.dumps(bundle).encode(), files


def flip_signature(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    bundle = json.loads(data)
    signature = bundle["dsseEnvelope"]["signatures"][0]
    signature["sig"] = base64.b64encode(flipped(chance, base64.b64decode(signature["sig"]))).decode()
    return json.dumps(bundle).encode(), files


def flip_certificate(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    bundle = json.loads(data)
    material = bundle["verificationMaterial"]
    if "x509CertificateChain" not in material:
        return flip_payload(chance, data, files)
    certificate = chance.choice(material["x509CertificateChain"]["certificates"])
    certificate["rawBytes"] = base64.b64encode(
        flipped(chance, base64.b64decode(certificate["rawBytes"]))
    ).decode()
    return json.dumps(bundle).encode(), files


def change_field(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    """Take one field away, or give it another value, anywhere in what the signature says."""
    bundle = json.loads(data)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    place: Any = chance.choice([statement, bundle["dsseEnvelope"], bundle["dsseEnvelope"]["signatures"][0]])
    while True:
        name = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[name]
        if name == "keyid" or (isinstance(inner, (dict, list)) and inner and chance.random() < 0.8):
            if isinstance(inner, (dict, list)) and inner:
                place = inner
                continue
            name = "sig"
        break
    if chance.random() < 0.5:
        del place[name]
    else:
        place[name] = chance.choice([None, "", 0, [], {}, "x"])
    if "payload" in bundle["dsseEnvelope"] and place is not bundle["dsseEnvelope"]:
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps(bundle).encode(), files


def change_file(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    number = chance.randrange(len(files))
    file = files[number]
    other = [
        SignedFile(file.path, flipped(chance, bytes.fromhex(file.sha256)).hex(), file.size_bytes),
        SignedFile(f"{file.path}{chance.choice('x /')}", file.sha256, file.size_bytes),
        SignedFile(file.path.upper(), file.sha256, file.size_bytes),
        SignedFile(f"x/{file.path}", file.sha256, file.size_bytes),
    ]
    return data, [*files[:number], chance.choice(other), *files[number + 1 :]]


def drop_or_add(
    chance: random.Random, data: bytes, files: list[SignedFile]
) -> tuple[bytes, list[SignedFile]]:
    number = chance.randrange(len(files))
    if chance.random() < 0.5:
        return data, files[:number] + files[number + 1 :]
    return data, [*files, SignedFile(f"new-{number}", files[number].sha256, files[number].size_bytes)]


def swap(chance: random.Random, data: bytes, files: list[SignedFile]) -> tuple[bytes, list[SignedFile]]:
    """Two files change names: the root digest may stay, the signature may not."""
    one, two = chance.sample(range(len(files)), 2)
    changed = list(files)
    changed[one] = SignedFile(files[one].path, files[two].sha256, files[two].size_bytes)
    changed[two] = SignedFile(files[two].path, files[one].sha256, files[one].size_bytes)
    return data, changed


CHANGES: list[Change] = [
    flip_payload,
    flip_signature,
    flip_certificate,
    change_field,
    change_file,
    drop_or_add,
    swap,
]


def accepted(seed: int) -> str | None:
    """What was changed, if it was accepted all the same."""
    chance = random.Random(seed)
    data, trust = chance.choice(CASES)
    change = chance.choice(CHANGES)
    changed, files = change(chance, data, table(FILES))
    report = verify_model_signature(changed, files, trust, NOW)
    return f"{seed}: {change.__name__}" if report.is_valid else None


def test_nothing_of_500_changes_is_accepted() -> None:
    for data, trust in CASES:
        assert verify_model_signature(data, table(FILES), trust, NOW).state == "valid"
    assert [found for seed in range(500) if (found := accepted(seed))] == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_nothing_of_10_000_changes_is_accepted() -> None:
    assert [found for seed in range(10_000, 20_000) if (found := accepted(seed))] == []
