"""Static models from files: both layouts, what is bounded, and what is none."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from allmende.meaning import (
    MAX_DIMENSIONS,
    MeaningUnavailable,
    ModelFiles,
    find_files,
    open_static_model,
    plain_text,
)

WORDS = ["owl", "bird", "bank", "money"]
TABLE = np.array([[1, 0, 0.5], [0.9, 0.1, 0.4], [0, 1, 0], [0, 0.8, -0.2]], np.float32)


def folder(path: Path, **arrays: NDArray[np.generic]) -> Path:
    path.mkdir(exist_ok=True)
    tokenizer = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="owl")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, path / "model.safetensors"
    )
    return path


def vector(path: Path, text: str) -> list[int]:
    made = open_static_model(find_files(str(path))).encode(text)
    assert made is not None
    return np.frombuffer(made, np.int8).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", ["embeddings", "embedding.weight"])
def test_a_text_is_the_mean_of_its_words(tmp_path: Path, name: str, dtype: type[np.generic]) -> None:
    made = folder(tmp_path / "model", **{name: TABLE.astype(dtype)})
    assert vector(made, "bank") == [0, 127, 0]
    assert vector(made, "money") == [0, 127, -32]
    mean = (TABLE[0] + TABLE[2]) / 2
    assert vector(made, "owl bank") == np.rint(mean * 127 / mean.max()).tolist()
    assert vector(made, "owl bank owl bank") == vector(made, "owl bank")


def test_tokens_may_be_weighted_and_share_rows(tmp_path: Path) -> None:
    weights, mapping = np.array([1, 1, 0, 2], np.float32), np.array([0, 0, 1, 99], np.int64)
    made = folder(tmp_path / "model", embeddings=TABLE[[0, 2]], weights=weights, mapping=mapping)
    assert vector(made, "bird bank") == vector(made, "owl") == [127, 0, 64]
    # Of weight nothing, of a row that is not there, and of no token: there is no vector.
    model = open_static_model(find_files(str(made)))
    assert [model.encode(text) for text in ("bank", "money", "")] == [None, None, None]


def test_tokens_beyond_what_is_told_of_them_count_for_nothing(tmp_path: Path) -> None:
    weights, mapping = np.array([1, 1], np.float32), np.array([0, 0, 1], np.int64)
    made = folder(tmp_path / "model", embeddings=TABLE[[0, 2]], weights=weights, mapping=mapping)
    assert vector(made, "bank owl money") == vector(made, "owl")
    mapped = folder(tmp_path / "mapped", embeddings=TABLE[[0, 2]], mapping=mapping)
    assert vector(mapped, "money bank") == [0, 127, 0]


@pytest.mark.parametrize("name", ["weights", "mapping"])
def test_of_each_token_one_number_is_told(tmp_path: Path, name: str) -> None:
    arrays = {"embeddings": TABLE, name: np.ones((4, 1), np.float32)}
    with pytest.raises(MeaningUnavailable, match=name):
        open_static_model(find_files(str(folder(tmp_path / "model", **arrays))))


def test_of_long_vectors_the_first_numbers_are_taken(tmp_path: Path) -> None:
    made = folder(tmp_path / "model", embeddings=np.ones((4, 3 * MAX_DIMENSIONS), np.float32))
    assert vector(made, "owl") == [127] * MAX_DIMENSIONS


def test_a_model_is_known_by_all_its_bytes(tmp_path: Path) -> None:
    one = open_static_model(find_files(str(folder(tmp_path / "one", embeddings=TABLE))))
    same = open_static_model(find_files(str(folder(tmp_path / "same", embeddings=TABLE))))
    other = open_static_model(find_files(str(folder(tmp_path / "other", embeddings=TABLE * 2))))
    assert one.id == same.id != other.id
    (tmp_path / "same" / "tokenizer.json").write_text(
        (tmp_path / "same" / "tokenizer.json").read_text() + " "
    )
    assert open_static_model(find_files(str(tmp_path / "same"))).id != one.id


@pytest.mark.parametrize(
    "arrays",
    [
        {"other": TABLE},
        {"embeddings": TABLE[0]},
        {"embeddings": TABLE.astype(np.int32)},
        {"embeddings": TABLE[:0]},
    ],
    ids=["no table", "one vector", "no numbers of that kind", "empty"],
)
def test_a_file_without_a_table_is_no_model(tmp_path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    with pytest.raises(MeaningUnavailable, match="no table"):
        open_static_model(find_files(str(folder(tmp_path / "model", **arrays))))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MeaningUnavailable, match="There is no file"):
        find_files(str(tmp_path))
    made = folder(tmp_path / "model", embeddings=TABLE)
    (made / "model.safetensors").write_bytes(struct.pack("<Q", 99) + b"{")
    with pytest.raises(MeaningUnavailable, match="no safetensors file"):
        open_static_model(ModelFiles(made / "model.safetensors", made / "tokenizer.json"))
    folder(tmp_path / "model", embeddings=TABLE)
    (made / "tokenizer.json").write_text("{}")
    with pytest.raises(MeaningUnavailable, match="no tokenizer"):
        open_static_model(find_files(str(made)))


def test_the_model_of_a_package_is_found_without_running_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    files = find_files("wordllama")
    model = open_static_model(files)
    assert len(model.encode("a bird that sings") or b"") == MAX_DIMENSIONS
    assert "wordllama" not in sys.modules
    monkeypatch.setattr("allmende.meaning.model_files.find_spec", lambda _name: None)
    with pytest.raises(MeaningUnavailable, match="tokenizers"):
        find_files("wordllama")


def test_cards_are_read_without_their_markup() -> None:
    card = (
        "# Counting owls\n\nFor *field work*, see [the site](https://example.org/owls?x=1).\n\n"
        "```python\nimport torch\n```\n<img src='x'>\n| a | b |\n|---|---|\n"
        "https://example.org/more\n- at night\n"
    )
    text = plain_text("owl-counter_v2", ["birds", "license:mit"], card)
    assert text == "owl counter v2. birds. Counting owls For field work , see the site . a b at night"


@pytest.mark.parametrize(
    "hostile",
    ["```" * 5000, "<" * 20_000, "[](" * 8000, "https://" * 4000, "~~~\n" * 5000, "a" * 10**6, "\x00" * 9000],
)
def test_the_text_of_a_card_is_bounded(hostile: str) -> None:
    assert len(plain_text("name", ["x" * 10**5], hostile)) <= 2000
    model = open_static_model(find_files("wordllama"))
    assert len(model.encode(plain_text("name", (), hostile)) or b"") in (0, MAX_DIMENSIONS)
