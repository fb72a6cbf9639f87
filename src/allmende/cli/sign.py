"""`allmende sign`: a signature over a model in a folder, after OpenSSF Model Signing 1.0; offline."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import OK
from allmende.cli.output import AsJson, note, printable, say, say_json
from allmende.errors import BadRequest, Conflict

if TYPE_CHECKING:
    from allmende.proof import Signer

__all__ = ["sign"]

_NAME = "model.sig"
_MAX_PASSWORD_BYTES = 4096


class SignatureExists(Conflict):
    """There is a file where the signature is to be written."""

    code = "signature_exists"


def sign(
    path: Annotated[Path, Parameter(help="The folder of the model, or a single file.")],
    /,
    *,
    key: Annotated[Path, Parameter(help="The private key: PEM, ECDSA on P-256, P-384 or P-521.")],
    certificate: Annotated[
        Path | None,
        Parameter(help="The signer's certificate and those above it, PEM; else the key is named."),
    ] = None,
    password_file: Annotated[
        Path | None, Parameter(help="A file whose first line opens the key; else it is asked for.")
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Where to write it; PATH/model.sig if nothing is said."),
    ] = None,
    ignore: Annotated[
        list[str] | None, Parameter(help="A path in the folder to leave out; may be repeated.")
    ] = None,
    replace: Annotated[bool, Parameter(help="Write over an older signature.")] = False,
    as_json: AsJson = False,
) -> int:
    """Sign a model: every file of it, by name and SHA-256. Nothing is sent anywhere."""
    from allmende.cli.progress import ByteProgress
    from allmende.cli.signed_folder import hash_files, list_model
    from allmende.proof import ALWAYS_IGNORED, make_manifest, read_pem_certificates, sign_model

    target = output if output is not None else _default_output(path)
    if target.exists() and not replace:
        raise SignatureExists(f"{target} is there already.", hint="Write over it with --replace.")
    chain = read_pem_certificates(certificate.read_bytes()) if certificate is not None else ()
    signer = _read_signer(key, password_file)
    ignored = {*(text.rstrip("/") for text in ignore or ()), *_within(path, target), *_traces(path)}
    found = list_model(path, frozenset({*ALWAYS_IGNORED, *ignored}))
    with ByteProgress(sum(file.size_bytes for file in found)) as progress:
        files = hash_files(found, progress.add)
    manifest = make_manifest(path.resolve().name or "model", files, ignored)
    _write(target, sign_model(manifest, signer, chain))
    if as_json:
        document = {
            "signature": str(target),
            "key_id": signer.public.id,
            "method": "certificate" if chain else "key",
            "files": len(manifest.entries),
            "root_digest": manifest.root_digest,
        }
        say_json("allmende.sign/1", document)
        return OK
    say(str(target))
    note(f"{len(manifest.entries)} files of {printable(manifest.name)}, by the key {signer.public.id}.")
    return OK


def _default_output(path: Path) -> Path:
    return path / _NAME if path.is_dir() else path.with_name(path.name + ".sig")


def _traces(root: Path) -> list[str]:
    """What clients of hubs leave in a folder, where it is there: no part of the model."""
    from allmende.proof import CLIENT_TRACES

    return [trace for trace in CLIENT_TRACES if (root / trace).exists()]


def _within(root: Path, target: Path) -> list[str]:
    """The path of the signature in the folder, if it lies there."""
    resolved, folder = target.resolve(), root.resolve()
    return [resolved.relative_to(folder).as_posix()] if resolved.is_relative_to(folder) else []


def _read_signer(key: Path, password_file: Path | None) -> "Signer":
    from allmende.proof import WrongPassword, read_signer

    pem = key.read_bytes()
    if password_file is not None:
        return read_signer(pem, _first_line(password_file))
    try:
        return read_signer(pem)
    except WrongPassword:
        if not sys.stdin.isatty():
            raise
        return read_signer(pem, getpass.getpass(f"Password of {printable(str(key))}: "))


def _first_line(path: Path) -> str:
    with path.open("rb") as reader:
        data = reader.read(_MAX_PASSWORD_BYTES)
    try:
        return data.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The file of the password is not UTF-8.") from error


def _write(target: Path, data: bytes) -> None:
    """The whole file or none of it, also when this is interrupted."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as writer:
            writer.write(data)
            writer.flush()
            os.fsync(writer.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
