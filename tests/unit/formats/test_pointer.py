"""Pointers: writing and reading are each other's inverse, and nothing else is a pointer."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import (
    MalformedPointer,
    Pointer,
    find_pointer,
    looks_like_pointer,
    parse_pointer,
    write_pointer,
)
from allmende.ids import Sha256

_OID = hashlib.sha256(b"x").hexdigest()
_SOUND = f"version https://git-lfs.github.com/spec/v1\noid sha256:{_OID}\nsize 12345\n".encode()


def test_the_bytes_are_those_of_the_specification() -> None:
    assert write_pointer(Pointer(Sha256(_OID), 12345)) == _SOUND
    assert parse_pointer(_SOUND) == Pointer(Sha256(_OID), 12345)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1))
def test_what_is_written_is_read(digest: bytes, size_bytes: int) -> None:
    pointer = Pointer(Sha256(digest.hex()), size_bytes)
    data = write_pointer(pointer)
    assert parse_pointer(data) == find_pointer(data) == pointer
    assert looks_like_pointer(data)


def test_a_cut_anywhere_is_refused() -> None:
    for cut in range(len(_SOUND)):
        with pytest.raises(MalformedPointer):
            parse_pointer(_SOUND[:cut])
        assert find_pointer(_SOUND[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _SOUND + b"\n",
        _SOUND.replace(b"\n", b"\r\n"),
        _SOUND.replace(b"sha256", b"sha1"),
        _SOUND.replace(_OID.encode(), _OID.upper().encode()),
        _SOUND.replace(b"12345", b"-1"),
        _SOUND.replace(b"12345", b"012"),
        _SOUND.replace(b"12345", b"9223372036854775808"),
        _SOUND.replace(b"12345", "١٢".encode()),
        _SOUND.replace(b"git-lfs.github", b"hawser.github"),
        _SOUND.replace(b"oid", b"ext-0-x sha256:" + _OID.encode() + b"\noid"),
        _SOUND + b"x" * 1024,
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedPointer):
        parse_pointer(data)
    assert find_pointer(data) is None


@pytest.mark.parametrize(("oid", "size_bytes"), [("abc", 1), (_OID.upper(), 1), (_OID, -1), (_OID, 2**63)])
def test_impossible_pointers_are_not_written(oid: str, size_bytes: int) -> None:
    with pytest.raises(ValueError, match="is not"):
        write_pointer(Pointer(Sha256(oid), size_bytes))
