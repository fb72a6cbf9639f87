"""`allmende admin keys root`: the key that lies offline, and what it signs. No hub is needed for it."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.output import AsJson, note, printable, say, say_json
from allmende.errors import BadRequest, Conflict

if TYPE_CHECKING:
    from allmende.proof import RootKey

__all__ = ["first_line", "new", "sign", "write_whole"]

_MAX_PASSPHRASE_BYTES = 4096
_LEAST_PASSPHRASE_CHARS = 12
_OF_HUBS = ("secret.key", "allmende.db", "keyring.json", "keys/keyring.json")
"""What lies in the data folder of a hub, or in its folder of keys."""

PassphraseFile = Annotated[
    Path | None,
    Parameter(help="A file whose first line is the passphrase; else it is asked for."),
]


class RootKeyMisplaced(BadRequest):
    """A root key was to be written where a hub would have it."""

    code = "root_key_misplaced"


class FileExists(Conflict):
    """There is a file where something is to be written."""

    code = "file_exists"


def new(
    file: Annotated[Path, Parameter(help="Where to write it: a disk that is kept apart from the hub.")],
    /,
    *,
    name: Annotated[str, Parameter(help="Its name for people, without spaces: hub.example.org/root.")],
    passphrase_file: PassphraseFile = None,
    no_passphrase: Annotated[
        bool, Parameter(negative=(), help="Leave the file unencrypted: whoever reads it can sign.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a root key. Its public half, in FILE.pub, goes to the hub, and to whoever shall believe it."""
    from allmende.proof import new_root_key

    _refuse_data_folder(file)
    public = file.with_name(f"{file.name}.pub")
    for one in (file, public):
        if one.exists():
            raise _exists(one)
    key = new_root_key(name)
    passphrase = None if no_passphrase else _new_passphrase(passphrase_file)
    write_whole(file, key.file(passphrase))
    write_whole(public, f"{key.verifier.text}\n".encode())
    if as_json:
        say_json(
            "allmende.admin-root-key/1",
            {
                "root": key.verifier.text,
                "file": str(file),
                "public": str(public),
                "encrypted": not no_passphrase,
            },
        )
        return
    say(key.verifier.text)
    note(f"The root key lies in {printable(str(file))}. Keep it, and a copy, away from the hub.")


def sign(
    key_set: Annotated[Path, Parameter(help="The set, from `allmende admin keys export -o FILE`.")],
    /,
    *,
    key: Annotated[list[Path], Parameter(help="The file of the root key; twice where the root changes.")],
    passphrase_file: PassphraseFile = None,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Where to write it; SET.signed if nothing is said."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a set of keys, and show what is signed: read it before you carry it to the hub."""
    from allmende.client import read_bounded
    from allmende.proof import MAX_KEY_SET_BYTES, read_key_set_text, sign_key_set

    data = read_bounded(key_set, MAX_KEY_SET_BYTES)
    for file in key:
        data = sign_key_set(data, _root_key(file, passphrase_file))
    target = output or key_set.with_name(f"{key_set.name}.signed")
    write_whole(target, data)
    text = data.decode().partition("\n\n")[0] + "\n"
    found = read_key_set_text(text)
    if as_json:
        say_json(
            "allmende.admin-root-signed/1",
            {"file": str(target), "origin": found.origin, "number": found.number, "digest": found.digest},
        )
        return
    say(text.rstrip("\n"))
    note(f"Signed, in {printable(str(target))}: carry it to the hub, `allmende admin keys publish FILE`.")


def write_whole(target: Path, data: bytes) -> None:
    """A new file, for its owner alone, whole or not there; raises FileExists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as writer:
            writer.write(data)
            writer.flush()
            os.fsync(writer.fileno())
        try:
            # A link, and no renaming: what is there already is never written over.
            os.link(part, target)
        except FileExistsError as error:
            raise _exists(target) from error
    finally:
        part.unlink(missing_ok=True)


def first_line(path: Path) -> str:
    """The first line of a file with a passphrase."""
    with path.open("rb") as reader:
        data = reader.read(_MAX_PASSPHRASE_BYTES)
    try:
        return data.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The file of the passphrase is not UTF-8.") from error


def _exists(path: Path) -> FileExists:
    return FileExists(f"{path} is there already.", hint="Name another file.")


def _refuse_data_folder(file: Path) -> None:
    """A root key in the hub's folder would be stolen together with the keys that it is to vouch for."""
    for folder in file.absolute().resolve().parents:
        if any((folder / name).exists() for name in _OF_HUBS):
            raise RootKeyMisplaced(
                f"{folder} is the folder of a hub, and the root key has to be kept away from it.",
                hint="Make it on another machine, or on a disk that is taken away.",
            )


def _new_passphrase(path: Path | None) -> str:
    if path is not None:
        found = first_line(path)
    elif sys.stdin.isatty():
        found = getpass.getpass("Passphrase of the new root key: ")
        if getpass.getpass("The same again: ") != found:
            raise BadRequest("The two passphrases differ.")
    else:
        raise BadRequest(
            "A root key needs a passphrase.", hint="Give --passphrase-file FILE, or --no-passphrase."
        )
    if len(found) < _LEAST_PASSPHRASE_CHARS:
        raise BadRequest(f"A passphrase has at least {_LEAST_PASSPHRASE_CHARS} characters; some words do.")
    return found


def _root_key(file: Path, passphrase_file: Path | None) -> "RootKey":
    from allmende.proof import WrongPassword, read_root_key

    data = file.read_bytes()
    if passphrase_file is not None:
        return read_root_key(data, first_line(passphrase_file))
    try:
        return read_root_key(data)
    except WrongPassword:
        if not sys.stdin.isatty():
            raise
        return read_root_key(data, getpass.getpass(f"Passphrase of {printable(str(file))}: "))
