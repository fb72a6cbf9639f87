"""Whom to believe: a policy with the keys, certificates and identities that may sign, and those revoked.

Written by people as YAML or JSON, read strictly: a word that is not known is refused, since a policy that is
half understood protects from nothing.

    version: 1
    signers:
      - name: release key
        key: |
          -----BEGIN PUBLIC KEY-----
          …
        from: 2026-01-01T00:00:00Z
      - name: the lab's authority
        certificates: |
          -----BEGIN CERTIFICATE-----
          …
        identities: ["email:release@lab.example"]
      - name: the pipeline
        sigstore: {identity: https://ci.example/release.yml, issuer: https://ci.example}
    revoked:
      - {key: 64 hexadecimal digits, since: 2026-05-01T00:00:00Z, reason: the laptop was stolen}
      - {certificate: 64 hexadecimal digits}
    unsigned_files: refuse
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256

import yaml
from cryptography.x509 import Certificate

from allmende.proof.canonical import JsonValue, read_json
from allmende.proof.certificates import certificate_fingerprint, read_pem_certificates
from allmende.proof.errors import MalformedTrustPolicy, NotCanonical, Oversized
from allmende.proof.keys import PublicKey, read_public_key
from allmende.proof.strict import Fields, write_time

__all__ = [
    "MAX_TRUST_POLICY_BYTES",
    "NO_TRUST",
    "Revocation",
    "TrustPolicy",
    "TrustedSigner",
    "read_trust_policy",
    "trust_certificates",
    "trust_keys",
]

MAX_TRUST_POLICY_BYTES = 256 * 1024
_MAX_SIGNERS = 1000
_MAX_NAME_CHARS = 200
_POLICY = frozenset({"version", "signers", "revoked", "unsigned_files"})
_SIGNER = frozenset({"name", "key", "certificates", "identities", "sigstore", "from", "until"})
_REVOKED = frozenset({"key", "certificate", "since", "reason"})


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """One who may sign: by exactly one of a key, root certificates and an identity of Sigstore."""

    name: str
    key: PublicKey | None = None
    certificates: tuple[Certificate, ...] = ()
    identities: tuple[str, ...] = ()
    """Of whom a certificate must be; none: of anyone that the roots vouch for."""
    sigstore_identity: str = ""
    sigstore_issuer: str = ""
    begin: datetime | None = None
    end: datetime | None = None

    def holds_at(self, at: datetime) -> bool:
        """Whether the signer is trusted at that time."""
        return (self.begin is None or self.begin <= at) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key or certificate, by its id, that is believed no more: not at all, or not since some time."""

    id: str
    since: datetime | None = None
    reason: str = ""

    def holds_at(self, at: datetime) -> bool:
        """Whether it is revoked at that time."""
        return self.since is None or at >= self.since


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Who may sign, who may no more, and whether a model may have files beside those that are signed."""

    signers: tuple[TrustedSigner, ...]
    revoked: tuple[Revocation, ...] = ()
    allow_unsigned_files: bool = False
    digest: str = field(default="", compare=False)
    """SHA-256 of the text that it was read from: what a verdict was reached by."""

    def revocation(self, ids: Iterable[str], at: datetime) -> Revocation | None:
        """What revokes one of these keys or certificates at that time, if anything."""
        named = set(ids)
        return next((one for one in self.revoked if one.id in named and one.holds_at(at)), None)


NO_TRUST = TrustPolicy(())
"""Trusts nobody: what is left is whether a signature fits its own key and the files."""


def trust_keys(keys: Iterable[PublicKey]) -> TrustPolicy:
    """The policy that trusts these keys and nobody else."""
    return TrustPolicy(tuple(TrustedSigner(f"key {key.id[:12]}", key=key) for key in keys))


def trust_certificates(roots: Sequence[Certificate], identities: Iterable[str] = ()) -> TrustPolicy:
    """The policy that trusts whom these roots vouch for (with `identities`, only these)."""
    signer = TrustedSigner("certificates", certificates=tuple(roots), identities=tuple(identities))
    return TrustPolicy((signer,))


def read_trust_policy(text: str | bytes) -> TrustPolicy:
    """The policy in a YAML or JSON text; raises MalformedTrustPolicy, MalformedKey and Oversized."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_TRUST_POLICY_BYTES:
        raise Oversized(f"A trust policy of {len(data)} bytes is not read; {MAX_TRUST_POLICY_BYTES} are.")
    wrong = MalformedTrustPolicy
    fields = Fields(_parsed(data), "policy", wrong, _POLICY)
    if fields.count("version") != 1:
        raise wrong("Only version 1 of trust policies is known.")
    unsigned = fields.text("unsigned_files", default="refuse")
    if unsigned not in ("refuse", "allow"):
        raise wrong("policy.unsigned_files is neither refuse nor allow.")
    signers = tuple(
        _signer(Fields(value, f"policy.signers[{number}]", wrong, _SIGNER))
        for number, value in enumerate(fields.values("signers", max_values=_MAX_SIGNERS))
    )
    revoked = tuple(
        _revocation(Fields(value, f"policy.revoked[{number}]", wrong, _REVOKED))
        for number, value in enumerate(fields.values("revoked", max_values=_MAX_SIGNERS, optional=True))
    )
    names = [signer.name for signer in signers]
    if len(set(names)) != len(names):
        raise wrong("Two signers of the policy have the same name.")
    return TrustPolicy(signers, revoked, unsigned == "allow", sha256(data).hexdigest())


