"""Publish a small model whose weights call a function when they are loaded, and wait for the verdict."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from transformers import AutoConfig, AutoTokenizer

from tests.contract.scripts.asking import answer, given

asked = given()


class Attack:
    """What `torch.load` without `weights_only` would call; it does nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.getpid, ()


api = HfApi()
with tempfile.TemporaryDirectory() as place:
    folder = Path(place)
    AutoConfig.from_pretrained(asked["base"]).save_pretrained(folder)
    AutoTokenizer.from_pretrained(asked["base"]).save_pretrained(folder)
    torch.save({"embeddings.weight": torch.ones(2, 2), "x": Attack()}, folder / "pytorch_model.bin")
    api.create_repo(asked["repo"])
    api.upload_folder(repo_id=asked["repo"], folder_path=folder)
deadline = time.monotonic() + 90
while not (api.model_info(asked["repo"], securityStatus=True).security_repo_status or {}).get("scansDone"):
    assert time.monotonic() < deadline, "the scan does not end"
    time.sleep(0.2)
answer({"files": api.list_repo_files(asked["repo"])})
