"""Archives and compressed streams: what hides in them, what they lie about, and how they are ordinarily written."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from tests.attack.corpus import tar_parts as tar
from tests.attack.corpus.case import Case, Label
from tests.attack.corpus.payloads import BENIGN_PICKLE, EVIL, EVIL_VARIANTS
from tests.attack.corpus.zip_parts import BZIP2, DEFLATED, DEFLATED64, LZMA, ZSTD, Member, zip_file

__all__ = ["cases"]

_TEXT = b"an ordinary line of text\n" * 20
_GOOD = Member("notes.txt", _TEXT)
_BAD = Member("data.pkl", EVIL)
_JSON = Member("config.json", b'{"a": 1}')


def cases() -> Iterator[Case]:
    """All cases of zip, tar and compressed streams."""
    for family, label, files in (
        ("zip-payload", "malicious", _zip_payloads()),
        ("zip-lies", "malicious", _zip_lies()),
        ("zip-hidden", "malicious", _zip_hidden()),
        ("zip-paths", "malicious", _zip_paths()),
        ("zip-bombs", "malicious", _zip_bombs()),
        ("zip-encrypted", "policy", _zip_encrypted()),
        ("zip-ordinary", "benign", _zip_ordinary()),
        ("tar-payload", "malicious", _tar_payloads()),
        ("tar-lies", "malicious", _tar_lies()),
        ("tar-links", "malicious", _tar_links()),
        ("tar-shown", "policy", _tar_shown()),
        ("tar-ordinary", "benign", _tar_ordinary()),
        ("stream-payload", "malicious", _stream_payloads()),
        ("stream-closed", "malicious", _closed()),
        ("stream-ordinary", "benign", _stream_ordinary()),
    ):
        yield from _labelled(family, label, files)  # type: ignore[arg-type]  # the words of Label


_Made = Iterator[tuple[str, str, Callable[[], bytes]]]


def _labelled(family: str, label: Label, files: _Made) -> Iterator[Case]:
    for name, file_name, make in files:
        yield Case(family, name, file_name, label, make)


def _zip(*members: Member) -> Callable[[], bytes]:
    return partial(zip_file, members)


def _zip_payloads() -> _Made:
    for name, data in EVIL_VARIANTS.items():
        yield f"stored-{name}", "model.zip", _zip(_GOOD, Member("m.pkl", data))
        yield f"deflated-{name}", "model.pt", _zip(_GOOD, Member("m.bin", data, DEFLATED))
    for method in (BZIP2, LZMA):
        yield f"method-{method}", "model.zip", _zip(Member("m.pkl", EVIL, method))
    for file_name in ("model.bin", "notes.txt", "image.png", "weights.safetensors", "config.json", "noname"):
        yield f"called-{file_name}", file_name, _zip(_GOOD, _BAD)
    yield "second-stream", "m.zip", _zip(Member("m.pkl", BENIGN_PICKLE + EVIL, DEFLATED))
    yield "named-as-directory", "m.zip", _zip(_GOOD, Member("data/", EVIL, attributes=0o40755 << 16 | 0x10))
    yield "unnamed", "m.zip", _zip(_GOOD, Member(b"", EVIL))
    yield "among-many", "m.zip", _zip(*(Member(f"f{n}.txt", b"x") for n in range(300)), _BAD)
    yield "name-not-utf8", "m.zip", _zip(Member(b"caf\xe9.pkl", EVIL))
    for depth in (2, 4, 7):
        yield f"{depth}-deep", "m.zip", partial(_nested_zip, depth)
    yield "beyond-the-depth", "m.zip", partial(_nested_zip, 12)
    yield "in-gzip-in-zip", "m.zip", _zip(Member("m.gz", gzip.compress(EVIL, mtime=0), DEFLATED))
    yield "in-tar-in-zip", "m.zip", _zip(Member("m.tar", tar.archive(tar.member("a.pkl", EVIL)), DEFLATED))


def _nested_zip(depth: int) -> bytes:
    data = EVIL
    for number in range(depth):
        data = zip_file([Member("inner.zip" if number else "inner.pkl", data, DEFLATED)])
    return data


def _zip_lies() -> _Made:
    for method in (0, DEFLATED):
        bad = partial(Member, "data.pkl", EVIL, method)
        yield f"crc-directory-{method}", "m.zip", _zip(bad(central={"crc": 1}))
        yield f"crc-local-{method}", "m.zip", _zip(bad(local={"crc": 1}))
        yield f"crc-both-{method}", "m.zip", _zip(bad(local={"crc": 1}, central={"crc": 1}))
        yield f"size-directory-{method}", "m.zip", _zip(bad(central={"size": 3}))
        yield f"size-local-{method}", "m.zip", _zip(bad(local={"size": 3}))
        yield f"flags-encrypted-local-{method}", "m.zip", _zip(bad(local={"flags": 1}))
        yield f"flags-encrypted-directory-{method}", "m.zip", _zip(bad(central={"flags": 1}))
        yield f"flags-encrypted-both-{method}", "m.zip", _zip(bad(flags=1))
        yield f"flags-patched-{method}", "m.zip", _zip(bad(flags=0x20))
        yield f"flags-strong-{method}", "m.zip", _zip(bad(flags=0x40))
        yield f"flags-masked-{method}", "m.zip", _zip(bad(flags=0x2000))
        yield f"name-local-{method}", "m.zip", _zip(bad(local_name=b"data.txt"))
        yield f"name-local-longer-{method}", "m.zip", _zip(bad(local_name=b"data.pkl.safetensors"))
    yield "method-local", "m.zip", _zip(Member("m.pkl", EVIL, local={"method": 8}))
    yield "method-directory", "m.zip", _zip(Member("m.pkl", EVIL, central={"method": 8}))
    yield "method-unknown", "m.zip", _zip(Member("m.pkl", EVIL, 77))
    yield "method-zstd", "m.zip", _zip(Member("m.pkl", EVIL, ZSTD))
    yield "method-deflate64", "m.zip", _zip(Member("m.pkl", EVIL, DEFLATED64))
    yield (
        "packed-directory",
        "m.zip",
        _zip(Member("m.pkl", BENIGN_PICKLE + EVIL, central={"packed": 5, "size": 5})),
    )
    yield "duplicate", "m.zip", _zip(Member("m.pkl", BENIGN_PICKLE), Member("m.pkl", EVIL))
    yield "duplicate-harmless", "m.zip", _zip(Member("m.json", b"[]"), Member("m.json", b"[1]"))
    yield (
        "duplicate-case",
        "m.zip",
        _zip(Member("M.pkl", BENIGN_PICKLE), Member("m.pkl", BENIGN_PICKLE[:-1] + b".")),
    )
    yield "duplicate-form", "m.zip", _zip(Member("\u212b.txt", _TEXT), Member("\xc5.txt", _TEXT))
    yield "two-entries-of-one-member", "m.zip", partial(_twice_listed)
    yield "split", "m.zip", partial(zip_file, [_GOOD], end={"disk": 1})
    yield "count-small", "m.zip", partial(zip_file, [_GOOD, _BAD], end={"count": 1, "here": 1})
    yield "count-large", "m.zip", partial(zip_file, [_GOOD, _BAD], end={"count": 9, "here": 9})
    yield "directory-size", "m.zip", partial(zip_file, [_GOOD, _BAD], end={"size": 50})
    yield "directory-offset", "m.zip", partial(zip_file, [_GOOD, _BAD], end={"offset": 3})
    yield "directory-of-nothing", "m.zip", partial(zip_file, [_BAD], end={"count": 0, "here": 0, "size": 0})
    yield (
        "zip64-size-in-one-header",
        "m.zip",
        _zip(Member("m.pkl", EVIL, central_extra=struct.pack("<2HQ", 1, 8, 3), central={"size": 0xFFFFFFFF})),
    )
    yield (
        "unicode-path-extra",
        "m.zip",
        _zip(Member("data.txt", EVIL, central_extra=_unicode_path(b"data.txt", b"data.pkl"))),
    )


def _unicode_path(name: bytes, shown: bytes) -> bytes:
    return struct.pack("<2HBL", 0x7075, 5 + len(shown), 1, zlib.crc32(name)) + shown


def _twice_listed() -> bytes:
    return zip_file([Member("a.pkl", EVIL), Member("b.pkl", EVIL, central={"offset": 0})])


def _zip_hidden() -> _Made:
    inner = zip_file([_BAD])
    yield "behind-harmless-zip", "m.zip", lambda: zip_file([_GOOD]) + inner
    yield "before-harmless-zip", "m.pt", lambda: inner + zip_file([_GOOD])
    yield "pickle-before", "m.pkl", partial(zip_file, [_GOOD], prefix=EVIL)
    yield "pickle-before-shifted", "m.bin", partial(zip_file, [_GOOD], prefix=EVIL, shifted=True)
    yield "benign-pickle-before", "m.pkl", partial(zip_file, [_BAD], prefix=BENIGN_PICKLE)
    yield (
        "benign-pickle-before-shifted",
        "m.pt",
        partial(zip_file, [_BAD], prefix=BENIGN_PICKLE, shifted=True),
    )
    for name, prefix in {"png": b"\x89PNG\r\n\x1a\n" + bytes(40), "text": b"# a card\n" * 5, "zeros": bytes(64),
                         "shell": b"#!/bin/sh\nexit 0\n", "mz": b"MZ" + bytes(90)}.items():  # fmt: skip
        yield f"prefix-{name}", f"m.{name}", partial(zip_file, [_BAD], prefix=prefix)
        yield f"prefix-{name}-shifted", f"m.{name}", partial(zip_file, [_BAD], prefix=prefix, shifted=True)
        yield f"prefix-{name}-harmless", f"m.{name}", partial(zip_file, [_JSON], prefix=prefix, shifted=True)
    yield (
        "safetensors-before",
        "m.safetensors",
        partial(zip_file, [_BAD], prefix=struct.pack("<Q", 64) + b"{}".ljust(64), shifted=True),
    )
    yield "in-comment", "m.zip", partial(zip_file, [_GOOD], comment=inner)
    yield "end-record-in-comment", "m.zip", partial(zip_file, [_GOOD, _BAD], comment=b"PK\5\6" + bytes(18))
    yield "bytes-behind", "m.zip", partial(zip_file, [_GOOD], tail=EVIL)
    yield "garbage-behind", "m.pt", partial(zip_file, [_BAD], tail=b"x" * 100)
    yield "garbage-behind-far", "m.pt", partial(zip_file, [_BAD], tail=b"x" * 100_000)
    yield "no-directory", "m.pt", lambda: _BAD.local_record() + _GOOD.local_record()
    yield "no-end-record", "m.pt", lambda: zip_file([_BAD])[:-22]
    yield "cut-off", "m.pt", lambda: zip_file([Member("m.pkl", EVIL + bytes(3000))])[:1000]
    yield "member-not-listed", "m.zip", _zip(_GOOD, Member("data.pkl", EVIL, unlisted=True), _JSON)
    yield "first-member-not-listed", "m.zip", _zip(Member("data.pkl", EVIL, unlisted=True), _JSON)
    yield "last-member-not-listed", "m.zip", _zip(_GOOD, Member("data.pkl", EVIL, unlisted=True))
    yield "pickle-between", "m.zip", _zip(Member("a.txt", _TEXT, behind=EVIL), _JSON)
    yield (
        "descriptor-sized-pickle-between",
        "m.zip",
        _zip(Member("a.txt", _TEXT, behind=EVIL.ljust(16, b".")), _JSON),
    )
    yield "before-directory", "m.zip", partial(zip_file, [_GOOD], before_directory=EVIL * 9)
    yield "before-end", "m.zip", partial(zip_file, [_GOOD], before_end=EVIL)
    yield "far-between", "m.zip", _zip(Member("a.txt", _TEXT, behind=bytes(5000) + inner), _JSON)
    yield (
        "far-between-zeros-only-first",
        "m.zip",
        _zip(Member("a.txt", _TEXT, behind=bytes(70_000) + EVIL), _JSON),
    )
    yield "two-directories", "m.zip", _two_directories
    yield "behind-the-end-of-deflate", "m.zip", _behind_deflate
    yield "in-local-extra", "m.zip", _zip(Member("a.txt", _TEXT, local_extra=_extra(inner)), _JSON)


def _behind_deflate() -> bytes:
    """The compressed data end, and their member goes on."""
    hidden = {"packed": len(zlib.compress(_TEXT, 9)) - 6 + len(EVIL)}
    return zip_file([Member("a.txt", _TEXT, DEFLATED, local=hidden, central=hidden, behind=EVIL), _JSON])


def _extra(data: bytes) -> bytes:
    return struct.pack("<2H", 0x9999, len(data)) + data


def _two_directories() -> bytes:
    """The end record points at one directory, another one lies before it and names another member."""
    good, bad = Member("m.pkl", BENIGN_PICKLE), Member("m.pkl", EVIL)
    bodies = good.local_record() + bad.local_record()
    first = bad.central_record(len(good.local_record()))
    second = good.central_record(0)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(second), len(bodies) + len(first), 0)
    return bodies + first + second + end


def _zip_paths() -> _Made:
    names = {
        "parent": "../../etc/cron.d/x", "inner-parent": "a/../../x", "absolute": "/etc/passwd", "drive": "C:/x.dll",
        "drive-backslash": "C:\\x.dll", "unc": "\\\\host\\share\\x", "backslash-parent": "..\\..\\x",
        "mixed": "a/..\\../../x", "home": "~/.bashrc", "home-of": "~root/.ssh/authorized_keys",
        "nul": "a.txt\0.pkl", "newline": "a\nb.txt", "dot-dot": "..", "spaced-parent": "a/.. /../../x",
        "file-scheme": "file:///etc/passwd", "escape": "a\x1b[2Jb.txt", "right-to-left": "a\u202etxt.exe",
        "slash-only": "/", "drive-relative": "C:x.dll",
    }  # fmt: skip
    for name, path in names.items():
        yield name, "m.zip", _zip(_GOOD, Member(path, _TEXT))
    for name, target in {"absolute": b"/etc/passwd", "parent": b"../../x", "inside": b"notes.txt"}.items():
        yield f"link-{name}", "m.zip", _zip(_GOOD, Member("link", target, attributes=0o120777 << 16))
    yield (
        "link-any-system",
        "m.zip",
        _zip(_GOOD, Member("link", b"/etc", attributes=0o120777 << 16, system=0)),
    )
    yield "link-that-is-a-pickle", "m.pt", _zip(Member("a/data.pkl", EVIL, attributes=0o120777 << 16))
    yield "device-that-is-a-pickle", "m.pt", _zip(Member("a/data.pkl", EVIL, attributes=0o020644 << 16))
    for kind, mode in {"fifo": 0o10644, "character": 0o20644, "block": 0o60644, "socket": 0o140644}.items():
        yield f"device-{kind}", "m.zip", _zip(_GOOD, Member("node", attributes=mode << 16))


def _zip_bombs() -> _Made:
    zeros = bytes(80 * 1024 * 1024)
    yield "ratio", "m.zip", lambda: zip_file([Member("zeros.bin", zeros, DEFLATED)])
    yield "ratio-bzip2", "m.zip", lambda: zip_file([Member("zeros.bin", zeros, BZIP2)])
    yield "overlap", "m.zip", _overlapping
    yield "count", "m.zip", partial(zip_file, [Member(str(number)) for number in range(100)], end={
        "here": 65_000, "count": 65_000
    })  # fmt: skip
    yield "size-told", "m.zip", _zip(Member("a.txt", _TEXT, DEFLATED, central={"size": 0xFFFFFFF0}))


def _overlapping() -> bytes:
    """Fifield's construction, in small: every header also is data of the member before."""
    kernel = Member("kernel", bytes(1000), DEFLATED)
    body = b"".join(Member(f"m{number}", b"").local_record() for number in range(50)) + kernel.local_record()
    size = len(Member("m00", b"").local_record()) - 1
    directory, offset = b"", 0
    for number in range(50):
        entry = Member(f"m{number}", b"")
        packed = len(body) - offset - 30 - len(entry.raw_name)
        directory += Member(f"m{number}", b"", central={"packed": packed, "size": packed}).central_record(
            offset
        )
        offset += 30 + len(entry.raw_name)
    assert size
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 50, 50, len(directory), len(body), 0)
    return body + directory + end


