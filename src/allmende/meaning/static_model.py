"""A static model: a vector for each token, and a text is the mean of its tokens' vectors.

Two layouts are read, both safetensors with a `tokenizer.json`: that of model2vec (`embeddings`, and since its
version 0.6 `weights`, one a token, and `mapping`, from token to row), and that of wordllama
(`embedding.weight`). Nothing is run but the tokenizer, and nothing is ever downloaded.

Vectors are kept in whole numbers from -127 to 127. Products of two such vectors of at most 256 numbers are
sums below 2^24, which float32 holds exactly: so scores are the same on every machine, in whatever order a
library adds them up.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allmende.formats import MalformedSafetensors, Tensor, read_header
from allmende.meaning.errors import MeaningUnavailable
from allmende.meaning.model_files import ModelFiles

__all__ = ["MAX_DIMENSIONS", "StaticModel", "open_static_model"]

MAX_DIMENSIONS = 256
"""Of longer vectors the first ones are taken: both layouts have the most telling ones there."""

_LARGEST = 127
_MAX_TOKENS = 4_096
_MAX_FILE_BYTES = 4 * 1024**3
_MAX_TOKENIZER_BYTES = 256 * 1024**2
_READ_BYTES = 1024**2
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}


@dataclass(frozen=True, slots=True)
class StaticModel:
    """A model that was opened; its table stays in the file, which processes share in memory."""

    id: str
    """SHA-256 over both files: vectors of another model are not to be compared with those of this one."""
    tokenizer: Any
    table: NDArray[Any]
    weights: NDArray[Any] | None = None
    mapping: NDArray[Any] | None = None

    def encode(self, text: str) -> bytes | None:
        """The vector of a text, a signed byte for each number; None where no token of it is known."""
        tokens = np.array(self.tokenizer.encode(text, add_special_tokens=False).ids[:_MAX_TOKENS], np.int64)
        for values in (self.mapping, self.weights):
            tokens = tokens if values is None else tokens[tokens < len(values)]
        rows = tokens if self.mapping is None else self.mapping[tokens]
        known = (rows >= 0) & (rows < len(self.table))
        vectors = self.table[rows[known], :MAX_DIMENSIONS].astype(np.float64)
        if self.weights is not None:
            vectors *= self.weights[tokens[known], None]
        mean = vectors.sum(axis=0)
        largest = float(np.abs(mean).max(initial=0.0))
        if not 0 < largest < np.inf:
            return None
        whole: NDArray[np.int8] = np.rint(mean * (_LARGEST / largest)).astype(np.int8)
        return whole.tobytes()


def open_static_model(files: ModelFiles) -> StaticModel:
    """The model in these files. Raises MeaningUnavailable where they are not what they should be."""
    from tokenizers import Tokenizer  # the extra `meaning`: its absence must not keep a hub from starting

    for path, most in ((files.vectors, _MAX_FILE_BYTES), (files.tokenizer, _MAX_TOKENIZER_BYTES)):
        if path.stat().st_size > most:
            raise MeaningUnavailable(f"{path} is larger than {most} bytes.")
    arrays = _arrays(files.vectors)
    table = arrays.get("embeddings", arrays.get("embedding.weight"))
    if table is None or table.ndim != len(("token", "number")) or not table.size or table.dtype.kind != "f":
        raise MeaningUnavailable(f"{files.vectors} holds no table of vectors.")
    for name in ("weights", "mapping"):
        if name in arrays and arrays[name].ndim != 1:
            raise MeaningUnavailable(f"{name} in {files.vectors} is not one number for each token.")
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    except Exception as error:  # the library raises nothing narrower
        raise MeaningUnavailable(f"{files.tokenizer} is no tokenizer. {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return StaticModel(_digest(files), tokenizer, table, arrays.get("weights"), arrays.get("mapping"))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as reader:
        try:
            header = read_header(reader, path.stat().st_size)
        except MalformedSafetensors as error:
            raise MeaningUnavailable(f"{path} is no safetensors file. {error.message}") from error
    return {
        tensor.name: _array(path, header.data_start, tensor)
        for tensor in header.tensors
        if tensor.dtype in _DTYPES and tensor.elements
    }


def _array(path: Path, data_start: int, tensor: Tensor) -> NDArray[Any]:
    return np.memmap(path, _DTYPES[tensor.dtype], "r", data_start + tensor.start, tensor.shape)


def _digest(files: ModelFiles) -> str:
    digest = sha256()
    for path in (files.vectors, files.tokenizer):
        digest.update(path.stat().st_size.to_bytes(8, "big"))
        with path.open("rb") as reader:
            while block := reader.read(_READ_BYTES):
                digest.update(block)
    return digest.hexdigest()
