"""What stock clients read of measured lineage, where they look for what cards declare."""

from pathlib import Path
from uuid import uuid4

from tests.contract.clients import Client
from tests.integration.flows.families import finetuned, fresh, safetensors_of


def test_a_measured_base_is_read_with_each_client(client: Client, version: str, tmp_path: Path):
    seed = sum(version.encode())
    base = fresh(seed)
    arguments: dict[str, str] = {}
    for name, model in (("base", base), ("child", finetuned(base, seed + 1))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(safetensors_of(model))
        arguments |= {name: f"alice/{name}-{uuid4().hex[:8]}", f"{name}_folder": str(folder)}
    saw = client.run("lineage", **arguments)
    assert [item["id"] for item in saw["base_models"]["models"]] == [arguments["base"]]
    assert saw["base_models"]["relation"] == "finetune"
    assert f"base_model:finetune:{arguments['base']}" in saw["tags"]
    assert saw["children"] == 1
    assert saw["found"] == [arguments["child"]]
