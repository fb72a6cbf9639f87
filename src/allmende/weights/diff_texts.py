"""What differs between the texts that belong to two models: configuration, tokenizer, chat template.

Bytes in, differences out. A text that cannot be read is told as such and stops nothing; whatever the files
hold, at most some hundred differences of each sort are listed, and all are counted.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from allmende.formats import JsonObject, JsonValue, Malformed, read_json_object
from allmende.weights.vocabularies import Vocabulary, VocabularyDiff, compare_vocabularies, vocabulary_of

__all__ = ["KeyDiff", "TemplateDiff", "TextsDiff", "compare_texts", "texts_of"]

_CONFIGURATIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "adapter_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_MAX_BYTES = {
    "tokenizer.json": 64 * 1024 * 1024,
    "vocab.json": 16 * 1024 * 1024,
    "vocab.txt": 16 * 1024 * 1024,
}
_MAX_OTHER_BYTES = 4 * 1024 * 1024

_MAX_KEYS = 500
_MAX_TEMPLATE_LINES = 1000
_MAX_TEMPLATE_CHARS = 256 * 1024
_MAX_DIFF_LINES = 400
_MAX_LINE_CHARS = 500
_TEMPLATE_KEYS = ("chat_template", "tokenizer.chat_template")


@dataclass(frozen=True, slots=True)
class KeyDiff:
    """A value of a configuration: `change` is `added`, `removed` or `changed`; `key` is dotted."""

    key: str
    change: str
    a: JsonValue
    b: JsonValue


@dataclass(frozen=True, slots=True)
class TemplateDiff:
    """A chat template that is another: a unified diff, cut at 400 lines. `left_out` counts its other lines;
    with `whole` false the templates were too long to be compared line by line.
    """

    name: str
    lines: tuple[str, ...]
    left_out: int
    whole: bool


@dataclass(frozen=True, slots=True)
class TextsDiff:
    """All differences. `keys` holds for each file the first 500, `key_counts` how many there are."""

    keys: Mapping[str, tuple[KeyDiff, ...]]
    key_counts: Mapping[str, int]
    vocabulary: VocabularyDiff | None
    templates: tuple[TemplateDiff, ...]
    problems: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether anything is not the same, or could not be read."""
        vocabulary = self.vocabulary is not None and self.vocabulary.differs
        return bool(self.key_counts or vocabulary or self.templates or self.problems)


def texts_of(folder: Path) -> dict[str, bytes]:
    """The texts of a folder that are compared, by name; a byte too much of those that are too large."""
    found: dict[str, bytes] = {}
    for name in (*_CONFIGURATIONS, *_TOKENIZERS, *_TEMPLATES):
        path = folder / name
        if path.is_file():
            with path.open("rb") as reader:
                found[name] = reader.read(_MAX_BYTES.get(name, _MAX_OTHER_BYTES) + 1)
    return found


def compare_texts(
    a: Mapping[str, bytes],
    b: Mapping[str, bytes],
    metadata_a: Mapping[str, str] | None = None,
    metadata_b: Mapping[str, str] | None = None,
) -> TextsDiff:
    """Compare the texts of B with those of A; `metadata_*` is what GGUF files say of themselves."""
    read_a, read_b = _Read(a, "A"), _Read(b, "B")
    found = {
        name: list(_key_diffs(_without_templates(read_a.json(name)), _without_templates(read_b.json(name))))
        for name in _CONFIGURATIONS
    }
    found["tokenizer.json"] = list(
        _key_diffs(
            _without_vocabulary(read_a.json("tokenizer.json")),
            _without_vocabulary(read_b.json("tokenizer.json")),
        )
    )
    if metadata_a is not None and metadata_b is not None:
        found["gguf"] = list(
            _key_diffs(_without_templates(dict(metadata_a)), _without_templates(dict(metadata_b)))
        )
    vocabularies = read_a.vocabulary(), read_b.vocabulary()
    return TextsDiff(
        {name: tuple(diffs[:_MAX_KEYS]) for name, diffs in found.items() if diffs},
        {name: len(diffs) for name, diffs in found.items() if diffs},
        compare_vocabularies(*vocabularies),
        tuple(_templates(read_a.templates(metadata_a), read_b.templates(metadata_b))),
        (*read_a.problems, *read_b.problems),
    )


