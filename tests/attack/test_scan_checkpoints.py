"""Checkpoints that real libraries write, which the scanner once refused; and the same ones, tampered with."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allmende.scan import Source, Status, scan_source

pytestmark = pytest.mark.torch


def status_of(data: bytes, name: str) -> Status:
    return scan_source(Source.of_bytes(data), name).status()


def forest() -> bytes:
    """A random forest of three trees, written by skops."""
    sklearn = pytest.importorskip("sklearn.ensemble")
    skops = pytest.importorskip("skops.io")
    model = sklearn.RandomForestClassifier(3, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    return bytes(skops.dumps(model))


def tampered(data: bytes, change: Any) -> bytes:
    """The archive with every node of its schema given to `change`."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                for node in nodes(schema):
                    change(node)
                content = json.dumps(schema).encode()
            after.writestr(name, content)
    return file.getvalue()


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_a_forest_of_skops_passes() -> None:
    assert status_of(forest(), "forest.skops") is Status.CLEAN


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen")]
)
def test_a_forest_whose_trees_are_something_else_is_blocked(module: str, name: str) -> None:
    def change(node: dict[str, Any]) -> None:
        if "__reduce__" in node:
            node["__module__"], node["__class__"] = module, name

    assert status_of(tampered(forest(), change), "forest.skops") is Status.BLOCKED


def test_what_skops_does_not_write_beside_a_tree_is_blocked() -> None:
    def change(node: dict[str, Any]) -> None:
        if "__reduce__" in node:
            node["__reduce__"]["function"] = "os.system"

    assert status_of(tampered(forest(), change), "forest.skops") is Status.BLOCKED


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of several tensors and of plain values, by torch.distributed.checkpoint."""
    torch = pytest.importorskip("torch")
    checkpoint = pytest.importorskip("torch.distributed.checkpoint")
    folder = tmp_path_factory.mktemp("distributed")
    state = {"a": torch.ones(3), "b": {"c": torch.zeros(2, 2), "step": 3, "name": "x"}, "d": torch.arange(5)}
    checkpoint.save(state, checkpoint_id=str(folder), no_dist=True)
    return folder


def test_a_distributed_checkpoint_passes(distributed: Path) -> None:
    names = {path.name for path in distributed.iterdir()}
    assert {".metadata", "__0_0.distcp"} <= names
    told = {path.name: status_of(path.read_bytes(), path.name) for path in distributed.iterdir()}
    assert set(told.values()) == {Status.CLEAN}, told


def test_a_shard_with_a_pickle_among_its_parts_is_stopped(distributed: Path) -> None:
    data = (distributed / "__0_0.distcp").read_bytes()
    second = data.index(b"PK\5\6") + 22
    hostile = b"cos\nsystem\n(S'true'\ntR."
    assert status_of(data[:second] + hostile + data[second:], "__0_0.distcp") >= Status.QUARANTINED
    assert status_of(data + hostile, "__0_0.distcp") >= Status.QUARANTINED
