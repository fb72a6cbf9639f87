"""Publish two models, and read what the hub then says of their descent."""

import time

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

api, asked = HfApi(), given()
for name in ("base", "child"):
    api.create_repo(asked[name])
    api.upload_folder(repo_id=asked[name], folder_path=asked[f"{name}_folder"])

deadline = time.monotonic() + 90
while True:
    child = api.model_info(asked["child"], expand=["baseModels", "tags"])
    base = api.model_info(asked["base"], expand=["childrenModelCount"])
    if child.base_models or time.monotonic() > deadline:
        break
    time.sleep(0.2)

found = api.list_models(filter=f"base_model:{asked['base']}")
answer(
    {
        "base_models": child.base_models,
        "tags": child.tags,
        "children": base.children_model_count,
        "found": [model.id for model in found],
    }
)
