"""Values of facts as the short texts that properties of a bill of materials hold."""

from collections.abc import Iterator, Mapping

from allmende.proof import JsonObject, JsonValue, canonical_json
from allmende.record import Record

__all__ = ["fact_properties", "hyperparameter_texts", "scalar_text"]

_GENAI = {
    "vocabulary": "vocabSize",
    "tokenizer": "tokenizerClass",
    "context_length": "contextLength",
    "hidden_size": "embeddingLength",
    "layers": "blockCount",
    "attention_heads": "attentionHeadCount",
    "key_value_heads": "attentionHeadCountKV",
    "feed_forward_size": "feedForwardLength",
    "rope_dimensions": "ropeDimensionCount",
    "quantization_version": "quantizationVersion",
    "quantization_file_type": "quantizationFileType",
}
"""Names that the property taxonomy of the OWASP GenAI project (`genai:aibom:modelcard:`) has for measures."""

_MAX_CHARS = 2000


def scalar_text(value: JsonValue) -> str:
    """A value as text: texts as they are, everything else as canonical JSON; bounded."""
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text[:_MAX_CHARS]


def hyperparameter_texts(record: Record) -> Iterator[tuple[str, str]]:
    """The measures of a model as names and texts, those that others have a name for under that name."""
    measures: Mapping[str, JsonValue] = record.object("hyperparameters")
    for name in sorted(measures):
        value = measures[name]
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", scalar_text(value[key])) for key in sorted(value))
        else:
            yield _GENAI.get(name, name), scalar_text(value)


def fact_properties(record: Record) -> list[JsonValue]:
    """For each fact of a record where it comes from, and what is known that no field of a BOM holds."""
    rows: list[tuple[str, str]] = [
        (f"allmende:source:{name}", record.source(name)) for name in sorted(record.facts)
    ]
    for name, key in (("parameters", "total"), ("scan", "status"), ("signatures", "state")):
        value = record.object(name).get(key)
        if value is not None:
            rows.append((f"allmende:{name}:{key}", scalar_text(value)))
    rule_set = record.object("scan").get("rule_set")
    if rule_set is not None:
        rows.append(("allmende:scan:rule_set", scalar_text(rule_set)))
    for key, value in sorted(record.object("emissions").items()):
        rows.append((f"allmende:emissions:{key}", scalar_text(value)))
    weights = record.object("weights").get("id")
    if isinstance(weights, str):
        rows.append(("allmende:weights:id", weights))
    if record.subject.tree_hash is not None:
        rows.append(("allmende:dirHash", record.subject.tree_hash))
    return [_property(name, text) for name, text in rows]


def _property(name: str, text: str) -> JsonObject:
    return {"name": name, "value": text}
