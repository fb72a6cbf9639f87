"""Files that carry pickles by their format: joblib, npy, npz, torch in its three formats, and archives of them."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tests.attack.corpus import tar_parts as tar
from tests.attack.corpus.case import Case, Label
from tests.attack.corpus.payloads import BENIGN_PICKLE, ELF, EVIL, EVIL_VARIANTS, STATE_DICT, text
from tests.attack.corpus.zip_parts import DEFLATED, Member, zip_file

__all__ = [
    "DTYPE_F8",
    "DTYPE_OBJECT",
    "cases",
    "joblib",
    "legacy",
    "npy",
    "npy_header",
    "storage_in_tar",
    "torch_tar",
    "wrapped",
]

_Made = Iterator[tuple[str, str, Callable[[], bytes]]]


def cases() -> Iterator[Case]:
    """All cases of the carriers."""
    groups: tuple[tuple[str, Label, _Made], ...] = (
        ("npy-payload", "malicious", _npy_payloads()),
        ("npy-lies", "malicious", _npy_lies()),
        ("npy-ordinary", "benign", _npy_ordinary()),
        ("joblib-payload", "malicious", _joblib_payloads()),
        ("joblib-ordinary", "benign", _joblib_ordinary()),
        ("torch-zip-payload", "malicious", _torch_zip_payloads()),
        ("torch-zip-shown", "policy", _torch_zip_shown()),
        ("torch-zip-ordinary", "benign", _torch_zip_ordinary()),
        ("torch-legacy-payload", "malicious", _legacy_payloads()),
        ("torch-legacy-ordinary", "benign", _legacy_ordinary()),
        ("torch-tar-payload", "malicious", _torch_tar_payloads()),
        ("torch-tar-ordinary", "benign", _torch_tar_ordinary()),
        ("served-payload", "malicious", _served_payloads()),
        ("served-shown", "policy", _served_shown()),
    )
    for family, label, files in groups:
        for name, file_name, make in files:
            yield Case(family, name, file_name, label, make)


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    """An npy file with this header, aligned as numpy does it."""
    width = 2 if version == 1 else 4
    line = header.encode("latin-1" if version < 3 else "utf-8")
    line += b" " * (-(8 + width + len(line) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(line).to_bytes(width, "little") + line + data


def npy_header(descr: object = "|O", shape: object = (1,)) -> str:
    """The header of an array."""
    return repr({"descr": descr, "fortran_order": False, "shape": shape})


def _npy_payloads() -> _Made:
    for name, data in EVIL_VARIANTS.items():
        yield name, "a.npy", partial(npy, npy_header(), data)
    for version in (1, 2, 3):
        for file_name in ("a.npy", "a.bin", "a.pkl", "model.safetensors"):
            yield f"version-{version}-{file_name}", file_name, partial(npy, npy_header(), EVIL, version)
    for name, descr in {
        "plain-letter": "O", "with-size": "|O8", "little": "<O", "record": [("a", "<f4"), ("b", "|O")],
        "nested-record": [("a", [("b", [("c", "|O")])])], "sub-array": [("a", "|O", (2, 2))],
        "titled": [(("title", "a"), "|O")],
    }.items():  # fmt: skip
        yield f"dtype-{name}", "a.npy", partial(npy, npy_header(descr), EVIL)
    yield "behind-objects", "a.npy", partial(npy, npy_header(), BENIGN_PICKLE + EVIL)
    yield "behind-numbers", "a.npy", partial(npy, npy_header("<f4", (2,)), bytes(8) + EVIL)
    yield "as-numbers", "a.npy", partial(npy, npy_header("|u1", (len(EVIL),)), EVIL)
    yield "second-array", "a.npy", lambda: npy(npy_header("<f4", (2,)), bytes(8)) + npy(npy_header(), EVIL)
    yield "in-npz", "a.npz", partial(zip_file, [Member("a.npy", npy(npy_header(), EVIL))])
    yield "in-npz-deflated", "a.npz", partial(zip_file, [Member("a.npy", npy(npy_header(), EVIL), DEFLATED)])
    yield "in-npz-by-any-name", "a.npz", partial(zip_file, [Member("a", npy(npy_header(), EVIL))])
    yield "pickle-in-npz", "a.npz", partial(zip_file, [Member("a.npy", EVIL)])
    yield "gzipped", "a.npy.gz", lambda: gzip.compress(npy(npy_header(), EVIL), mtime=0)
    yield "no-elements", "a.npy", partial(npy, npy_header("|O", (0,)), EVIL)


def _npy_lies() -> _Made:
    numbers = bytes(80)
    for name, header in {
        "shape-too-large": npy_header("<f8", (10**9,)), "shape-overflow": npy_header("<f8", (2**62, 2**62)),
        "shape-negative": npy_header("<f8", (-1,)), "shape-text": npy_header("<f8", ("1",)),
        "shape-not-there": "{'descr': '<f8', 'fortran_order': False}", "call": "__import__('os').getpid()",
        "call-inside": "{'descr': '<f8', 'fortran_order': False, 'shape': (int('1'),)}",
        "more-keys": "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "deep": "(" * 3000 + ")" * 3000, "signs": "-" * 200_000 + "1", "sums": "+".join("1" * 20_000),
        "negations": "not " * 20_000 + "1", "functions": "lambda:" * 10_000 + "1", "digits": "9" * 30_000,
        "unknown-dtype": npy_header("<z8", (1,)), "not-text": "\xff\xfe\x00",
    }.items():  # fmt: skip
        yield name, "a.npy", partial(npy, header, numbers, 2)
    yield "version", "a.npy", partial(npy, npy_header("<f8"), numbers, 9)
    yield "header-too-long", "a.npy", lambda: b"\x93NUMPY\x02\0\xff\xff\xff\x7f{}"
    yield "cut-off", "a.npy", lambda: npy(npy_header("<f8", (10,)), bytes(79))


def _saved(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def _npz(*, compressed: bool) -> bytes:
    sink = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(sink, a=np.arange(50.0), b=np.array(["x", "yz"]))
    return sink.getvalue()


def _npy_ordinary() -> _Made:
    arrays = {
        "floats": np.arange(12.0).reshape(3, 4), "fortran": np.asfortranarray(np.ones((3, 5), np.float32)),
        "texts": np.array(["one", "three"]), "bytes": np.array([b"x", b"yy"]), "scalar": np.array(5),
        "empty": np.zeros((0, 4)), "booleans": np.array([True, False]), "big": np.arange(4, dtype=">i2"),
        "times": np.array(["2026-01-01"], "datetime64[D]"),
        "records": np.zeros(3, [("a", "<f4", (2, 3)), ("b", "<U4"), ("c", [("d", "i1")])]),
        "padded": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "names": np.zeros(2, [("a'b", "i1"), ('c"d', "f8"), ("e\\f", "i2")]),
        "unicode-names": np.zeros(2, [("\u03b1", "i1")]),
        "complex": np.ones(3, np.complex64),
    }  # fmt: skip
    for name, array in arrays.items():
        yield name, "a.npy", partial(_saved, array)
    yield "objects", "a.npy", partial(npy, npy_header(), BENIGN_PICKLE)
    yield (
        "python-2",
        "a.npy",
        partial(npy, "{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }", bytes(16)),
    )
    for compressed in (False, True):
        yield f"npz-{compressed}", "a.npz", partial(_npz, compressed=compressed)


DTYPE_F8 = (
    b"cnumpy\ndtype\n"
    + text("f8")
    + b"\x89\x88\x87R(K\x03"
    + text("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
DTYPE_OBJECT = (
    b"cnumpy\ndtype\n"
    + text("O8")
    + b"\x89\x88\x87R(K\x03"
    + text("|")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
)


def wrapped(
    dtype: bytes, data: bytes, shape: bytes = b"K\x02\x85", *, alignment: bool = True, order: str = "C"
) -> bytes:
    """joblib's array wrapper, and what it writes behind its BUILD."""
    state = (
        b"(" + text("subclass") + b"cnumpy\nndarray\n" + text("shape") + shape + text("order") + text(order)
    )
    state += text("dtype") + dtype + text("allow_mmap") + (b"\x88" if alignment else b"\x89")
    if alignment:
        state += text("numpy_array_alignment_bytes") + b"K\x10"
    padding = b"\x03" + b"\xff" * 3 if alignment else b""
    return b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}" + state + b"ub" + padding + data


