"""safetensors and GGUF: every rule of the formats broken, one at a time, and sound files."""

import base64
import itertools
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases"]


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header: an object, or bytes as they are."""
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(
    start: int = 0, end: int = 16, dtype: str = "F32", shape: tuple[Any, ...] = (4,)
) -> dict[str, Any]:
    """One entry of a header."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def _safetensors() -> Iterator[tuple[str, Label, bytes]]:
    good, data = {"w": tensor()}, bytes(16)
    yield "sound", "benign", safetensors(good, data)
    yield (
        "sound-metadata",
        "benign",
        safetensors({"__metadata__": {"format": "pt", "a": "os.system('x')"}, **good}, data),
    )
    yield "sound-two", "benign", safetensors({"a": tensor(), "b": tensor(16, 32)}, bytes(32))
    yield "sound-empty-tensor", "benign", safetensors({"a": tensor(0, 0, shape=(0,)), "b": tensor()}, data)
    yield "sound-padded", "benign", safetensors(json.dumps(good).encode() + b"    ", data)
    bad: dict[str, Any] = {
        "hole": {"a": tensor(), "b": tensor(20, 36)},
        "overlap": {"a": tensor(), "b": tensor(8, 24)},
        "end-before-start": {"a": tensor(16, 0)},
        "beyond-the-end": {"a": tensor(0, 1 << 40, shape=(1 << 38,))},
        "shape-and-size-differ": {"a": tensor(0, 16, shape=(5,))},
        "overflow": {"a": tensor(0, 16, shape=(1 << 62, 1 << 62))},
        "negative-shape": {"a": tensor(0, 16, shape=(-4,))},
        "float-shape": {"a": tensor(0, 16, shape=(4.0,))},
        "unknown-dtype": {"a": tensor(dtype="F33")},
        "missing-key": {"a": {"dtype": "F32", "shape": [4]}},
        "metadata-of-numbers": {"__metadata__": {"a": 1}, **good},
        "metadata-nested": {"__metadata__": {"a": {"b": "c"}}, **good},
        "no-object": [1, 2],
    }
    for name, header in bad.items():
        yield name, "malicious", safetensors(header, bytes(36 if name in {"hole", "overlap"} else 16))
    yield (
        "duplicate-tensor",
        "malicious",
        safetensors(
            b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
            data,
        ),
    )
    yield (
        "duplicate-inside",
        "malicious",
        safetensors(b'{"w":{"dtype":"F32","dtype":"I32","shape":[4],"data_offsets":[0,16]}}', data),
    )
    yield "trailing-bytes", "malicious", safetensors(good, data + b"PK\3\4 more")
    yield "too-short", "malicious", safetensors(good, data[:-1])
    yield "length-beyond", "malicious", safetensors(good, data, length=1 << 50)
    yield "length-huge", "malicious", safetensors(good, data, length=(1 << 64) - 1)
    yield "length-zero", "malicious", safetensors(b"", b"", length=0)
    yield "not-json", "malicious", safetensors(b"{'w': 1}", data)
    yield (
        "bad-utf-8",
        "malicious",
        safetensors(b'{"\xff":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', data),
    )
    yield "deep", "malicious", safetensors(b'{"a":' * 5000 + b"1" + b"}" * 5000)
    yield "trailing-text", "malicious", safetensors(json.dumps(good).encode() + b" x", data)
    yield "nan", "malicious", safetensors(b'{"w":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}', data)


