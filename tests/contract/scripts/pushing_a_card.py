"""Push a card the way the library offers it."""

from huggingface_hub import HfApi, ModelCard

from tests.contract.scripts.asking import answer, given

repo = given()["repo"]
HfApi().create_repo(repo)
answer(str(ModelCard("---\nlicense: mit\n---\n# Card\n").push_to_hub(repo)))
