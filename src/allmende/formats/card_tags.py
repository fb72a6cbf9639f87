"""The tags that a card gives its repo, in the forms that Hub clients search for."""

import re
from collections.abc import Iterator

from allmende.formats.hub_vocabulary import BASE_MODEL_RELATIONS
from allmende.formats.strict_json import JsonValue
from allmende.ids import RepoType

__all__ = ["arxiv_ids", "library_of", "pipeline_tag_of", "tags_of"]

_MAX_TAGS = 512
_MAX_TAG_CHARS = 256
_MAX_BODY_CHARS = 1024 * 1024
_MAX_ARXIV = 100
_ARXIV = re.compile(r"(?:arxiv\.org/(?:abs|pdf|html)/|arxiv:\s{0,2})(\d{4}\.\d{4,5})(?!\d)", re.IGNORECASE)

# Card key → prefix of the tag; None for the bare value.
_MODEL_KEYS: tuple[tuple[str, str | None], ...] = (
    ("library_name", None),
    ("tags", None),
    ("pipeline_tag", None),
    ("language", None),
    ("datasets", "dataset"),
)
_DATASET_KEYS: tuple[tuple[str, str | None], ...] = tuple(
    (key, key)
    for key in (
        "task_categories",
        "task_ids",
        "annotations_creators",
        "language_creators",
        "multilinguality",
        "source_datasets",
        "language",
        "license",
        "size_categories",
    )
)
_SPACE_KEYS: tuple[tuple[str, str | None], ...] = (("sdk", None), ("tags", None))


def tags_of(data: dict[str, JsonValue], repo_type: RepoType, body: str = "") -> list[str]:
    """The tags of a repo with this card, without repetition, in a fixed order.

    Values that are not texts give none. arXiv ids are taken from `body`, the text of the card.
    """
    tags: dict[str, None] = {}
    for tag in _tags(data, repo_type, body):
        if len(tags) >= _MAX_TAGS:
            break
        if tag and len(tag) <= _MAX_TAG_CHARS and tag.isprintable():
            tags.setdefault(tag)
    return list(tags)


def pipeline_tag_of(data: dict[str, JsonValue]) -> str | None:
    """The task that the card names."""
    return _one(data.get("pipeline_tag"))


def library_of(data: dict[str, JsonValue]) -> str | None:
    """The library that the card names."""
    return _one(data.get("library_name"))


def arxiv_ids(body: str) -> list[str]:
    """The ids of the papers that a text points to, in the order of their first mention."""
    found: dict[str, None] = {}
    for match in _ARXIV.finditer(body, 0, _MAX_BODY_CHARS):
        found.setdefault(match[1])
        if len(found) == _MAX_ARXIV:
            break
    return list(found)


def _tags(data: dict[str, JsonValue], repo_type: RepoType, body: str) -> Iterator[str]:
    if repo_type == "dataset":
        yield from _from_keys(data, _DATASET_KEYS)
        yield from (f"arxiv:{paper}" for paper in arxiv_ids(body))
        yield from _texts(data.get("tags"))
        return
    yield from _from_keys(data, _MODEL_KEYS if repo_type == "model" else _SPACE_KEYS)
    yield from (f"arxiv:{paper}" for paper in arxiv_ids(body))
    if repo_type == "model":
        yield from _base_models(data)
    yield from (f"license:{name}" for name in _texts(data.get("license")))


def _from_keys(data: dict[str, JsonValue], keys: tuple[tuple[str, str | None], ...]) -> Iterator[str]:
    for key, prefix in keys:
        for text in _texts(data.get(key)):
            yield text if prefix is None else f"{prefix}:{text}"


def _base_models(data: dict[str, JsonValue]) -> Iterator[str]:
    bases = _texts(data.get("base_model"))
    relation = data.get("base_model_relation")
    yield from (f"base_model:{base}" for base in bases)
    if isinstance(relation, str) and relation in BASE_MODEL_RELATIONS:
        yield from (f"base_model:{relation}:{base}" for base in bases)


def _texts(value: JsonValue) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item.strip() for item in listed if isinstance(item, str)]


def _one(value: JsonValue) -> str | None:
    sound = isinstance(value, str) and 0 < len(value) <= _MAX_TAG_CHARS and value.isprintable()
    return value if sound and isinstance(value, str) else None
