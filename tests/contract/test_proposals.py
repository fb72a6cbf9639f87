"""A folder sent as a pull request, with each client version as it is set by default."""

from pathlib import Path

from tests.contract.conftest import ClientOf
from tests.contract.folders import write_safetensors
from tests.hubs import RunningHub


def test_a_folder_becomes_a_pull_request(hub: RunningHub, client_of: ClientOf, name: str, tmp_path: Path):
    repo = f"alice/{name}"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    client_of("alice").hf("upload", repo, str(folder), ".")
    write_safetensors(folder / "model.safetensors", 100_000, 7)
    saw = client_of("bob").run("proposing", repo=repo, folder=str(folder))
    assert saw["url"] == f"{hub.url}/{repo}/discussions/{saw['number']}"
    assert saw["proposed"] == [".gitattributes", "README.md", "model.safetensors"]
    assert saw["main"] == [".gitattributes", "README.md"]