def _more_safetensors() -> Iterator[tuple[str, Label, bytes]]:
    good, data = {"w": tensor()}, bytes(16)
    compact = json.dumps(good, separators=(",", ":")).encode()
    pickled = b"cos\ngetpid\n(tR."
    framed = b"\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x02os\x94\x8c\x06getpid\x94\x93\x94)R\x94."
    encoded = base64.b64encode(framed + bytes(40)).decode()
    yield "sound-spaces", "benign", safetensors(json.dumps(good, indent=1).encode(), data)
    yield (
        "sound-names",
        "benign",
        safetensors({"bert/embeddings/w:0": tensor(), "é": tensor(16, 32)}, bytes(32)),
    )
    yield "sound-scalar", "benign", safetensors({"s": tensor(0, 4, shape=())}, bytes(4))
    yield "sound-nothing", "benign", safetensors({"__metadata__": {"format": "np"}})
    yield (
        "sound-thumbnail",
        "benign",
        safetensors(
            {"__metadata__": {"t": "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ" + "A" * 400}, **good}, data
        ),
    )
    yield (
        "sound-training-notes",
        "benign",
        safetensors(
            {"__metadata__": {"ss_tags": '{"cat": 3}', "hash": "0x" + "8f" * 32, "w": "cat\ndog\n"}, **good},
            data,
        ),
    )
    for name, padding in (
        ("newline", b"\n"),
        ("tab", b" \t "),
        ("return", b"\r\n"),
        ("much", b" " * 100_000),
    ):
        yield f"padded-by-{name}", "policy", safetensors(compact + padding, data)
    yield "padded-by-null", "malicious", safetensors(compact + b"\0\0", data)
    yield "blank-before-brace", "malicious", safetensors(b" " + compact, data)
    yield "mark-before-brace", "malicious", safetensors(b"\xef\xbb\xbf" + compact, data)
    yield "extra-field", "malicious", safetensors({"w": {**tensor(), "hidden": "x" * 50}}, data)
    yield (
        "duplicate-metadata",
        "malicious",
        safetensors(b'{"__metadata__":{},"__metadata__":{},' + compact[1:], data),
    )
    yield (
        "duplicate-metadata-key",
        "malicious",
        safetensors(b'{"__metadata__":{"a":"1","a":"2"},' + compact[1:], data),
    )
    yield (
        "duplicate-by-escape",
        "malicious",
        safetensors(compact[:-1] + b',"\\u0077":' + json.dumps(tensor()).encode() + b"}", data),
    )
    yield (
        "lone-surrogate",
        "malicious",
        safetensors(b'{"\\ud800":' + json.dumps(tensor()).encode() + b"}", data),
    )
    yield "number-huge", "malicious", safetensors({"w": tensor(0, 1 << 70)}, data)
    yield "number-exponent", "malicious", safetensors(compact.replace(b"[4]", b"[4e0]"), data)
    yield "number-true", "malicious", safetensors({"w": tensor(shape=(True, 4))}, data)
    yield "three-offsets", "malicious", safetensors({"w": {**tensor(), "data_offsets": [0, 16, 16]}}, data)
    yield "zero-hides-overflow", "malicious", safetensors({"w": tensor(0, 0, shape=(1 << 63, 4, 0))})
    yield "name-with-null", "malicious", safetensors({"w\0x": tensor()}, data)
    yield "name-with-path", "malicious", safetensors({"../../etc/cron": tensor()}, data)
    yield "name-absolute", "malicious", safetensors({"/etc/passwd": tensor()}, data)
    yield "name-turned-around", "malicious", safetensors({"a\u202egnp.exe": tensor()}, data)
    yield "metadata-base64", "malicious", safetensors({"__metadata__": {"a": encoded}, **good}, data)
    yield (
        "metadata-hex",
        "malicious",
        safetensors({"__metadata__": {"a": (framed + bytes(40)).hex()}, **good}, data),
    )
    yield (
        "metadata-pickle",
        "malicious",
        safetensors({"__metadata__": {"a": "cos\ngetpid\n(S'x'\ntR."}, **good}, data),
    )
    yield (
        "metadata-script",
        "malicious",
        safetensors({"__metadata__": {"a": "#!/bin/sh\necho x\n"}, **good}, data),
    )
    yield (
        "metadata-template",
        "malicious",
        safetensors({"__metadata__": {"chat_template": "{{ ''.__class__ }}"}, **good}, data),
    )
    for name, payload in (
        ("framed", framed),
        ("plain", b"\x80\x02" + pickled + bytes(12)),
        ("zip", b"PK\3\4" + bytes(60)),
    ):
        both = {"a": tensor(), "b": tensor(16, 16 + len(payload), "U8", (len(payload),))}
        yield f"tensor-holds-{name}", "malicious", safetensors(both, data + payload)
    begin = {"a": tensor(0, len(framed), "U8", (len(framed),))}
    yield "data-begin-with-pickle", "malicious", safetensors(begin, framed)


