"""What is wrong with a card, in the words that stock clients print.

Errors stop a client from pushing, so only what no reader could use is one: YAML that cannot be read, a
licence that nobody knows, a value of the wrong type. Everything else is a warning.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from allmende.formats.cards import parse_card
from allmende.formats.errors import MalformedCard
from allmende.formats.hub_vocabulary import BASE_MODEL_RELATIONS, COLORS, LICENSES, SPACE_SDKS, TASKS
from allmende.formats.strict_json import JsonValue
from allmende.ids import RepoType

__all__ = ["CardReport", "validate"]

_MAX_MESSAGES = 50
_REPO_ID = re.compile(r"[A-Za-z0-9_.-]{1,96}(?:/[A-Za-z0-9_.-]{1,96})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*|code|multilingual")


@dataclass(slots=True)
class CardReport:
    """The findings of one check, in the order of the rules; a card without errors may be published."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


_Rule = Callable[[dict[str, JsonValue], CardReport], None]


def validate(content: str, repo_type: RepoType) -> CardReport:
    """Checks the text of a README for a repo of this type. Never raises for anything in the text."""
    report = CardReport()
    try:
        card = parse_card(content)
    except MalformedCard as error:
        report.errors.append(error.message)
        return report
    if not card.data:
        report.warnings.append("empty or missing yaml metadata in repo card")
    for rule in (*_COMMON_RULES, *_RULES[repo_type]):
        rule(card.data, report)
    del report.errors[_MAX_MESSAGES:], report.warnings[_MAX_MESSAGES:]
    return report


def _license(data: dict[str, JsonValue], report: CardReport) -> None:
    value = data.get("license")
    if value is None:
        return
    listed = value if isinstance(value, list) else [value]
    if not listed or any(not isinstance(item, str) or item not in LICENSES for item in listed):
        report.errors.append(_one_of("license", LICENSES))
    elif "other" in listed and not data.get("license_name"):
        report.warnings.append('"license_name" is missing: name the licence that "license: other" stands for')


def _texts(data: dict[str, JsonValue], report: CardReport) -> None:
    for key in ("license_name", "license_link", "library_name", "pipeline_tag", "thumbnail", "pretty_name"):
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            report.errors.append(f'"{key}" must be a string')


def _tags(data: dict[str, JsonValue], report: CardReport) -> None:
    value = data.get("tags")
    if value is None:
        return
    if not isinstance(value, list):
        report.errors.append('"tags" must be an array')
        return
    for index, item in enumerate(value):
        if not isinstance(item, str):
            report.errors.append(f'"tags[{index}]" must be a string')


def _string_lists(data: dict[str, JsonValue], report: CardReport) -> None:
    for key in ("language", "datasets", "base_model", "metrics"):
        value = data.get(key)
        listed = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(item, str) for item in listed):
            report.errors.append(f'"{key}" must be a string or an array of strings')


def _languages(data: dict[str, JsonValue], report: CardReport) -> None:
    for value in _strings(data.get("language")):
        if not _LANGUAGE.fullmatch(value):
            report.warnings.append(
                f'"language" with value "{_short(value)}" is not an ISO 639 code of two or three letters'
            )


def _base_model(data: dict[str, JsonValue], report: CardReport) -> None:
    for value in _strings(data.get("base_model")):
        if not _REPO_ID.fullmatch(value):
            report.warnings.append(f'"base_model" with value "{_short(value)}" is not the id of a model')
    relation = data.get("base_model_relation")
    if relation is not None and relation not in BASE_MODEL_RELATIONS:
        report.errors.append(_one_of("base_model_relation", sorted(BASE_MODEL_RELATIONS)))


def _task(data: dict[str, JsonValue], report: CardReport) -> None:
    value = data.get("pipeline_tag")
    if isinstance(value, str) and value not in TASKS:
        report.warnings.append(f'"pipeline_tag" with value "{_short(value)}" is not a known task')


def _model_index(data: dict[str, JsonValue], report: CardReport) -> None:
    index = data.get("model-index")
    if index is None:
        return
    if not isinstance(index, list):
        report.errors.append('"model-index" must be an array')
        return
    for number, entry in enumerate(index):
        if not isinstance(entry, dict) or not isinstance(entry.get("results", []), list):
            report.errors.append(f'"model-index[{number}]" must be an object with an array "results"')
        elif not isinstance(entry.get("name"), str):
            report.errors.append(f'"model-index[{number}].name" is required')


def _dataset_lists(data: dict[str, JsonValue], report: CardReport) -> None:
    for key in ("task_categories", "task_ids", "size_categories", "annotations_creators", "multilinguality"):
        value = data.get(key)
        listed = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(item, str) for item in listed):
            report.errors.append(f'"{key}" must be a string or an array of strings')
    for value in _strings(data.get("task_categories")):
        if value not in TASKS:
            report.warnings.append(f'"task_categories" with value "{_short(value)}" is not a known task')


def _space(data: dict[str, JsonValue], report: CardReport) -> None:
    for key, words in (("sdk", SPACE_SDKS), ("colorFrom", COLORS), ("colorTo", COLORS)):
        value = data.get(key)
        if value is not None and value not in words:
            report.errors.append(_one_of(key, words))


_COMMON_RULES: tuple[_Rule, ...] = (_license, _texts, _tags, _string_lists, _languages)
_RULES: dict[RepoType, tuple[_Rule, ...]] = {
    "model": (_base_model, _task, _model_index),
    "dataset": (_dataset_lists,),
    "space": (_space,),
}


def _one_of(key: str, words: Sequence[str]) -> str:
    return f'"{key}" must be one of [{", ".join(words)}]'


def _strings(value: JsonValue) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str)]


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."