def joblib(*parts: bytes, behind: bytes = b"") -> bytes:
    """A pickled list of these parts, each of which leaves one value on the stack."""
    return b"\x80\x03](" + b"".join(parts) + b"e." + behind


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes, "zlib": partial(zlib.compress, level=3), "gzip": partial(gzip.compress, mtime=0),
}  # fmt: skip


def _joblib_payloads() -> _Made:
    numbers = wrapped(DTYPE_F8, struct.pack("<2d", 1.5, 2.5))
    evil = EVIL[2:-1]
    for name, pack in _PACKERS.items():
        for file_name in ("m.joblib", "m.pkl", "m.bin"):
            yield f"behind-array-{name}-{file_name}", file_name, partial(
                lambda pack: pack(joblib(numbers, evil)), pack
            )  # fmt: skip
        yield f"in-object-array-{name}", "m.joblib", partial(
            lambda pack: pack(joblib(wrapped(DTYPE_OBJECT, EVIL, alignment=False))), pack
        )  # fmt: skip
        yield f"before-array-{name}", "m.joblib", partial(lambda pack: pack(joblib(evil, numbers)), pack)
    yield "in-object-array-aligned", "m.joblib", lambda: joblib(wrapped(DTYPE_OBJECT, EVIL))
    yield "second-stream", "m.joblib", lambda: joblib(numbers, behind=EVIL)
    yield (
        "array-bytes-as-opcodes",
        "m.joblib",
        lambda: joblib(wrapped(DTYPE_F8, b"cos\ngetpid\n)R.".ljust(16, b"."), alignment=False)),
    )
    yield "subclass", "m.joblib", lambda: joblib(numbers.replace(b"cnumpy\nndarray\n", b"cos\nsystem\n"))
    yield "shape-too-large", "m.joblib", lambda: joblib(wrapped(DTYPE_F8, b"", b"J\xff\xff\xff\x7f\x85"))
    yield "shape-negative", "m.joblib", lambda: joblib(wrapped(DTYPE_F8, evil, b"J\xff\xff\xff\xff\x85"))
    yield (
        "shape-computed",
        "m.joblib",
        lambda: joblib(wrapped(DTYPE_F8, bytes(16), b"cos\ngetpid\n)R\x85")),
    )
    yield "other-dtype", "m.joblib", lambda: joblib(wrapped(b"cos\ngetpid\n)R", bytes(16)))
    yield (
        "pickle-inside-array",
        "m.joblib",
        lambda: joblib(wrapped(DTYPE_F8, EVIL.ljust(24, b"\0"), b"K\x03\x85")),
    )
    yield "npy-beside", "m.joblib", lambda: (
        b"\x80\x02cjoblib.numpy_pickle_compat\nNDArrayWrapper\n)\x81}(" + text("filename") + text("../../x.npy")
        + text("subclass") + b"cos\nsystem\n" + text("allow_mmap") + b"\x88ub."
    )  # fmt: skip


