"""Lists of repos: filters, search, author, order, limits, pages, and what a stranger does not see."""

import time

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import HfHubHTTPError

from tests.contract.scripts.asking import answer, given, refused

api, stem = HfApi(), given()["stem"]
names = [f"lab/{stem}-{number:02}" for number in range(10)]

for number, repo in enumerate(names):
    api.create_repo(repo, private=number == 9)
    card = f"---\nlicense: {('mit', 'apache-2.0')[number % 2]}\ntags: [made-for-{stem}]\n"
    card += "pipeline_tag: fill-mask\n" if number == 3 else ""
    api.upload_file(
        path_or_fileobj=f"{card}---\n# Number {number}\n".encode(), path_in_repo="README.md", repo_id=repo
    )
api.create_repo(f"lab/{stem}-data", repo_type="dataset")
api.create_repo(f"lab/{stem}-space", repo_type="space", space_sdk="static")


def listed(**query):
    return [model.id for model in api.list_models(**query)]


mine = {"author": "lab", "search": stem}
everything = listed(**mine)
assert sorted(everything) == names, everything
assert listed(author="bob", search=stem) == []
assert listed(author="lab", search=f"{stem}-03") == [names[3]]
assert listed(**mine, limit=4) == everything[:4]

by_creation = listed(**mine, sort="created_at")
assert by_creation == names[::-1], by_creation
time.sleep(0.01)
api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=names[0])
assert listed(**mine, sort="last_modified")[0] == names[0]
assert sorted(listed(**mine, sort="downloads")) == names
assert "so it cannot sort by" in refused(HfHubHTTPError, lambda: listed(**mine, sort="likes"))

assert sorted(listed(filter=f"made-for-{stem}")) == names
assert sorted(listed(filter=[f"made-for-{stem}", "license:mit"])) == names[0::2]
assert listed(filter=f"made-for-{stem}", pipeline_tag="fill-mask") == [names[3]]

full = list(api.list_models(**mine, full=True, cardData=True))
assert all(model.siblings and model.sha and model.last_modified for model in full)
assert {model.card_data["license"] for model in full if model.card_data} == {"mit", "apache-2.0"}
narrow = list(api.list_models(**mine, expand=["sha", "private"]))
assert all(model.sha and model.siblings is None for model in narrow)
assert {model.id for model in narrow if model.private} == {names[9]}

assert [found.id for found in api.list_datasets(author="lab", search=stem)] == [f"lab/{stem}-data"]
assert [found.id for found in api.list_spaces(author="lab", search=stem)] == [f"lab/{stem}-space"]

stranger = HfApi(token=False)
assert sorted(model.id for model in stranger.list_models(**mine)) == names[:9]
assert ModelCard.load(names[3]).data.pipeline_tag == "fill-mask"
answer({"count": len(everything)})
