"""Upload a folder as a pull request, as a reader of a public repo does, and read what it proposes."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
api = HfApi()
proposed = api.upload_folder(
    repo_id=asked["repo"], folder_path=asked["folder"], create_pr=True, commit_message="Propose weights"
)
revision = f"refs/pr/{proposed.pr_num}"
answer(
    {
        "number": proposed.pr_num,
        "url": proposed.pr_url,
        "proposed": sorted(api.list_repo_files(asked["repo"], revision=revision)),
        "main": sorted(api.list_repo_files(asked["repo"])),
    }
)
