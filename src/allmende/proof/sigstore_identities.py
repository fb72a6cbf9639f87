"""Signatures by an identity of Sigstore, verified offline by its own library: the extra `sigstore`.

The library brings the roots of the public instance with it and is asked for nothing from the network. It is
imported inside the function, since it is large and few readers need it.
"""

from allmende.proof.errors import ExtraMissing, UntrustedSigner
from allmende.proof.statements import IN_TOTO

__all__ = ["verify_identity"]


def verify_identity(bundle: bytes, payload: bytes, identity: str, issuer: str) -> None:
    """Nothing, if the identity, as the issuer vouches for it, signed exactly this payload.

    Raises UntrustedSigner, and ExtraMissing where the library is not installed.
    """
    try:
        from sigstore.errors import Error
        from sigstore.models import Bundle
        from sigstore.verify import Verifier, policy
    except ImportError as error:
        raise ExtraMissing(
            "The signature is by an identity of Sigstore, and the library for those is not installed.",
            hint="pip install 'allmende[sigstore]'",
        ) from error
    try:
        kind, signed = Verifier.production(offline=True).verify_dsse(
            Bundle.from_json(bundle), policy.Identity(identity=identity, issuer=issuer)
        )
    except (Error, ValueError) as error:
        raise UntrustedSigner(f"The library of Sigstore refuses the signature: {str(error)[:300]}") from error
    if (kind, signed) != (IN_TOTO, payload):
        raise UntrustedSigner("The identity signed something else than what the file says.")
