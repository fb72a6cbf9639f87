"""A snapshot of a branch with patterns, then the same without asking the hub."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, digests, given

asked = given()
api, repo, branch = HfApi(), asked["repo"], asked["branch"]
api.create_branch(repo, branch=branch, exist_ok=True)
path = api.snapshot_download(repo, revision=branch, allow_patterns=asked["patterns"])
offline = api.snapshot_download(
    repo, revision=branch, allow_patterns=asked["patterns"], local_files_only=True
)
answer({"files": digests(path), "offline": digests(offline)})
