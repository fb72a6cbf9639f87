"""Configuration, tokenizer and chat template of two models, well formed and hostile."""

import json
import time
from pathlib import Path

import pytest

from allmende.formats import JsonValue
from allmende.weights import TextsDiff, VocabularyDiff, compare_texts, texts_of


def texts(**files: object) -> dict[str, bytes]:
    """Files by name, with `_` for the dot."""
    return {name.replace("__", "."): json.dumps(held).encode() for name, held in files.items()}


def keys_of(found: TextsDiff, name: str) -> dict[str, tuple[str, JsonValue, JsonValue]]:
    return {diff.key: (diff.change, diff.a, diff.b) for diff in found.keys[name]}


def vocabulary_of(a: dict[str, bytes], b: dict[str, bytes]) -> VocabularyDiff:
    found = compare_texts(a, b).vocabulary
    assert found is not None
    return found


def test_nothing_differs_between_the_same() -> None:
    held = texts(config__json={"a": [1, {"b": None}]}, tokenizer__json={"model": {"vocab": {"x": 0}}})
    found = compare_texts(held, dict(held))
    assert not found.differs
    assert found.vocabulary is not None
    assert not found.vocabulary.differs


def test_values_of_a_configuration_stand_under_dotted_keys() -> None:
    a = texts(
        config__json={"same": 1, "gone": True, "rope": {"type": "x", "factor": 2}, "ids": [1, 2], "n": 1}
    )
    b = texts(
        config__json={"same": 1, "new": {}, "rope": {"type": "y", "factor": 2}, "ids": [2, 1], "n": 1.0}
    )
    assert keys_of(compare_texts(a, b), "config.json") == {
        "gone": ("removed", True, None),
        "rope.type": ("changed", "x", "y"),
        "ids": ("changed", [1, 2], [2, 1]),
        "n": ("changed", 1, 1.0),
        "new": ("added", None, {}),
    }


def test_a_dot_in_a_key_does_not_make_two_keys_one() -> None:
    found = compare_texts(texts(config__json={"a.b": 1}), texts(config__json={"a": {"b": 1}}))
    assert keys_of(found, "config.json") == {'"a.b"': ("removed", 1, None), "a.b": ("added", None, 1)}


def test_lists_of_objects_are_compared_item_by_item() -> None:
    a, b = ({"layers": [{"n": 1}, {"n": held}]} for held in (2, 3))
    found = compare_texts(texts(config__json=a), texts(config__json=b))
    assert keys_of(found, "config.json") == {"layers.1.n": ("changed", 2, 3)}


def test_all_differences_are_counted_and_the_first_are_listed() -> None:
    found = compare_texts({}, texts(config__json={f"k{number}": number for number in range(700)}))
    assert found.key_counts == {"config.json": 700}
    assert len(found.keys["config.json"]) == 500


def test_tokens_are_added_removed_and_moved() -> None:
    a = {"model": {"vocab": {"x": 0, "y": 1, "z": 2}, "merges": ["x y", "y z"]}}
    b = {
        "model": {"vocab": {"x": 1, "y": 0, "w": 2}, "merges": [["y", "z"], ["x", "y"], ["w", "w"]]},
        "added_tokens": [{"id": 3, "content": "<end>", "special": True}, {"id": 4, "content": "plain"}],
    }
    found = vocabulary_of(texts(tokenizer__json=a), texts(tokenizer__json=b))
    assert (found.tokens_a, found.tokens_b) == (3, 5)
    assert found.added == ("w", "<end>", "plain")
    assert found.removed == ("z",)
    assert [(token.token, token.a, token.b) for token in found.moved] == [("x", 0, 1), ("y", 1, 0)]
    assert found.special_added == ("<end>",)
    assert (found.merges_added, found.merges_removed, found.merges_reordered) == (1, 0, True)


def test_how_text_is_cut_stands_apart_from_the_vocabulary() -> None:
    a = {"normalizer": {"type": "NFC"}, "model": {"type": "BPE", "vocab": {"x": 0}}, "added_tokens": []}
    b = {"normalizer": {"type": "NFKC"}, "model": {"type": "BPE", "vocab": {"x": 0, "y": 1}}}
    found = compare_texts(texts(tokenizer__json=a), texts(tokenizer__json=b))
    assert keys_of(found, "tokenizer.json") == {"normalizer.type": ("changed", "NFC", "NFKC")}


