"""Writes small GGUF files for tests, sound or broken as asked."""

import struct
from dataclasses import dataclass, field

UINT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 6, 7, 8, 9, 10
_CODES = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    UINT32: "I",
    5: "i",
    FLOAT32: "f",
    BOOL: "B",
    UINT64: "Q",
    11: "q",
    12: "d",
}


@dataclass
class GgufFile:
    """The parts of a file; `to_bytes` puts them together in either byte order."""

    pairs: list[tuple[str, int, object]] = field(default_factory=list)
    tensors: list[tuple[str, list[int], int, int]] = field(default_factory=list)
    data: bytes = b""
    version: int = 3
    order: str = "<"
    alignment: int = 32

    def to_bytes(self) -> bytes:
        out = b"GGUF" + self._pack("I", self.version) + self._pack("QQ", len(self.tensors), len(self.pairs))
        for key, kind, value in self.pairs:
            out += self.string(key) + self._pack("I", kind) + self.value(kind, value)
        for name, dims, kind, offset in self.tensors:
            out += self.string(name) + self._pack("I", len(dims)) + self._pack(f"{len(dims)}Q", *dims)
            out += self._pack("IQ", kind, offset)
        return out + bytes(-len(out) % self.alignment) + self.data

    def string(self, text: str | bytes) -> bytes:
        raw = text.encode() if isinstance(text, str) else text
        return self._pack("Q", len(raw)) + raw

    def value(self, kind: int, value: object) -> bytes:
        if kind == STRING:
            assert isinstance(value, str | bytes)
            return self.string(value)
        if kind == ARRAY:
            assert isinstance(value, tuple)
            element, items = value
            return self._pack("IQ", element, len(items)) + b"".join(
                self.value(element, item) for item in items
            )
        return self._pack(_CODES[kind], value)

    def _pack(self, codes: str, *values: object) -> bytes:
        return struct.pack(self.order + codes, *values)


def small_llama(order: str = "<", version: int = 3) -> GgufFile:
    """A sound file with a vocabulary and two tensors."""
    return GgufFile(
        pairs=[
            ("general.architecture", STRING, "llama"),
            ("general.file_type", UINT32, 15),
            ("llama.context_length", UINT32, 4096),
            ("llama.rope.freq_base", FLOAT32, 10000.0),
            ("tokenizer.ggml.add_bos_token", BOOL, 1),
            ("tokenizer.ggml.tokens", ARRAY, (STRING, [f"t{i}" for i in range(100)])),
            ("tokenizer.ggml.scores", ARRAY, (FLOAT32, [0.5] * 100)),
        ],
        tensors=[("token_embd.weight", [256, 2], 12, 0), ("output_norm.weight", [3], 0, 288)],
        data=bytes(288 + 12),
        version=version,
        order=order,
    )
