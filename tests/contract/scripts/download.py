"""Load one file."""

import hashlib
from pathlib import Path

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
path = HfApi().hf_hub_download(asked["repo"], asked["path"])
answer({"sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()})
