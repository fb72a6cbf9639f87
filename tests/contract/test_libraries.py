"""What people load models and tables with: transformers, sentence-transformers, pandas and pyarrow."""

from uuid import uuid4

import pytest

from tests.contract.conftest import ClientOf
from tests.contract.wire import Relay
from tests.hubs import RunningHub

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

TEXT = "the commons is ours"
SLOW_S = 280.0


@pytest.fixture
def new_name() -> str:
    return f"alice/lib-{uuid4().hex[:8]}"


def test_a_bert_goes_there_and_back(client_of: ClientOf, new_name: str):
    pushed = client_of("alice", timeout_s=SLOW_S).run("push_transformer", repo=new_name, text=TEXT, seed=1)
    loaded = client_of("alice", timeout_s=SLOW_S).run("load_transformer", repo=new_name, text=TEXT)
    assert pushed["shape"] == [1, 4, 32]
    assert loaded == pushed


def test_a_model_that_attacks_is_refused_with_the_reason(client_of: ClientOf, new_name: str):
    base = f"{new_name}-base"
    client_of("alice", timeout_s=SLOW_S).run("push_transformer", repo=base, text=TEXT, seed=3)
    client_of("alice", timeout_s=SLOW_S).run("push_dangerous", base=base, repo=new_name)
    loaded = client_of("bob", timeout_s=SLOW_S).run("load_dangerous", repo=new_name, text=TEXT)
    assert "pytorch_model.bin" in loaded["told"]
    assert "blocked by the scan" in loaded["told"], loaded["told"][-3000:]
    assert "pickle-refused-global" in loaded["told"]
    assert loaded["model_type"] == "bert"
    assert loaded["tokens"]


def test_a_sentence_model_goes_there_and_back(client_of: ClientOf, new_name: str):
    base, texts = f"{new_name}-base", [TEXT, "the meadow is the commons"]
    client_of("alice", timeout_s=SLOW_S).run("push_transformer", repo=base, text=TEXT, seed=2)
    pushed = client_of("alice", timeout_s=SLOW_S).run("push_sentences", base=base, repo=new_name, texts=texts)
    assert "/discussions/1" in pushed["proposed"]
    for revision in ("main", "refs/pr/1"):
        client = client_of("alice", timeout_s=SLOW_S)
        loaded = client.run("load_sentences", repo=new_name, revision=revision, texts=texts)
        assert loaded["values"] == pushed["values"]
        assert {"modules.json", "1_Pooling/config.json", "README.md", "model.safetensors"} <= set(
            loaded["files"]
        )


def test_a_column_of_a_table_is_read_without_the_rest(hub: RunningHub, client_of: ClientOf, new_name: str):
    rows, columns = 100_000, 20
    written = client_of("alice", timeout_s=SLOW_S).run(
        "write_table", repo=new_name, rows=rows, columns=columns
    )
    with Relay(hub.url) as relay:
        reader = client_of("alice", endpoint=relay.url, timeout_s=SLOW_S)
        saw = reader.run("read_table", repo=new_name, pull=written["pull"])
        received, ranges = relay.received_bytes, relay.requests("GET", "/resolve/")
    assert saw["found"] == [f"datasets/{new_name}/data/{part}.parquet" for part in ("one", "two")]
    assert (saw["sum"], saw["first"]) == (written["sum"], written["first"])
    assert saw["rows_of_a_group"] == rows // 4
    assert saw["proposed"] == {"a": [1], "b": [2]}
    assert saw["size"] > columns * rows * 7
    assert received < saw["size"] / 4, "one column of one file and a quarter of one of the other"
    assert all("range: bytes=" in head.lower() for head in ranges if ".parquet" in head)
