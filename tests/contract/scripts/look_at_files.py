"""The paths of a repo."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

answer(HfApi().list_repo_files(given()["repo"]))