def _joblib_ordinary() -> _Made:
    numbers = struct.pack("<2d", 1.5, 2.5)
    for name, pack in _PACKERS.items():
        for alignment in (False, True):
            made = joblib(wrapped(DTYPE_F8, numbers, alignment=alignment))
            yield f"array-{name}-{alignment}", "m.joblib", partial(pack, made)
        yield f"objects-{name}", "m.joblib", partial(
            pack, joblib(wrapped(DTYPE_OBJECT, BENIGN_PICKLE, alignment=False))
        )  # fmt: skip
    yield (
        "two-arrays",
        "m.joblib",
        lambda: joblib(
            wrapped(DTYPE_F8, numbers),
            text("between"),
            wrapped(DTYPE_F8, numbers * 2, b"K\x02K\x02\x86", order="F"),
        ),
    )
    yield "scalar-array", "m.joblib", lambda: joblib(wrapped(DTYPE_F8, numbers[:8], b")"))
    yield "empty-array", "m.joblib", lambda: joblib(wrapped(DTYPE_F8, b"", b"K\x00\x85"))
    yield "without-arrays", "m.joblib", lambda: BENIGN_PICKLE


_STORAGES = (struct.pack("<4f", 1, 2, 3, 4), struct.pack("<2f", 5, 6))


def _torch(
    *more: Member,
    pickled: bytes = STATE_DICT,
    storages: tuple[bytes, ...] = _STORAGES,
    folder: str = "archive",
) -> bytes:
    """A file as `torch.save` writes it, with the padding of its alignment."""
    members = [
        Member(f"{folder}/data.pkl", pickled, local_extra=_padding(20)),
        Member(f"{folder}/byteorder", b"little", local_extra=_padding(30)),
        *(
            Member(f"{folder}/data/{number}", data, local_extra=_padding(40))
            for number, data in enumerate(storages)
        ),
        Member(f"{folder}/version", b"3\n", local_extra=_padding(35)),
        Member(f"{folder}/.data/serialization_id", b"1" * 40, local_extra=_padding(25)),
        *more,
    ]
    return zip_file(members)