class _Read:
    """The texts of one model, parsed once; what does not parse goes to `problems`."""

    def __init__(self, texts: Mapping[str, bytes], side: str) -> None:
        self._texts = texts
        self._side = side
        self._parsed: dict[str, JsonObject] = {}
        self.problems: list[str] = []

    def json(self, name: str) -> JsonObject:
        if name not in self._parsed:
            self._parsed[name] = self._parse(name)
        return self._parsed[name]

    def _parse(self, name: str) -> JsonObject:
        data = self._texts.get(name)
        if data is None:
            return {}
        try:
            return read_json_object(data, _MAX_BYTES.get(name, _MAX_OTHER_BYTES))
        except Malformed as error:
            self.problems.append(f"{self._side}: {name}: {error.message}")
            return {}

    def vocabulary(self) -> Vocabulary | None:
        for name in _TOKENIZERS:
            if name in self._texts:
                held = self._texts[name] if name == "vocab.txt" else self.json(name)
                found = vocabulary_of(name, held)
                if found is not None:
                    return found
        return None

    def templates(self, metadata: Mapping[str, str] | None) -> dict[str, str]:
        """Each template under its name: `default` unless it says."""
        if "chat_template.jinja" in self._texts:
            return {"default": self._texts["chat_template.jinja"].decode("utf-8", "replace")}
        for name in ("chat_template.json", "tokenizer_config.json"):
            said = self.json(name).get("chat_template")
            if isinstance(said, str):
                return {"default": said}
            if isinstance(said, list):
                return {
                    str(one["name"]): str(one["template"])
                    for one in said
                    if isinstance(one, dict) and "name" in one and "template" in one
                }
        said = (metadata or {}).get("tokenizer.chat_template")
        return {} if said is None else {"default": said}


# --- configurations ------------------------------------------------------------------------------------


def _key_diffs(a: JsonObject, b: JsonObject) -> Iterator[KeyDiff]:
    flat_a, flat_b = dict(_flat(a, "")), dict(_flat(b, ""))
    for key in [*flat_a, *(key for key in flat_b if key not in flat_a)]:
        if key not in flat_b:
            yield KeyDiff(key, "removed", flat_a[key], None)
        elif key not in flat_a:
            yield KeyDiff(key, "added", None, flat_b[key])
        elif _text(flat_a[key]) != _text(flat_b[key]):
            yield KeyDiff(key, "changed", flat_a[key], flat_b[key])


def _flat(value: JsonObject, prefix: str) -> Iterator[tuple[str, JsonValue]]:
    """Every value under its dotted key. Lists of plain values are values; JSON is at most 100 levels deep."""
    for key, held in value.items():
        name = prefix + (json.dumps(key, ensure_ascii=False) if "." in key or not key else key)
        if isinstance(held, list) and any(isinstance(item, dict) for item in held):
            yield from _flat({str(number): item for number, item in enumerate(held)}, f"{name}.")
        elif isinstance(held, dict) and held:
            yield from _flat(held, f"{name}.")
        else:
            yield name, held


def _text(value: JsonValue) -> str:
    # 1 and 1.0 and true are three values here, as they are in the file.
    return json.dumps(value, sort_keys=True)


def _without_templates(config: JsonObject) -> JsonObject:
    return {key: value for key, value in config.items() if key not in _TEMPLATE_KEYS}


def _without_vocabulary(tokenizer: JsonObject) -> JsonObject:
    """What is left is how a text is cut: normaliser, pre-tokenizer, decoder, and the model's settings."""
    kept = {key: value for key, value in tokenizer.items() if key != "added_tokens"}
    model = kept.get("model")
    if isinstance(model, dict):
        kept["model"] = {key: value for key, value in model.items() if key not in {"vocab", "merges"}}
    return kept


# --- chat templates ------------------------------------------------------------------------------------


def _templates(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[TemplateDiff]:
    for name in [*a, *(name for name in b if name not in a)]:
        old, new = a.get(name, ""), b.get(name, "")
        if old != new:
            yield _template(name, old, new)


def _template(name: str, old: str, new: str) -> TemplateDiff:
    lines_old, lines_new = old.splitlines(), new.splitlines()
    # The time of a comparison grows with the square of the lines.
    if (
        max(len(old), len(new)) > _MAX_TEMPLATE_CHARS
        or max(len(lines_old), len(lines_new)) > _MAX_TEMPLATE_LINES
    ):
        return TemplateDiff(name, (), 0, whole=False)
    lines = [
        line[:_MAX_LINE_CHARS] for line in difflib.unified_diff(lines_old, lines_new, "A", "B", lineterm="")
    ]
    return TemplateDiff(
        name, tuple(lines[:_MAX_DIFF_LINES]), max(0, len(lines) - _MAX_DIFF_LINES), whole=True
    )
