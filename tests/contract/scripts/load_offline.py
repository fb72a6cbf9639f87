"""Load a model out of the cache alone, and say what each of its tensors is."""

import torch
from transformers import AutoModel

from tests.contract.scripts.asking import answer, given
from tests.contract.scripts.tensors import tensor_digests

asked = given()
model = AutoModel.from_pretrained(asked["repo"], local_files_only=True, dtype=torch.bfloat16)
answer(tensor_digests(model))
