"""Publish a folder that holds an attack, and ask what the hub says of it."""

import time
from collections.abc import Iterable
from typing import Any

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
api, repo, folder = HfApi(), asked["repo"], asked["folder"]


def repo_status() -> dict[str, Any]:
    return api.model_info(repo, securityStatus=True).security_repo_status or {}


def statuses(found: Iterable[Any]) -> dict[str, dict[str, Any]]:
    return {info.path: dict(info.security) for info in found}


api.create_repo(repo)
api.upload_folder(repo_id=repo, folder_path=folder)
deadline = time.monotonic() + 60
while not (status := repo_status())["scansDone"]:
    assert time.monotonic() < deadline, "the scan does not end"
    time.sleep(0.2)
paths = api.list_repo_files(repo)
by_paths = statuses(api.get_paths_info(repo, paths, expand=True))
by_tree = statuses(api.list_repo_tree(repo, expand=True))
assert by_paths == by_tree
answer(
    {
        "repo": status,
        "status": {path: found["status"] for path, found in by_paths.items()},
        "safe": {path: found["safe"] for path, found in by_paths.items()},
    }
)