def _padding(count: int) -> bytes:
    return struct.pack("<2H", 0x4246, count) + b"Z" * count


def _torch_zip_payloads() -> _Made:
    for name, data in EVIL_VARIANTS.items():
        yield name, "model.pt", partial(_torch, pickled=data)
    for file_name in ("pytorch_model.bin", "model.ckpt", "model.safetensors", "a.txt", "model.gguf"):
        yield f"called-{file_name}", file_name, partial(_torch, pickled=EVIL)
    for folder in ("", "a/b", "model", "archive/data"):
        yield f"folder-{folder}", "model.pt", partial(_torch, pickled=EVIL, folder=folder)
    yield "second-stream", "model.pt", partial(_torch, pickled=STATE_DICT + EVIL)
    yield "in-storage", "model.pt", partial(_torch, storages=(EVIL, _STORAGES[1]))
    yield "in-storage-compressed", "model.pt", partial(_torch, storages=(zlib.compress(EVIL),))
    yield "zip-in-storage", "model.pt", partial(_torch, storages=(_torch(pickled=EVIL),))
    yield "executable-in-storage", "model.pt", partial(_torch, storages=(ELF,))
    for name in ("archive/constants.pkl", "archive/attributes.pkl", "archive/extra/x", "archive/extra/x.pkl",
                 "archive/version.pkl", "other/data.pkl", "archive/data/data.pkl", "archive/DATA.PKL",
                 "archive/data/9.bin", "archive/.data/x", "archive/tensors/0", "archive/weights/0",
                 "archive/byteorder2", "archive/code/__torch__.pkl", "archive/model.debug_pkl"):  # fmt: skip
        yield f"beside-{name}", "model.pt", partial(_torch, Member(name, EVIL))
    yield (
        "version-is-pickle",
        "model.pt",
        lambda: zip_file([Member("a/data.pkl", STATE_DICT), Member("a/version", EVIL)]),
    )
    yield (
        "deflated",
        "model.pt",
        lambda: zip_file([Member("a/data.pkl", EVIL, DEFLATED), Member("a/version", b"3\n")]),
    )
    yield "duplicate", "model.pt", lambda: _torch(Member("archive/data.pkl", EVIL))
    yield (
        "crc",
        "model.pt",
        lambda: _torch().replace(zlib.crc32(STATE_DICT).to_bytes(4, "little"), b"\1\2\3\4"),
    )
    yield "prefixed", "model.pt", lambda: b"GIF89a" + _torch()
    yield "behind-pickle", "model.pt", lambda: BENIGN_PICKLE + _torch(pickled=EVIL)