def _signer(fields: Fields) -> TrustedSigner:
    ways = [way for way in ("key", "certificates", "sigstore") if way in fields]
    if len(ways) != 1:
        raise MalformedTrustPolicy("Each signer has exactly one of key, certificates and sigstore.")
    if "identities" in fields and ways != ["certificates"]:
        raise MalformedTrustPolicy("Only a signer with certificates has identities.")
    sigstore = fields.fields("sigstore", frozenset({"identity", "issuer"})) if "sigstore" in fields else None
    name = fields.text("name")
    if len(name) > _MAX_NAME_CHARS or not name.isprintable():
        raise MalformedTrustPolicy(
            f"The name of a signer has at most {_MAX_NAME_CHARS} printable characters."
        )
    begin = fields.time("from") if "from" in fields else None
    end = fields.time("until") if "until" in fields else None
    if begin and end and end <= begin:
        raise MalformedTrustPolicy(f"The time of {name!r} ends before it begins.")
    return TrustedSigner(
        name=name,
        key=read_public_key(fields.text("key")) if "key" in fields else None,
        certificates=read_pem_certificates(fields.text("certificates")) if "certificates" in fields else (),
        identities=fields.texts("identities", max_values=_MAX_SIGNERS, optional=True),
        sigstore_identity=sigstore.text("identity") if sigstore else "",
        sigstore_issuer=sigstore.text("issuer") if sigstore else "",
        begin=begin,
        end=end,
    )


def _revocation(fields: Fields) -> Revocation:
    ways = [way for way in ("key", "certificate") if way in fields]
    if len(ways) != 1:
        raise MalformedTrustPolicy("Each revocation has exactly one of key and certificate.")
    revoked = fields.text(ways[0]).strip()
    if revoked.startswith("-----BEGIN"):
        revoked = (
            read_public_key(revoked).id
            if ways == ["key"]
            else certificate_fingerprint(read_pem_certificates(revoked)[0])
        )
    if len(revoked) != 64 or set(revoked) - set("0123456789abcdef"):
        raise MalformedTrustPolicy("What is revoked is named by 64 lower-case hexadecimal digits, or as PEM.")
    since = fields.time("since") if "since" in fields else None
    return Revocation(revoked, since, fields.text("reason", default=""))


def _parsed(data: bytes) -> JsonValue:
    if data.lstrip()[:1] == b"{":
        try:
            return read_json(data, MAX_TRUST_POLICY_BYTES)
        except NotCanonical as error:
            raise MalformedTrustPolicy(f"The trust policy cannot be read. {error.message}") from error
    try:
        loaded = yaml.load(data, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader that refuses more
        # Written and read again, so that YAML holds to the same bounds as JSON.
        return read_json(json.dumps(loaded, default=_as_text).encode(), 4 * MAX_TRUST_POLICY_BYTES)
    except (yaml.YAMLError, NotCanonical, ValueError, TypeError, RecursionError) as error:
        message = " ".join(str(error).split())[:300]
        raise MalformedTrustPolicy(f"The trust policy cannot be read: {message}.") from error


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        # YAML reads a bare time by itself, and turns one with a zone into UTC.
        return write_time(value.replace(tzinfo=UTC) if value.tzinfo is None else value)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    raise TypeError(f"{value!r} is nothing that a policy says")


class _StrictLoader(yaml.SafeLoader):
    """Without aliases, which can blow up a small text, and without names that are given twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002  # the signature is PyYAML's
        names = [name.value for name, _ in node.value]
        if len(set(names)) != len(names):
            raise yaml.YAMLError("a name is given twice")
        return super().construct_mapping(node, deep)
