"""Make a repo private."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
HfApi().update_repo_settings(asked["repo"], private=True)
answer({})