def _torch_zip_shown() -> _Made:
    for name, member in {
        "library": Member("m/data/aotinductor/model/x.so", ELF),
        "source": Member("m/data/aotinductor/model/x.cpp", b"int main() { return 0; }\n"),
        "library-elsewhere": Member("m/extra/libx.so", ELF),
    }.items():
        yield name, "model.pt2", partial(zip_file, [Member("m/archive_format", b"pt2"), member])


def _torch_zip_ordinary() -> _Made:
    for file_name in ("model.pt", "pytorch_model.bin", "x.ckpt"):
        yield file_name, file_name, _torch
    yield "no-folder", "model.pt", partial(_torch, folder="pytorch_model")
    yield "extra-files", "model.pt", partial(_torch, Member("archive/extra/note.json", b'{"a": 1}'))
    yield "random-storage", "model.pt", partial(_torch, storages=(bytes(range(256)) * 4, bytes(1000)))


_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PROTOCOL = b"\x80\x02M\xe9\x03."
_SYSTEM = (
    b"\x80\x02}(" + text("protocol_version") + b"M\xe9\x03" + text("little_endian") + b"\x88" + text("type_sizes")
    + b"}(" + text("short") + b"K\x02" + text("int") + b"K\x04" + text("long") + b"K\x04uu."
)  # fmt: skip
_LEGACY_DICT = STATE_DICT.replace(b"tQ", b"NtQ")
_KEYS = b"\x80\x02](" + text("0") + text("1") + b"e."


