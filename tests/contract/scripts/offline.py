"""A snapshot out of the cache alone, asking nobody."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, digests, given

asked = given()
path = HfApi().snapshot_download(asked["repo"], revision=asked.get("revision"), local_files_only=True)
answer(digests(path))
