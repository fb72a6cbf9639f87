"""Copy a file from one repo into another without having its bytes."""

from huggingface_hub import CommitOperationCopy, HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
api = HfApi()
api.create_repo(asked["target"], private=True)
commit = api.create_commit(
    asked["target"],
    [
        CommitOperationCopy(
            src_path_in_repo=asked["path"],
            path_in_repo=asked["path"],
            src_repo_id=asked["source"],
            src_repo_type="model",
        )
    ],
    commit_message="Copy from another repo",
)
answer(commit.oid)