def legacy(
    *,
    system: bytes = _SYSTEM,
    pickled: bytes = _LEGACY_DICT,
    keys: bytes = _KEYS,
    storages: tuple[bytes, ...] = _STORAGES,
    behind: bytes = b"",
) -> bytes:
    raw = b"".join(struct.pack("<Q", len(data) // 4) + data for data in storages)
    return _MAGIC + _PROTOCOL + system + pickled + keys + raw + behind


def _legacy_payloads() -> _Made:
    for name, data in EVIL_VARIANTS.items():
        yield f"object-{name}", "model.pt", partial(legacy, pickled=data)
    for file_name in ("pytorch_model.bin", "a.pkl", "a.txt", "model.safetensors"):
        yield f"called-{file_name}", file_name, partial(legacy, pickled=EVIL)
    yield "system", "model.pt", partial(legacy, system=EVIL)
    yield "keys", "model.pt", partial(legacy, keys=EVIL)
    yield "behind", "model.pt", partial(legacy, behind=EVIL)
    yield "storage", "model.pt", partial(legacy, storages=(EVIL.ljust(16, b"\0"), _STORAGES[1]))
    yield "second-storage", "model.pt", partial(legacy, storages=(_STORAGES[0], b"(ios\na\n."))
    yield "zip-behind", "model.pt", partial(legacy, behind=zip_file([Member("archive/data.pkl", EVIL)]))
    yield "other-magic", "model.pt", lambda: legacy(pickled=EVIL).replace(_MAGIC, b"\x80\x02K\x01.")
    yield "magic-in-other-protocol", "model.pt", lambda: b"\x80\x04" + legacy(pickled=EVIL)[2:]
    yield (
        "magic-framed",
        "model.pt",
        lambda: b"\x80\x04\x95\x0d" + bytes(7) + _MAGIC[2:] + legacy(pickled=EVIL)[15:],
    )
    yield "magic-as-text", "model.pt", lambda: b"L119547037146038801333356L\n." + legacy(pickled=EVIL)[15:]
    yield "cut-off", "model.pt", lambda: legacy(pickled=EVIL)[:-20]
    yield "gzipped", "model.pt.gz", lambda: gzip.compress(legacy(pickled=EVIL), mtime=0)
    yield "storage-too-large", "model.pt", lambda: legacy()[:-8]


def _legacy_ordinary() -> _Made:
    for file_name in ("model.pt", "pytorch_model.bin", "x.bin"):
        yield file_name, file_name, legacy
    yield "no-tensors", "model.pt", partial(legacy, pickled=BENIGN_PICKLE, keys=b"\x80\x02].", storages=())


def torch_tar(
    *, system: bytes = _SYSTEM, pickled: bytes = BENIGN_PICKLE, tensors: bytes = b"\x80\x02K\x00.",
    storages: bytes = b"\x80\x02K\x00.",
) -> bytes:  # fmt: skip
    """The oldest format of torch: a tar archive of four pickles, two of them with raw data behind."""
    parts = {"sys_info": system, "pickle": pickled, "tensors": tensors, "storages": storages}
    return tar.archive(*(tar.member(name, data) for name, data in parts.items()))


def storage_in_tar(data: bytes) -> bytes:
    """The number of storages; then for each its key, place and type, the count, the elements."""
    identity = b"\x80\x02" + text("0") + text("cpu") + b"ctorch\nFloatStorage\n\x87."
    return b"\x80\x02K\x01." + identity + struct.pack("<Q", len(data) // 4) + data + b"\x80\x02]."


def _torch_tar_payloads() -> _Made:
    for part in ("system", "pickled", "tensors", "storages"):
        yield part, "model.pt", partial(torch_tar, **{part: EVIL})
        yield f"{part}-behind", "model.pt", partial(torch_tar, **{part: b"\x80\x02K\x00." + EVIL})
    yield (
        "storage-identity",
        "model.pt",
        lambda: torch_tar(
            storages=b"\x80\x02K\x01." + b"\x80\x02" + text("0") + text("cpu") + b"cos\nsystem\n\x87."
        ),
    )
    yield "storage-views", "model.pt", lambda: torch_tar(storages=storage_in_tar(bytes(8))[:-4] + EVIL)
    yield "behind-storage", "model.pt", lambda: torch_tar(storages=storage_in_tar(bytes(8)) + EVIL)


def _torch_tar_ordinary() -> _Made:
    yield "empty", "model.pt", torch_tar
    yield "storage", "model.pt", lambda: torch_tar(storages=storage_in_tar(bytes(range(8))))


def _served_payloads() -> _Made:
    manifest = Member("MAR-INF/MANIFEST.json", b'{"model": {"handler": "handler.py"}}')
    hostile = Member("handler.py", b"import os\nos.system('true')\n")
    yield "mar-handler", "model.mar", partial(zip_file, [manifest, hostile])
    yield "mar-weights", "model.mar", partial(zip_file, [manifest, Member("model.pt", _torch(pickled=EVIL))])
    for packed in (False, True):
        made = tar.archive(
            tar.member("./model_config.yaml", b"a: 1\n"),
            tar.member("./model_weights.ckpt", _torch(pickled=EVIL)),
        )
        yield (
            f"nemo-{packed}",
            "m.nemo",
            partial(gzip.compress, made, mtime=0) if packed else partial(bytes, made),
        )
    yield (
        "skops-pickle",
        "m.skops",
        partial(
            zip_file,
            [Member("schema.json", b'{"__class__": "dict"}'), Member("1.npy", npy(npy_header(), EVIL))],
        ),
    )
    yield (
        "keras-pickle",
        "m.keras",
        partial(
            zip_file,
            [Member("config.json", b"{}"), Member("metadata.json", b"{}"), Member("assets/x.pkl", EVIL)],
        ),
    )
    yield "wheel-pickle", "a-1-py3-none-any.whl", partial(zip_file, [Member("a/data.pkl", EVIL, DEFLATED)])
    yield "zipped-joblib", "m.zip", partial(zip_file, [Member("m.joblib", zlib.compress(EVIL))])


def _served_shown() -> _Made:
    manifest = Member(
        "MAR-INF/MANIFEST.json", b'{"model": {"handler": "handler.py", "serializedFile": "m.pt"}}'
    )
    handler = Member("handler.py", b"class Handler:\n    def handle(self, data):\n        return data\n")
    yield "mar", "model.mar", partial(zip_file, [manifest, handler, Member("m.pt", _torch())])
    yield "mar-as-zip", "model.zip", partial(zip_file, [manifest, handler, Member("m.pt", _torch())])
