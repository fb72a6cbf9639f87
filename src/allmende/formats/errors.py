"""What can be wrong with bytes that claim to be of some format.

One class for each format; `code` is stable, the sentence names the value that is wrong. A file that goes
beyond what a reader is willing to look at raises the same class with the code `<format>_beyond_limits`:
it may be well formed, but it has not been read, and nothing may be concluded from it. The code
`<format>_impossible_size` says that a header claims what no machine could hold, `<format>_named_twice` that
two readers could take different parts for the same one: a file that was cut off explains neither.
"""

from allmende.errors import BadRequest

__all__ = [
    "Malformed",
    "MalformedCard",
    "MalformedGguf",
    "MalformedJson",
    "MalformedNpy",
    "MalformedOnnx",
    "MalformedPathRules",
    "MalformedPickle",
    "MalformedPointer",
    "MalformedSafetensors",
    "MalformedTorch",
    "MalformedZip",
]


class Malformed(BadRequest):
    """The bytes are not what they claim to be."""

    code = "malformed"


class MalformedJson(Malformed):
    """Not strict JSON (RFC 8259), or beyond the bounds set for it."""

    code = "malformed_json"


class MalformedSafetensors(Malformed):
    """The header breaks a rule of the safetensors format."""

    code = "malformed_safetensors"


class MalformedGguf(Malformed):
    """The header breaks a rule of the GGUF format."""

    code = "malformed_gguf"


class MalformedZip(Malformed):
    """The central directory of a zip file cannot be read."""

    code = "malformed_zip"


class MalformedCard(Malformed):
    """The front matter of a card cannot be read."""

    code = "malformed_card"


class MalformedPathRules(Malformed):
    """A `.gitattributes` or `.gitignore` text, or a path asked of it, is beyond the bounds."""

    code = "malformed_path_rules"


class MalformedPointer(Malformed):
    """Not a canonical git-lfs pointer."""

    code = "malformed_pointer"


class MalformedPickle(Malformed):
    """A pickle that no pickler writes, or one beyond the bounds set for it."""

    code = "malformed_pickle"


class MalformedTorch(Malformed):
    """A torch checkpoint whose tensors do not lie in its storages."""

    code = "malformed_torch"


class MalformedNpy(Malformed):
    """The header of an array of NumPy breaks a rule of its format."""

    code = "malformed_npy"


class MalformedOnnx(Malformed):
    """The fields of an ONNX model, or the initialisers in them, cannot be read."""

    code = "malformed_onnx"
