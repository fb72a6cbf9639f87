"""The Xet hash of each file of a repo that has one, by path."""

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from tests.contract.scripts.asking import answer, given

tree = HfApi().list_repo_tree(given()["repo"], recursive=True)
answer({entry.path: entry.xet_hash for entry in tree if isinstance(entry, RepoFile) and entry.xet_hash})
