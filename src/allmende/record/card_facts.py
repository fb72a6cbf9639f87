"""The facts of a record that a card declares: its front matter, and the text below it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from allmende.formats import arxiv_ids
from allmende.proof import JsonObject, JsonValue
from allmende.record.card_sections import card_description, card_sections
from allmende.record.form import Facts, Tool, known, tidy, unknown
from allmende.record.licence_ids import spdx_expression

__all__ = ["CARD_TOOL", "card_facts"]

CARD_TOOL = Tool("allmende.card", "1")

_MAX_LISTED = 200
_MAX_TEXT_CHARS = 500
_MAX_RESULTS = 500
_GRAMS_MAX = 1e15
_DATASET_KEYS = (
    "pretty_name", "task_categories", "task_ids", "size_categories", "annotations_creators",
    "language_creators", "multilinguality", "source_datasets", "configs", "dataset_info",
)  # fmt: skip
_KEPT_KEYS = (
    "version", "new_version", "pretty_name", "doi", "paper", "repository", "homepage", "website",
    "thumbnail", "inference", "authors", "license_link", "license_name", "extra_gated_prompt",
)  # fmt: skip


def card_facts(
    repo_type: str, card: Mapping[str, JsonValue] | None, body: str, at: datetime, evidence: JsonObject
) -> Facts:
    """What a card declares. `card` is its front matter: None where there is no card.

    `evidence` names the file. What it does not say is unknown.
    """
    said = card or {}

    def declared(value: JsonValue) -> JsonObject:
        return known(value, "declared", CARD_TOOL, at, evidence) if value else unknown("not_declared")

    is_model = repo_type == "model"
    facts: Facts = {
        "licence": declared(_licence(said)),
        "languages": declared(list[JsonValue](_texts(said.get("language")))),
        "papers": declared(list[JsonValue](arxiv_ids(body))),
        "card": declared(_card(said, body)),
        "datasets": declared(list[JsonValue](_texts(said.get("datasets")))),
        "evaluations": declared(list(_evaluations(said.get("model-index")))),
        "emissions": declared(_emissions(said.get("co2_eq_emissions"))),
        "dataset": declared({key: tidy(said[key]) for key in _DATASET_KEYS if said.get(key)}),
    }
    for name, of_models in (
        ("evaluations", True),
        ("emissions", True),
        ("datasets", True),
        ("dataset", False),
    ):
        if is_model is not of_models and facts[name]["source"] == "unknown":
            facts[name] = unknown("not_applicable")
    return facts


def _licence(card: Mapping[str, JsonValue]) -> JsonObject:
    ids = _texts(card.get("license"))
    if not ids:
        return {}
    found: JsonObject = {"ids": list[JsonValue](ids)}
    for key, name in (("license_name", "name"), ("license_link", "link")):
        text = _texts(card.get(key))
        if text:
            found[name] = text[0]
    expression = spdx_expression(ids)
    if expression is not None:
        found["spdx"] = expression
    return found


def _card(card: Mapping[str, JsonValue], body: str) -> JsonObject:
    found: JsonObject = {}
    description = card_description(body)
    if description is not None:
        found["description"] = description
    sections = card_sections(body)
    if sections:
        found["sections"] = tidy(sections)
    kept = {key: tidy(card[key]) for key in _KEPT_KEYS if card.get(key) not in (None, "", [], {})}
    if kept:
        found["fields"] = kept
    return found


def _evaluations(index: JsonValue) -> Iterator[JsonValue]:
    """The results of a `model-index`, one row a metric."""
    count = 0
    for model in index if isinstance(index, list) else ():
        results = model.get("results") if isinstance(model, dict) else None
        for result in results if isinstance(results, list) else ():
            metrics = result.get("metrics") if isinstance(result, dict) else None
            for metric in metrics if isinstance(metrics, list) else ():
                if not isinstance(metric, dict) or not isinstance(result, dict) or count >= _MAX_RESULTS:
                    continue
                count += 1
                yield _evaluation(result, metric)


def _evaluation(result: JsonObject, metric: JsonObject) -> JsonObject:
    row: JsonObject = {
        "task": _named(result.get("task")),
        "dataset": _named(result.get("dataset")),
        "metric": _named(metric),
    }
    value = metric.get("value")
    row["value"] = tidy(value) if isinstance(value, str | int | float) else None
    return row


def _named(value: JsonValue) -> str | None:
    """What a part of a result is called: the type is the word of programs, the name that of people."""
    if not isinstance(value, dict):
        return None
    return next((text for key in ("name", "type") for text in _texts(value.get(key))), None)


def _emissions(value: JsonValue) -> JsonObject:
    """The emissions in grams of CO2 equivalents, as cards give them."""
    said: JsonObject = value if isinstance(value, dict) else {"emissions": value}
    grams = said.get("emissions")
    if isinstance(grams, bool) or not isinstance(grams, int | float) or not 0 <= grams < _GRAMS_MAX:
        return {}
    found: JsonObject = {"co2e_g": grams}
    for key in ("source", "training_type", "geographical_location", "hardware_used"):
        text = _texts(said.get(key))
        if text:
            found[key] = text[0]
    return found


def _texts(value: JsonValue) -> list[str]:
    """The texts in a value of a card, each once and bounded. Numbers count: YAML makes them of words."""
    listed = value if isinstance(value, list) else [value]
    found = [
        str(one).strip()[:_MAX_TEXT_CHARS]
        for one in listed[:_MAX_LISTED]
        if isinstance(one, str | int | float) and not isinstance(one, bool)
    ]
    return [text for text in dict.fromkeys(found) if text]
