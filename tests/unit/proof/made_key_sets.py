"""Sets of keys of a hub of the tests, and roots that sign them."""

from dataclasses import replace

from allmende.merkle import KeyKind, SigningKey, sign
from allmende.proof import DatedKey, KeySet, RootKey, new_root_key, sign_key_set
from tests.unit.proof.made_bundles import HUB_SIGNER, LOG_KEY, ORIGIN, STRANGER

ROOT = new_root_key("hub.example/root")
OTHER_ROOT = new_root_key("hub.example/root-2")
WITNESS_KEY = SigningKey("hub.example/witness", KeyKind.ED25519_COSIGNATURE, b"\7" * 32)
FORMER_KEY = SigningKey(ORIGIN, KeyKind.ED25519, b"\5" * 32)
SINCE, LATER = "2026-11-01T00:00:00Z", "2026-11-20T12:00:00Z"

KEYS = KeySet(
    origin=ORIGIN,
    number=1,
    time=LATER,
    root=ROOT.verifier,
    former_root=None,
    log=(DatedKey(LOG_KEY.verifier.text, LATER), DatedKey(FORMER_KEY.verifier.text, SINCE, LATER)),
    statement=(DatedKey(HUB_SIGNER.public.pem, LATER), DatedKey(STRANGER.public.pem, SINCE, LATER)),
    witness=DatedKey(WITNESS_KEY.verifier.text, SINCE),
)


def of_log_key(key: SigningKey, keys: KeySet = KEYS, **changes) -> KeySet:
    """The set with another key of the log."""
    return replace(keys, log=(DatedKey(key.verifier.text, LATER),), **changes)


def signed(keys: KeySet, *roots: RootKey, log_key: SigningKey = LOG_KEY) -> bytes:
    """A set as a hub publishes it: signed by roots and by the key of its log."""
    data = keys.text.encode()
    for root in roots or (ROOT,):
        data = sign_key_set(data, root)
    return data + str(sign(keys.text, log_key)).encode()