def text(value: str) -> bytes:
    """A string of GGUF."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(
    pairs: bytes = b"",
    count: int = 0,
    tensors: bytes = b"",
    tensor_count: int = 0,
    data: bytes = b"",
    version: int = 3,
) -> bytes:
    """A file of these parts, padded to 32 bytes before the data."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, count) + pairs + tensors
    return head + (bytes(-len(head) % 32) if tensor_count else b"") + data


def described(name: str, dims: tuple[int, ...] = (8,), kind: int = 0, offset: int = 0) -> bytes:
    """The description of one tensor."""
    return (
        text(name)
        + struct.pack("<I", len(dims))
        + b"".join(struct.pack("<Q", dim) for dim in dims)
        + struct.pack("<IQ", kind, offset)
    )


def _gguf() -> Iterator[tuple[str, Label, bytes]]:
    name = text("general.name") + struct.pack("<I", 8) + text("a model")
    yield "sound", "benign", gguf(name, 1)
    yield "sound-tensor", "benign", gguf(name, 1, described("w"), 1, bytes(32))
    yield "sound-two", "benign", gguf(b"", 0, described("a") + described("b", offset=32), 2, bytes(64))
    yield "sound-array", "benign", gguf(text("t") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"), 1)
    bad = {
        "version-1": gguf(version=1),
        "version-unknown": gguf(version=77),
        "count-huge": gguf(b"", 1 << 60),
        "tensors-huge": gguf(b"", 0, b"", 1 << 60),
        "string-huge": gguf(struct.pack("<Q", 1 << 62), 1),
        "array-huge": gguf(text("t") + struct.pack("<IIQ", 9, 8, 1 << 61), 1),
        "array-in-array": gguf(text("t") + struct.pack("<IIQ", 9, 9, 1), 1),
        "type-unknown": gguf(text("t") + struct.pack("<I", 99), 1),
        "duplicate-key": gguf(name + name, 2),
        "duplicate-tensor": gguf(b"", 0, described("a") + described("a", offset=32), 2, bytes(64)),
        "overlap": gguf(b"", 0, described("a") + described("b"), 2, bytes(64)),
        "hole": gguf(b"", 0, described("a") + described("b", offset=96), 2, bytes(128)),
        "misaligned": gguf(b"", 0, described("a") + described("b", offset=33), 2, bytes(96)),
        "beyond-the-end": gguf(b"", 0, described("a", (1 << 20,)), 1, bytes(32)),
        "overflow": gguf(b"", 0, described("a", (1 << 40, 1 << 40)), 1, bytes(32)),
        "dims-many": gguf(b"", 0, described("a", (1,) * 40), 1, bytes(32)),
        "ggml-type-unknown": gguf(b"", 0, described("a", kind=999), 1, bytes(32)),
        "block-broken": gguf(b"", 0, described("a", (33,), kind=2), 1, bytes(64)),
        "alignment-zero": gguf(text("general.alignment") + struct.pack("<II", 4, 0), 1),
        "alignment-odd": gguf(text("general.alignment") + struct.pack("<II", 4, 24), 1),
        "trailing-bytes": gguf(b"", 0, described("a"), 1, bytes(32) + b"PK\3\4" + bytes(500)),
        "cut-off": gguf(name, 1)[:-3],
        "only-the-magic": b"GGUF",
    }
    for key, data in bad.items():
        yield key, "malicious", data


def _aligned(size_bytes: int, kind: int = 4) -> bytes:
    return text("general.alignment") + struct.pack("<II", kind, size_bytes)


def _more_gguf() -> Iterator[tuple[str, Label, bytes]]:
    two = described("a") + described("b", offset=32)
    yield "sound-alignment", "benign", gguf(_aligned(64), 1) + b""
    yield "sound-last-unpadded", "benign", gguf(b"", 0, described("a", (3,)), 1, bytes(12))
    yield "sound-last-padded", "benign", gguf(b"", 0, described("a", (3,)), 1, bytes(32))
    yield "sound-bools", "benign", gguf(text("b") + struct.pack("<IB", 7, 1), 1)
    yield "sound-version-2", "benign", gguf(text("b") + struct.pack("<IB", 7, 0), 1, version=2)
    yield "sound-quantised", "benign", gguf(b"", 0, described("q", (32, 2), kind=2), 1, bytes(64))
    yield "sound-zero-size", "benign", gguf(b"", 0, described("a", (0,)) + described("b"), 2, bytes(32))
    words = "".join(f"<tok{number}>" for number in range(50))
    yield "sound-words", "benign", gguf(text("general.description") + struct.pack("<I", 8) + text(words), 1)
    bad = {
        "bool-of-two": gguf(text("b") + struct.pack("<IB", 7, 2), 1),
        "alignment-of-text": gguf(text("general.alignment") + struct.pack("<I", 8) + text("32"), 1),
        "alignment-of-truth": gguf(text("general.alignment") + struct.pack("<IB", 7, 1), 1),
        "alignment-huge": gguf(_aligned(1 << 31), 1),
        "key-with-null": gguf(text("general.name\0x") + struct.pack("<I", 8) + text("a"), 1),
        "key-not-utf-8": gguf(struct.pack("<Q", 2) + b"\xff\xfe" + struct.pack("<IB", 7, 1), 1),
        "name-with-null": gguf(b"", 0, described("a\0b"), 1, bytes(32)),
        "name-with-path": gguf(b"", 0, described("../../a"), 1, bytes(32)),
        "filled-padding": gguf(
            b"", 0, described("a", (3,)) + described("b", offset=32), 2, bytes(12) + b"PAYLOAD!" + bytes(44)
        ),
        "filled-end": gguf(b"", 0, described("a", (3,)), 1, bytes(12) + b"PAYLOAD!" + bytes(12)),
        "trailing-pickle": gguf(b"", 0, two, 2, bytes(64) + b"\x80\x04cos\ngetpid\n)R."),
        "counts-exchanged": gguf(two, 2),
        "dimension-negative": gguf(b"", 0, described("a", ((1 << 64) - 1,)), 1, bytes(32)),
        "product-wraps": gguf(b"", 0, described("a", (1 << 32, 1 << 32, 4)), 1, bytes(32)),
        "offset-huge": gguf(b"", 0, described("a", offset=(1 << 64) - 32), 1, bytes(32)),
        "array-of-unknown": gguf(text("t") + struct.pack("<IIQ", 9, 77, 1) + bytes(8), 1),
        "templates-in-array": gguf(
            text("tokenizer.chat_template") + struct.pack("<IIQ", 9, 8, 1) + text("{{ ''.__class__ }}"), 1
        ),
        "template-variant": gguf(
            text("tokenizer.chat_template.rag") + struct.pack("<I", 8) + text("{{ ''.__class__ }}"), 1
        ),
        "value-encoded": gguf(
            text("general.notes")
            + struct.pack("<I", 8)
            + text(base64.b64encode(b"\x7fELF" + bytes(60)).decode()),
            1,
        ),
    }
    for key, data in bad.items():
        yield key, "malicious", data


def cases() -> Iterator[Case]:
    """All of them."""
    for name, label, data in itertools.chain(_safetensors(), _more_safetensors()):
        yield Case("safetensors", name, "model.safetensors", label, fixed(data))
    for name, label, data in itertools.chain(_gguf(), _more_gguf()):
        yield Case("gguf", name, "model.gguf", label, fixed(data))