def _zip_encrypted() -> _Made:
    secret = bytes(range(12)) + _TEXT
    yield "traditional", "m.zip", _zip(Member("a.bin", secret, flags=1))
    yield "strong", "m.zip", _zip(Member("a.bin", secret, flags=0x41))
    yield "aes", "m.zip", _zip(Member("a.bin", secret, 99, flags=1, local_extra=_aes(), central_extra=_aes()))


def _aes() -> bytes:
    return struct.pack("<2HH2sBH", 0x9901, 7, 2, b"AE", 3, 8)


class _Unseekable(io.RawIOBase):
    """A sink that a writer cannot go back in, so that it writes descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.written = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # typeshed: ReadableBuffer
        return self.written.write(data)


_ORDINARY = {"a/": b"", "a/vocab.txt": b"eval\nexec\nos.system\n" * 50, "a/config.json": b'{"x": [1, 2]}'}


def _written(sink: io.IOBase, method: int, *, force_zip64: bool = False) -> None:
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in _ORDINARY.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = method
            with archive.open(info, "w", force_zip64=force_zip64) as file:
                file.write(data)


def _by_zipfile(method: int, force_zip64: bool) -> bytes:
    sink = io.BytesIO()
    _written(sink, method, force_zip64=force_zip64)
    return sink.getvalue()


def _streamed(method: int, force_zip64: bool) -> bytes:
    sink = _Unseekable()
    _written(sink, method, force_zip64=force_zip64)
    return sink.written.getvalue()


def _zip_ordinary() -> _Made:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        for large in (False, True):
            yield f"zipfile-{method}-{large}", "m.zip", partial(_by_zipfile, method, large)
            if method != zipfile.ZIP_LZMA:
                yield f"streamed-{method}-{large}", "m.zip", partial(_streamed, method, large)
    yield "empty", "m.zip", partial(zip_file, [])
    yield "comment", "m.zip", partial(zip_file, [_GOOD, _JSON], comment=b"made by an ordinary program")
    yield (
        "aligned",
        "m.zip",
        _zip(Member("a.txt", _TEXT, local_extra=struct.pack("<2H", 0x4246, 20) + b"Z" * 20)),
    )
    yield "java", "m.jar", _zip(
        Member("META-INF/", local_extra=struct.pack("<2H", 0xCAFE, 0), central_extra=struct.pack("<2H", 0xCAFE, 0)),
        Member("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n", DEFLATED),
    )  # fmt: skip
    yield "unix-times", "m.zip", _zip(
        Member("a.txt", _TEXT, local_extra=struct.pack("<2HBLL", 0x5455, 9, 3, 1, 1),
               central_extra=struct.pack("<2HBL", 0x5455, 5, 3, 1))
    )  # fmt: skip
    yield "names-in-utf8", "m.zip", _zip(Member("\u00fcbung/\u4f60\u597d.txt", _TEXT))
    yield "pickle-inside", "m.zip", _zip(Member("a.pkl", BENIGN_PICKLE, DEFLATED))
    yield "descriptor-without-signature", "m.zip", _zip(_with_descriptor(signed=False), _JSON)
    yield "descriptor-with-signature", "m.zip", _zip(_with_descriptor(signed=True), _JSON)
    yield "deep-and-harmless", "m.zip", lambda: zip_file([Member("in.zip", zip_file([_GOOD]), DEFLATED)])


def _with_descriptor(*, signed: bool) -> Member:
    packed = len(zlib.compress(_TEXT, 9)) - 6
    descriptor = (b"PK\7\x08" if signed else b"") + struct.pack("<3L", zlib.crc32(_TEXT), packed, len(_TEXT))
    nothing = {"crc": 0, "packed": 0, "size": 0}
    return Member("a.txt", _TEXT, DEFLATED, flags=8, local=nothing, behind=descriptor)


def _tar(*parts: bytes) -> Callable[[], bytes]:
    return partial(tar.archive, *parts)


def _tar_payloads() -> _Made:
    note = tar.member("notes.txt", _TEXT)
    for name, data in EVIL_VARIANTS.items():
        yield name, "m.tar", _tar(note, tar.member("m.pkl", data))
    for name, magic in {"ustar": b"ustar\x0000", "gnu": b"ustar  \0", "v7": bytes(8)}.items():
        yield f"format-{name}", "m.bin", _tar(note, tar.member("m", EVIL, magic=magic))
    yield "kind-nul", "m.tar", _tar(tar.member("m", EVIL, kind=b"\0"))
    yield "kind-contiguous", "m.tar", _tar(tar.member("m", EVIL, kind=b"7"))
    yield "kind-unknown", "m.tar", _tar(tar.member("m.pkl", EVIL, kind=b"Q"))
    yield "directory-with-data", "m.tar", _tar(tar.member("d/", EVIL, kind=b"5"), note)
    yield "link-with-data", "m.tar", _tar(note, tar.member("d", EVIL, kind=b"2", link=b"notes.txt"))
    yield (
        "long-name",
        "m.tar",
        _tar(tar.member("././@LongLink", b"a" * 200 + b".pkl\0", kind=b"L"), tar.member("a" * 99, EVIL)),
    )
    yield "no-end", "m.tar", partial(tar.archive, note, tar.member("m.pkl", EVIL), end=b"")
    yield "one-end-block", "m.tar", partial(tar.archive, tar.member("m.pkl", EVIL), end=bytes(512))
    yield "gzipped", "m.tar.gz", lambda: gzip.compress(tar.archive(tar.member("m.pkl", EVIL)), mtime=0)
    yield (
        "gzipped-as-nemo",
        "m.nemo",
        lambda: gzip.compress(tar.archive(tar.member("./m.ckpt", EVIL)), mtime=0),
    )
    yield (
        "binary-size",
        "m.tar",
        _tar(tar.member("m.pkl", EVIL, size=b"\x80" + len(EVIL).to_bytes(11, "big"))),
    )
    yield "wrapped-name", "m.safetensors", _tar(tar.member("m.pkl", EVIL))


def _tar_lies() -> _Made:
    note, bad = tar.member("notes.txt", _TEXT), tar.member("m.pkl", EVIL)
    yield "second-archive", "m.tar", lambda: tar.archive(note) + tar.archive(bad)
    yield "behind-one-block", "m.tar", lambda: note + bytes(512) + tar.archive(bad)
    yield "checksum", "m.tar", _tar(note, tar.member("m.pkl", EVIL, checksum=5))
    yield "checksum-first", "m.tar", _tar(tar.member("m.pkl", EVIL, checksum=5), note)
    yield "size-beyond", "m.tar", _tar(note, tar.member("m.pkl", EVIL, size=b"77777777777\0"))
    yield "size-negative", "m.tar", _tar(tar.member("m.pkl", EVIL, size=b"\xff" * 12))
    yield "size-no-number", "m.tar", _tar(tar.member("m.pkl", EVIL, size=b"0000000zz\0"))
    yield "pax-size", "m.tar", _tar(tar.pax([("size", "512")]), tar.member("a.txt", _TEXT[:4]), bad)
    yield "pax-size-hides", "m.tar", _tar(tar.pax([("size", "1024")]), tar.member("a.txt", b""), bad)
    yield "pax-size-zero", "m.tar", _tar(tar.pax([("size", "0")]), tar.member("a.txt", bad))
    yield "pax-global-size", "m.tar", _tar(tar.pax([("size", "0")], kind=b"g"), tar.member("a.txt", bad))
    yield "pax-global-path", "m.tar", _tar(tar.pax([("path", "../../x")], kind=b"g"), note)
    yield (
        "pax-global-link",
        "m.tar",
        _tar(
            tar.pax([("linkpath", "/etc/passwd")], kind=b"g"), tar.member("l", kind=b"2", link=b"notes.txt")
        ),
    )
    yield "pax-size-of-many-digits", "m.tar", _tar(tar.pax([("size", "9" * 5000)]), note)
    yield "checksum-with-prefix", "m.tar", _odd_checksum
    yield "pax-broken", "m.tar", _tar(tar.member("x", b"99999 path=a\n", kind=b"x"), bad)
    yield "pax-twice", "m.tar", _tar(tar.pax([("path", "a"), ("path", "../b")]), note)
    yield (
        "pax-and-long-name",
        "m.tar",
        _tar(
            tar.member("././@LongLink", b"harmless.txt\0", kind=b"L"), tar.pax([("path", "../evil.pkl")]), bad
        ),
    )
    yield "duplicate", "m.tar", _tar(tar.member("m.pkl", BENIGN_PICKLE), bad)
    yield "bytes-behind", "m.tar", lambda: tar.archive(note) + EVIL
    yield "sparse-gnu", "m.tar", _tar(tar.member("m.pkl", EVIL, kind=b"S", magic=b"ustar  \0"))
    yield (
        "sparse-pax",
        "m.tar",
        _tar(
            tar.pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "m.pkl")]), bad
        ),
    )
    yield "multi-volume", "m.tar", _tar(tar.member("m.pkl", EVIL, kind=b"M"))
    yield "zip-behind", "m.tar", lambda: tar.archive(note) + zip_file([_BAD])
    yield "pickle-as-name", "m.pkl", _tar(tar.member(EVIL, _TEXT))


def _odd_checksum() -> bytes:
    """The first checksum is written so that Python reads it and a strict reader does not; no magic helps."""
    block = bytearray(tar.archive(tar.member("m.pkl", EVIL, magic=bytes(8))))
    block[148:156] = b"0o" + block[149:154] + b"\0"
    return bytes(block)


def _tar_links() -> _Made:
    note = tar.member("notes.txt", _TEXT)
    for name, kind, target in (
        ("absolute", b"2", b"/etc/passwd"), ("parent", b"2", b"../../x"), ("hard-absolute", b"1", b"/etc/passwd"),
        ("hard-parent", b"1", b"../x"), ("backslash", b"2", b"..\\..\\x"), ("home", b"2", b"~/.ssh"),
    ):  # fmt: skip
        yield name, "m.tar", _tar(note, tar.member("link", kind=kind, link=target))
    for name, kind in {"character": b"3", "block": b"4", "fifo": b"6"}.items():
        yield f"device-{name}", "m.tar", _tar(note, tar.member("node", kind=kind))
    for name, path in {
        "absolute": "/etc/x", "parent": "../x", "drive": "C:\\x", "home": "~/x", "backslash": "a\\..\\..\\x",
        "control": "a\x07b",
    }.items():  # fmt: skip
        yield f"path-{name}", "m.tar", _tar(note, tar.member(path, _TEXT))
    yield "path-by-prefix", "m.tar", _tar(tar.member("x", _TEXT, prefix=b"../.."))
    yield "path-by-prefix-gnu", "m.tar", _tar(tar.member("x", _TEXT, prefix=b"../..", magic=b"ustar  \0"))
    yield "path-by-pax", "m.tar", _tar(tar.pax([("path", "/etc/x")]), note)
    yield (
        "link-by-pax",
        "m.tar",
        _tar(tar.pax([("linkpath", "../../x")]), tar.member("l", kind=b"2", link=b"a")),
    )
    yield (
        "chain",
        "m.tar",
        _tar(tar.member("a", kind=b"2", link=b"."), tar.member("a/b", kind=b"2", link=b"..")),
    )
    yield (
        "chain-through-target",
        "m.tar",
        _tar(tar.member("x/y/z", kind=b"2", link=b"../.."), tar.member("link", kind=b"2", link=b"x/y/z/..")),
    )
    yield (
        "hard-link-to-link",
        "m.tar",
        _tar(tar.member("a/b", kind=b"2", link=b"../x"), tar.member("b", kind=b"1", link=b"a/b")),
    )
    yield (
        "file-through-link",
        "m.tar",
        _tar(tar.member("d", kind=b"2", link=b"sub/../.."), tar.member("d/x", _TEXT)),
    )


def _tar_shown() -> _Made:
    yield "link-beside", "m.tar", _tar(tar.member("a/b/link", kind=b"2", link=b"../notes.txt"))
    yield (
        "link-inside",
        "m.tar",
        _tar(tar.member("notes.txt", _TEXT), tar.member("link", kind=b"2", link=b"notes.txt")),
    )


def _by_tarfile(mode: str, form: int) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in {
            "./a/x.txt": _TEXT,
            f"a/{'long' * 30}/{'n' * 90}.txt": _TEXT,
            "a/\u00fc.txt": _TEXT,
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_700_000_000.5 if form == tarfile.PAX_FORMAT else 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def _tar_ordinary() -> _Made:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"tarfile-{form}", "m.tar", partial(_by_tarfile, "w", form)
    for packer in ("gz", "bz2", "xz"):
        yield f"tarfile-{packer}", f"m.tar.{packer}", partial(_by_tarfile, f"w:{packer}", tarfile.PAX_FORMAT)
    yield (
        "git-archive",
        "m.tar",
        _tar(tar.pax([("comment", "a" * 40)], kind=b"g"), tar.member("a.txt", _TEXT)),
    )
    yield "old-v7", "m.tar", _tar(tar.member("a.txt", _TEXT, magic=bytes(8)))
    yield "pickle-inside", "m.tar", _tar(tar.member("a.pkl", BENIGN_PICKLE))


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": partial(lzma.compress, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zlib-0": partial(zlib.compress, level=0),
    "zlib-9": partial(zlib.compress, level=9),
}


def _stream_payloads() -> _Made:
    for name, pack in _PACKERS.items():
        for file_name in ("m.pkl", "m.joblib", "m.bin", "m.gz"):
            yield f"{name}-{file_name}", file_name, partial(pack, EVIL)
        yield f"{name}-second", "m.pkl", partial(lambda pack: pack(BENIGN_PICKLE) + pack(EVIL), pack)
        yield f"{name}-behind", "m.pkl", partial(lambda pack: pack(BENIGN_PICKLE) + EVIL, pack)
        yield f"{name}-cut", "m.pkl", partial(lambda pack: pack(EVIL + bytes(5000))[:-6], pack)
        yield f"{name}-twice", "m.pkl", partial(lambda pack: pack(pack(EVIL)), pack)
        yield f"{name}-six-deep", "m.pkl", partial(_repeatedly, pack, 6)
        yield f"{name}-too-deep", "m.pkl", partial(_repeatedly, pack, 12)
        yield f"{name}-zip-inside", "m.pkl", partial(lambda pack: pack(zip_file([_BAD])), pack)
        yield f"{name}-bomb", "m.pkl", partial(lambda pack: pack(bytes(80 * 1024 * 1024)), pack)
        yield (
            f"{name}-zeros-then-second",
            "m.pkl",
            partial(lambda pack: pack(BENIGN_PICKLE) + bytes(5000) + pack(EVIL), pack),
        )
    yield "gzip-checksum", "m.pkl", lambda: _flipped(gzip.compress(EVIL, mtime=0), -8)
    yield "gzip-size", "m.pkl", lambda: _flipped(gzip.compress(EVIL, mtime=0), -1)
    yield "gzip-named", "m.pkl", lambda: _named_gzip(b"../../x")
    yield "zlib-checksum", "m.pkl", lambda: _flipped(zlib.compress(EVIL), -1)
    yield "zlib-small-window", "m.joblib", _small_window
    yield "mixed", "m.pkl", lambda: gzip.compress(bz2.compress(lzma.compress(zlib.compress(EVIL))), mtime=0)
    yield "xz-padded", "m.pkl", lambda: lzma.compress(BENIGN_PICKLE) + bytes(8) + lzma.compress(EVIL)
    for file_name in ("m.joblib", "m.bin", "m.pkl"):
        yield f"old-joblib-{file_name}", file_name, lambda: _zfile(EVIL)
    yield "zlib-empty-blocks-first", "m.bin", _empty_blocks_first
    for name, properties in {"lc-0": 90, "pb-0": 3}.items():
        yield f"lzma-{name}", "m.bin", partial(_lzma_alone, properties)
    yield "lzma-huge-window", "m.joblib", lambda: b"\x5d\0\0\0\x80" + _lzma_alone(93)[5:]


def _repeatedly(pack: Callable[[bytes], bytes], times: int) -> bytes:
    data = EVIL
    for _ in range(times):
        data = pack(data)
    return data


def _flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def _named_gzip(name: bytes) -> bytes:
    packed = gzip.compress(EVIL, mtime=0)
    return packed[:3] + b"\x08" + packed[4:10] + name + b"\0" + packed[10:]


def _empty_blocks_first() -> bytes:
    packer = zlib.compressobj(0)
    empty = b"\0\0\0\xff\xff" * 2000
    packed = packer.compress(EVIL) + packer.flush()
    return packed[:2] + empty + packed[2:]


def _lzma_alone(properties: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "lc": properties % 9, "lp": properties // 9 % 5, "pb": properties // 45,
                "dict_size": 1 << 16}]  # fmt: skip
    return lzma.compress(EVIL, lzma.FORMAT_ALONE, filters=filters)


def _small_window() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 9)
    return packer.compress(EVIL) + packer.flush()


def _zfile(data: bytes) -> bytes:
    """The wrapper of joblib before 0.10: `ZF`, the length in hexadecimal, a zlib stream."""
    return b"ZF" + hex(len(data)).encode().ljust(19) + zlib.compress(data)


def _closed() -> _Made:
    for name, signature in {
        "7z": b"7z\xbc\xaf\x27\x1c\x00\x04", "rar4": b"Rar!\x1a\x07\x00", "rar5": b"Rar!\x1a\x07\x01\x00",
        "zstd": b"\x28\xb5\x2f\xfd\x24\x10", "lz4": b"\x04\x22\x4d\x18\x64\x40", "lzip": b"LZIP\x01",
        "zstd-skippable": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd\x28\xb5\x2f\xfd\x24\x10",
    }.items():  # fmt: skip
        yield name, "m.joblib", partial(bytes.__add__, signature, bytes(range(200)))
        yield f"{name}-in-zip", "m.zip", _zip(Member("m.pkl", signature + bytes(range(200))))


def _stream_ordinary() -> _Made:
    for name, pack in _PACKERS.items():
        yield name, "m.pkl", partial(pack, BENIGN_PICKLE)
        yield f"{name}-text", "m.txt.gz", partial(pack, _TEXT)
    yield "gzip-two-members", "m.txt.gz", lambda: gzip.compress(_TEXT, mtime=0) * 2
    yield "xz-padded", "m.txt.xz", lambda: lzma.compress(_TEXT) + bytes(8)
    yield "gzip-empty", "m.gz", lambda: gzip.compress(b"", mtime=0)
    yield "gzip-named", "m.gz", _plainly_named


def _plainly_named() -> bytes:
    packed = gzip.compress(_TEXT, mtime=0)
    return packed[:3] + b"\x08" + packed[4:10] + b"notes.txt\0" + packed[10:]
