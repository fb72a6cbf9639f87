"""What owners do with repos: settings, moves, duplicates, cards, LFS files, rights, deletion."""

from pathlib import Path

from huggingface_hub import HfApi, ModelCard, metadata_update
from huggingface_hub.errors import RepositoryNotFoundError

from tests.contract.scripts.asking import answer, given, refused

asked = given()
api, repo = HfApi(), asked["repo"]
moved, copied = f"{repo}-moved", f"{repo}-copied"
weights = b"\0\xfe" * 40_000

me = api.whoami()
assert (me["name"], me["type"]) == ("alice", "user"), me
assert [org["name"] for org in me["orgs"]] == ["lab"]
assert me["auth"]["accessToken"]["role"] == "write"

api.create_repo(repo)
api.upload_file(path_or_fileobj=weights, path_in_repo="weights.bin", repo_id=repo)
api.auth_check(repo)
api.auth_check(repo, write=True)
stranger = HfApi(token=False)
stranger.auth_check(repo)

api.update_repo_settings(repo, private=True)
assert api.repo_info(repo).private
refused(RepositoryNotFoundError, lambda: stranger.repo_info(repo))
refused(RepositoryNotFoundError, lambda: stranger.auth_check(repo))
api.update_repo_settings(repo, private=False, gated="manual")
assert api.model_info(repo).gated == "manual"
api.update_repo_settings(repo, gated=False)
assert api.model_info(repo).gated is False

if asked["cards_stay_home"]:
    ModelCard("---\nlicense: mit\n---\n# Card\n").push_to_hub(repo)
    metadata_update(repo, {"tags": ["one", "two"]})
else:  # these versions ask a fixed public address about cards, see docs/clients.md
    text = b"---\nlicense: mit\ntags: [one, two]\n---\n# Card\n"
    api.upload_file(path_or_fileobj=text, path_in_repo="README.md", repo_id=repo)
card = ModelCard.load(repo)
assert (card.data.license, card.data.tags) == ("mit", ["one", "two"]), card.data
assert {"license:mit", "one", "two"} <= set(api.model_info(repo).tags or [])

api.move_repo(repo, moved)
assert api.repo_info(moved).id == moved
assert api.repo_info(repo).id == moved, "the former name leads on"
assert Path(api.hf_hub_download(repo, "weights.bin")).read_bytes() == weights

duplicate = api.duplicate_repo(moved, copied, private=True)
assert duplicate.repo_id == copied
api.duplicate_repo(moved, copied, exist_ok=True)
assert api.repo_info(copied).private
assert set(api.list_repo_files(copied)) == set(api.list_repo_files(moved))
assert Path(api.hf_hub_download(copied, "weights.bin")).read_bytes() == weights

api.delete_file("weights.bin", moved)
api.upload_file(path_or_fileobj=weights[:-2], path_in_repo="weights2.bin", repo_id=moved)
stored = {file.filename: file for file in api.list_lfs_files(moved)}
assert set(stored) == {"weights.bin", "weights2.bin"}, stored
assert stored["weights.bin"].size == len(weights)
assert stored["weights.bin"].pushed_at.tzinfo is not None
api.permanently_delete_lfs_files(moved, [stored["weights.bin"]])
assert [file.filename for file in api.list_lfs_files(moved)] == ["weights2.bin"]
assert all(
    "weights.bin" not in api.list_repo_files(moved, revision=entry.commit_id)
    for entry in api.list_repo_commits(moved)
)
assert Path(api.hf_hub_download(copied, "weights.bin", force_download=True)).read_bytes() == weights

api.delete_repo(copied)
assert not api.repo_exists(copied)
api.delete_repo(copied, missing_ok=True)
refused(RepositoryNotFoundError, lambda: api.delete_repo(copied))
answer({"moved": moved})
