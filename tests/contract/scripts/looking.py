"""Everything that a client reads of one repo: information, trees, paths, existence."""

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile, RepoFolder

from tests.contract.scripts.asking import answer, given

asked = given()
api, repo = HfApi(), asked["repo"]
lfs_path, plain_path = asked["lfs_path"], asked["plain_path"]

info = api.model_info(repo, files_metadata=True, securityStatus=True)
assert info.sha
assert info.siblings
assert info.last_modified is not None
assert info.last_modified.tzinfo is not None
assert info.created_at is not None
assert info.created_at <= info.last_modified
siblings = {sibling.rfilename: sibling for sibling in info.siblings}
lfs = siblings[lfs_path].lfs
assert lfs is not None
assert siblings[lfs_path].size == lfs.size
assert siblings[plain_path].lfs is None
assert siblings[plain_path].blob_id

expanded = api.model_info(repo, expand=["sha", "tags", "usedStorage", "private", "gated"])
assert expanded.sha == info.sha
assert expanded.siblings is None, "expand gives what was asked for and no more"
assert api.repo_info(repo, repo_type="model", revision=info.sha).sha == info.sha
assert api.repo_exists(repo)
assert not api.repo_exists(f"{repo}-not")

flat = list(api.list_repo_tree(repo))
tree = list(api.list_repo_tree(repo, recursive=True))
rich = list(api.list_repo_tree(repo, recursive=True, expand=True))
files = {item.path: item for item in tree if isinstance(item, RepoFile)}
folders = {item.path for item in tree if isinstance(item, RepoFolder)}
assert len(flat) < len(tree) == len(rich)
assert set(files) == set(siblings)
tree_lfs = files[lfs_path].lfs
assert tree_lfs is not None
assert tree_lfs.sha256 == lfs.sha256
assert files[lfs_path].size == lfs.size
assert all(item.last_commit is not None for item in rich)
assert all(item.blob_id == siblings[path].blob_id for path, item in files.items())
below = list(api.list_repo_tree(repo, asked["folder"]))
assert below
assert all(item.path.startswith(asked["folder"] + "/") for item in below)

paths = api.get_paths_info(repo, [lfs_path, plain_path, asked["folder"], "not/there"], expand=True)
assert {item.path for item in paths} == {lfs_path, plain_path, asked["folder"]}
assert all(item.last_commit is not None for item in paths)

assert api.file_exists(repo, lfs_path)
assert not api.file_exists(repo, "not/there")
assert not api.file_exists(f"{repo}-not", lfs_path)
assert api.revision_exists(repo, "main")
assert api.revision_exists(repo, info.sha)
assert not api.revision_exists(repo, "no-such-branch")

answer(
    {
        "sha": info.sha,
        "author": info.author,
        "tags": info.tags,
        "pipeline_tag": info.pipeline_tag,
        "library_name": info.library_name,
        "card": info.card_data.to_dict() if info.card_data else None,
        "used_storage": expanded.used_storage,
        "lfs": {"sha256": lfs.sha256, "size": lfs.size},
        "files": sorted(files),
        "folders": sorted(folders),
        "blob_ids": {path: item.blob_id for path, item in files.items()},
    }
)
