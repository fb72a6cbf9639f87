"""The tensors of a model that torch holds, by digest."""

import hashlib

import torch


def tensor_digests(model: torch.nn.Module) -> dict[str, str]:
    """Type, shape and SHA-256 of the bytes of each tensor, by its name."""
    return {
        name: f"{tensor.dtype} {tuple(tensor.shape)} {_sha256(tensor)}"
        for name, tensor in model.state_dict().items()
    }


def _sha256(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
