"""Weights without code: safetensors and GGUF, held to every rule of their formats."""

from allmende.scan.scanning import Reader
from allmende.scan.tensors import embedded_payloads, gguf_reader, safetensors_reader, tensor_names

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (safetensors_reader.READER, gguf_reader.READER)
RULES = (
    *safetensors_reader.RULES,
    *gguf_reader.RULES,
    *tensor_names.RULES,
    *embedded_payloads.RULES,
)
