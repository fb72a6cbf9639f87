"""Pickles and little files that the carriers of the corpus carry."""

import pickle
import struct

__all__ = ["BENIGN_PICKLE", "ELF", "EVIL", "EVIL_VARIANTS", "STATE_DICT", "text"]

EVIL = b"\x80\x02cos\ngetpid\n)R."
EVIL_VARIANTS = {
    "protocol-0": b"cos\ngetpid\n(tR.",
    "protocol-2": EVIL,
    "protocol-4": b"\x80\x04\x8c\x08builtins\x8c\x05print\x93\x8c\x01x\x85R.",
    "inst": b"(S'x'\ni__builtin__\neval\n.",
    "obj": b"(cos\ngetpid\no.",
    "thrown-away": b"\x80\x02cos\ngetpid\n)R0}.",
    "broken-behind": b"\x80\x02cos\ngetpid\n)R\xff\xff",
}
BENIGN_PICKLE = pickle.dumps({"a": [1, 2.5, None, "text"], "b": b"bytes"}, 4)
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, 62, 1) + bytes(100)


def text(value: str) -> bytes:
    """A BINUNICODE opcode."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _tensor(key: str, count: int) -> bytes:
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\nFloatStorage\n" + text(key)
        + text("cpu") + b"K" + bytes([count]) + b"tQK\x00K" + bytes([count]) + b"\x85K\x01\x85\x89"
        b"ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


STATE_DICT = b"\x80\x02}(" + text("weight") + _tensor("0", 4) + text("bias") + _tensor("1", 2) + b"u."
"""Two float tensors of 4 and 2 elements in the storages `0` and `1`, as `torch.save` pickles them."""
