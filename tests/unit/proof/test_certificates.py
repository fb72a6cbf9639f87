"""Chains of certificates: who may sign, and every reason why somebody may not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from allmende.proof import (
    CertificateExpired,
    CertificateRevoked,
    MalformedKey,
    UnfitCertificate,
    certificate_fingerprint,
    check_chain,
    identities_of,
    read_der_certificate,
    read_pem_certificates,
)
from tests.unit.proof.made_models import NOW, YEAR, Authority, issue, usage

ROOT = issue("root")
MIDDLE = issue("middle", ROOT, ca=True, path_length=0)
LEAF = issue("leaf", MIDDLE)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\5\0")


def check(*chain: Authority, roots: tuple[Authority, ...] = (ROOT,), at=NOW, revoked=()) -> None:
    check_chain([one.certificate for one in chain], [one.certificate for one in roots], at, revoked)


def test_a_chain_leads_to_its_root() -> None:
    check(LEAF, MIDDLE)
    check(LEAF, MIDDLE, ROOT)
    check(LEAF, roots=(MIDDLE, ROOT))
    check(issue("leaf", ROOT))


def test_a_certificate_that_is_itself_trusted_needs_no_chain() -> None:
    alone = issue("alone", ca=False)
    check(alone, roots=(alone,))
    with pytest.raises(UnfitCertificate):
        check(issue("alone", ca=False), roots=(alone,))


def under(root: Authority = ROOT, **more) -> Callable[[], list[Authority]]:
    return lambda: [issue("leaf", root, **more)]


def below_issuer(**more) -> Callable[[], list[Authority]]:
    def make() -> list[Authority]:
        middle = issue("middle", ROOT, **more)
        return [issue("leaf", middle), middle]

    return make


def below_two() -> list[Authority]:
    lower = issue("lower", MIDDLE, ca=True)
    return [issue("leaf", lower), lower, MIDDLE]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: [LEAF], id="the chain has a gap"),
        pytest.param(under(issue("root")), id="another root of the same name"),
        pytest.param(below_issuer(ca=False), id="the issuer is no authority"),
        pytest.param(
            below_issuer(ca=True, key_usage=usage(digital_signature=True)), id="the issuer may not issue"
        ),
        pytest.param(below_two, id="the chain is longer than its issuer allows"),
        pytest.param(under(key_usage=usage(key_encipherment=True)), id="the key is not for signatures"),
        pytest.param(under(extended=(ExtendedKeyUsageOID.SERVER_AUTH,)), id="the key is for servers"),
        pytest.param(under(more=((UNKNOWN, True),)), id="an unknown critical extension"),
        pytest.param(below_issuer(ca=True, more=((UNKNOWN, True),)), id="one in the issuer"),
        pytest.param(
            below_issuer(
                ca=True,
                more=((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),),
                extended=None,
            ),
            id="the issuer is for servers",
        ),
        pytest.param(
            lambda: [
                issue(
                    "leaf",
                    constrained := issue(
                        "middle",
                        ROOT,
                        ca=True,
                        more=((x509.NameConstraints([x509.DNSName("lab.example")], None), True),),
                    ),
                    more=((x509.SubjectAlternativeName([x509.DNSName("other.example")]), False),),
                ),
                constrained,
            ],
            id="a name outside the issuer's constraints",
        ),
    ],
)
def test_a_chain_is_refused(make: Callable[[], list[Authority]]) -> None:
    with pytest.raises(UnfitCertificate):
        check(*make())


@pytest.mark.parametrize("days", [-400, 400])
def test_the_time_is_asked_of_each_certificate(days: int) -> None:
    with pytest.raises(CertificateExpired, match="valid from"):
        check(LEAF, MIDDLE, at=NOW + timedelta(days=days))
    old = issue("middle", ROOT, ca=True, begin=NOW - 2 * YEAR, end=NOW - YEAR)
    with pytest.raises(CertificateExpired, match="middle"):
        check(issue("leaf", old), old)


@pytest.mark.parametrize("gone", [LEAF, MIDDLE, ROOT], ids=lambda one: one.name)
def test_a_revoked_certificate_takes_the_chain_with_it(gone: Authority) -> None:
    with pytest.raises(CertificateRevoked, match=gone.name):
        check(LEAF, MIDDLE, revoked={certificate_fingerprint(gone.certificate)})


def test_nobody_is_trusted_without_roots() -> None:
    with pytest.raises(UnfitCertificate, match="No root"):
        check(LEAF, MIDDLE, roots=())


def test_identities_are_read() -> None:
    names = x509.SubjectAlternativeName(
        [
            x509.RFC822Name("a@lab.example"),
            x509.UniformResourceIdentifier("https://x"),
            x509.DNSName("d.example"),
        ]
    )
    found = issue("leaf", ROOT, more=((names, False),)).certificate
    assert identities_of(found) == (
        "subject:CN=leaf",
        "email:a@lab.example",
        "uri:https://x",
        "dns:d.example",
    )


def test_certificates_are_read_strictly() -> None:
    der = LEAF.certificate.public_bytes(Encoding.DER)
    pem = LEAF.certificate.public_bytes(Encoding.PEM)
    assert read_der_certificate(der) == LEAF.certificate
    assert read_pem_certificates(pem + pem) == (LEAF.certificate, LEAF.certificate)
    for data in (b"", der[:-1], der + b"\0", b"\0" * 100):
        with pytest.raises(MalformedKey):
            read_der_certificate(data)
        with pytest.raises(MalformedKey):
            read_pem_certificates(data)