def test_unigram_models_list_pieces() -> None:
    a, b = ({"model": {"type": "Unigram", "vocab": pieces}} for pieces in ([["a", 0], ["b", -1]], [["b", 0]]))
    found = vocabulary_of(texts(tokenizer__json=a), texts(tokenizer__json=b))
    assert (found.removed, found.moved_count) == (("a",), 1)


def test_vocabularies_of_lines_and_of_json_are_read() -> None:
    found = vocabulary_of({"vocab.txt": b"[PAD]\nthe\n"}, {"vocab.txt": b"[PAD]\r\nthe\r\nend"})
    assert (found.tokens_a, found.added) == (2, ("end",))
    assert vocabulary_of(texts(vocab__json={"a": 0}), texts(vocab__json={"a": 1})).moved_count == 1


def test_a_missing_tokenizer_makes_no_vocabulary_vanish() -> None:
    assert compare_texts(texts(tokenizer__json={"model": {"vocab": {"x": 0}}}), {}).vocabulary is None


def test_chat_templates_are_compared_by_line_wherever_they_stand() -> None:
    a = texts(tokenizer_config__json={"chat_template": "one\ntwo\n"})
    (found,) = compare_texts(a, {"chat_template.jinja": b"one\n2\n"}).templates
    assert found.lines[2:] == ("@@ -1,2 +1,2 @@", " one", "-two", "+2")
    assert not compare_texts(a, {"chat_template.jinja": b"one\ntwo\n"}).templates
    named = texts(tokenizer_config__json={"chat_template": [{"name": "tool", "template": "x"}]})
    assert [template.name for template in compare_texts(a, named).templates] == ["default", "tool"]
    assert not compare_texts(a, a).keys


def test_the_metadata_of_gguf_files_is_compared() -> None:
    a = {"general.name": "one", "tokenizer.chat_template": "x"}
    b = {"general.name": "two", "tokenizer.chat_template": "y"}
    found = compare_texts({}, {}, a, b)
    assert keys_of(found, "gguf") == {'"general.name"': ("changed", "one", "two")}
    assert [template.name for template in found.templates] == ["default"]


def test_templates_that_would_take_long_are_not_compared_by_line() -> None:
    a, b = ({"chat_template.jinja": b"".join(b"%d\n" % (n % 7 + s) for n in range(5000))} for s in (0, 1))
    (found,) = compare_texts(a, b).templates
    assert (found.whole, found.lines) == (False, ())


def test_the_longest_template_that_is_compared_takes_no_long_time() -> None:
    began = time.process_time()
    for period in (2, 10, 97, 1000):
        a, b = (
            {"chat_template.jinja": b"".join(b"%d\n" % ((n * s) % period) for n in range(1000))}
            for s in (1, 3)
        )
        found = compare_texts(a, b).templates
        assert all(len(template.lines) <= 400 for template in found)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "held", [b"{", b"[]", b"\xff", b'{"a": NaN}', b'{"a":1,"a":2}', b"[" * 10_000, b'{"x":' * 5000]
)
def test_what_does_not_parse_is_told(held: bytes) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        found = compare_texts({name: held}, {name: b"{}"})
        assert found.problems
        assert found.problems[0].startswith(f"A: {name}: ")
        assert found.differs


@pytest.mark.parametrize(
    "tokenizer",
    [
        {"model": 3},
        {"model": {"vocab": 3, "merges": 4}},
        {"model": {"vocab": [[], [3], "x", ["a", 1]]}, "added_tokens": 3},
        {
            "model": {"vocab": {"a": "x", "b": 2}},
            "added_tokens": [1, {"content": 2}, {"content": "c", "id": "x"}],
        },
        {"model": {"vocab": {"a": 1}, "merges": [1, [], [1, 2], {"x": 1}]}},
    ],
)
def test_tokenizers_of_odd_forms_stop_nothing(tokenizer: JsonValue) -> None:
    other = texts(tokenizer__json={"model": {"vocab": {"a": 0}}})
    compare_texts(texts(tokenizer__json=tokenizer), other)
    compare_texts(other, texts(tokenizer__json=tokenizer))


def test_texts_of_a_folder_are_read_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b" " * (5 * 1024 * 1024))
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "tokenizer.json").mkdir()
    found = texts_of(tmp_path)
    assert {name: len(data) for name, data in found.items()} == {"config.json": 4 * 1024 * 1024 + 1}
    assert compare_texts(found, {}).problems
