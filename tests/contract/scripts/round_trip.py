"""Publish a folder and load it back: into the cache, into a folder, and one file by itself."""

import huggingface_hub
from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, digests, given

asked = given()
api, repo, folder = HfApi(), asked["repo"], asked["folder"]

created = api.create_repo(repo, private=True)
again = api.create_repo(repo, private=True, exist_ok=True)
assert str(created) == str(again) == f"{api.endpoint}/{repo}", (created, again)
assert created.repo_id == repo

first = api.upload_folder(
    repo_id=repo, folder_path=folder, commit_message="Publish", commit_description="All."
)
second = api.upload_folder(repo_id=repo, folder_path=folder)

snapshot = api.snapshot_download(repo)
local = api.snapshot_download(repo, local_dir=asked["into"])
one = api.hf_hub_download(repo, "config.json", revision=first.oid)
by_commit = api.snapshot_download(repo, revision=first.oid, local_files_only=True)

answer(
    {
        "version": huggingface_hub.__version__,
        "private": api.repo_info(repo).private,
        "commit": first.oid,
        "commit_url": first.commit_url,
        "second_commit": second.oid,
        "listed": api.list_repo_files(repo),
        "snapshot": digests(snapshot),
        "local": digests(local),
        "one": one,
        "snapshot_path": snapshot,
        "by_commit": by_commit,
    }
)
