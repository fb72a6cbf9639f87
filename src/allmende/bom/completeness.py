"""How complete a CycloneDX document is, by the 48 fields that the AIBOM generator of OWASP looks at.

Fields, weights and categories are those of its field registry (GenAI-Security-Project/aibom-generator,
`src/models/field_registry.json`); where its paths do not fit the norm, the place is taken that the norm has
for the same thing. A field counts when something stands there, whoever says it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from allmende.proof import JsonObject, JsonValue

__all__ = ["YARDSTICK", "Completeness", "Field", "completeness"]

Category = Literal[
    "required_fields", "metadata", "component_basic", "component_model_card", "external_references"
]

_CATEGORY_WEIGHTS: dict[Category, int] = {
    "required_fields": 20,
    "metadata": 20,
    "component_basic": 20,
    "component_model_card": 30,
    "external_references": 10,
}
_MODEL_CARD = "genai:aibom:modelcard:"


@dataclass(frozen=True, slots=True)
class Field:
    """One of the 48: its name in the registry, what it weighs, and where it stands."""

    name: str
    category: Category
    weight: float
    find: Callable[[JsonObject], JsonValue]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Which fields a document has. `score` is of 100, by the registry's weights and categories."""

    present: tuple[str, ...]
    missing: tuple[str, ...]
    score: float

    @property
    def share(self) -> float:
        """Of all fields, how many are there, from 0 to 1."""
        return len(self.present) / (len(self.present) + len(self.missing))


def completeness(document: JsonObject) -> Completeness:
    """Look for each field in a CycloneDX document."""
    found = {field.name: _says(field.find(document)) for field in YARDSTICK}
    score = 0.0
    for category, weight in _CATEGORY_WEIGHTS.items():
        fields = [field for field in YARDSTICK if field.category == category]
        reached = sum(field.weight for field in fields if found[field.name])
        score += weight * reached / sum(field.weight for field in fields)
    return Completeness(
        tuple(name for name, there in found.items() if there),
        tuple(name for name, there in found.items() if not there),
        round(score, 1),
    )


def _says(value: JsonValue) -> bool:
    return value not in (None, "", [], {})


def _at(*path: str) -> Callable[[JsonObject], JsonValue]:
    def find(document: JsonObject) -> JsonValue:
        value: JsonValue = document
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    return find


def _main(*path: str) -> Callable[[JsonObject], JsonValue]:
    return _at("metadata", "component", *path)


def _card(*path: str) -> Callable[[JsonObject], JsonValue]:
    return _main("modelCard", *path)


def _rows(value: JsonValue) -> Iterator[JsonObject]:
    yield from (row for row in (value if isinstance(value, list) else ()) if isinstance(row, dict))


def _property(name: str) -> Callable[[JsonObject], JsonValue]:
    """The value of a property of the document or of its model card."""

    def find(document: JsonObject) -> JsonValue:
        for place in (_at("metadata", "properties"), _card("properties")):
            for row in _rows(place(document)):
                if row.get("name") in (name, f"{_MODEL_CARD}{name}"):
                    return row.get("value")
        return None

    return find


def _reference(*kinds: str) -> Callable[[JsonObject], JsonValue]:
    def find(document: JsonObject) -> JsonValue:
        rows = _rows(_main("externalReferences")(document))
        return next((row.get("url") for row in rows if row.get("type") in kinds), None)

    return find


def _either(*places: Callable[[JsonObject], JsonValue]) -> Callable[[JsonObject], JsonValue]:
    def find(document: JsonObject) -> JsonValue:
        return next((value for place in places if _says(value := place(document))), None)

    return find


_CONSIDERED = ("considerations",)
_ENERGY = _card("considerations", "environmentalConsiderations", "energyConsumptions")

YARDSTICK: tuple[Field, ...] = (
    Field("bomFormat", "required_fields", 4, _at("bomFormat")),
    Field("specVersion", "required_fields", 4, _at("specVersion")),
    Field("serialNumber", "required_fields", 4, _at("serialNumber")),
    Field("version", "required_fields", 4, _at("version")),
    Field("primaryPurpose", "metadata", 4, _card("modelParameters", "task")),
    Field("suppliedBy", "metadata", 4, _main("supplier", "name")),
    Field("standardCompliance", "metadata", 1, _property("standardCompliance")),
    Field("domain", "metadata", 1, _property("domain")),
    Field("autonomyType", "metadata", 1, _property("autonomyType")),
    Field("name", "component_basic", 4, _main("name")),
    Field("type", "component_basic", 4, _main("type")),
    Field("component_version", "component_basic", 4, _main("version")),
    Field("purl", "component_basic", 3, _main("purl")),
    Field("description", "component_basic", 3, _main("description")),
    Field("licenses", "component_basic", 3, _main("licenses")),
    Field("external_references", "component_basic", 1, _main("externalReferences")),
    Field("datasets", "component_model_card", 3, _card("modelParameters", "datasets")),
    Field("ethicalConsiderations", "component_model_card", 2, _card(*_CONSIDERED, "ethicalConsiderations")),
    Field("energyConsumption", "component_model_card", 2, _either(_ENERGY, _property("energyConsumption"))),
    Field("hyperparameter", "component_model_card", 2, _property("hyperparameter")),
    Field("technicalLimitations", "component_model_card", 2, _card(*_CONSIDERED, "technicalLimitations")),
    Field("safetyRiskAssessment", "component_model_card", 2, _property("safetyRiskAssessment")),
    Field("intendedUse", "component_model_card", 2, _card(*_CONSIDERED, "useCases")),
    Field(
        "typeOfModel",
        "component_model_card",
        2,
        _either(
            _card("modelParameters", "modelArchitecture"), _card("modelParameters", "architectureFamily")
        ),
    ),
    Field("modelExplainability", "component_model_card", 1, _property("modelCardExplainability")),
    Field("energyQuantity", "component_model_card", 1, _either(_ENERGY, _property("energyQuantity"))),
    Field("energyUnit", "component_model_card", 1, _either(_ENERGY, _property("energyUnit"))),
    Field("informationAboutTraining", "component_model_card", 1, _property("informationAboutTraining")),
    Field("informationAboutApplication", "component_model_card", 1, _property("informationAboutApplication")),
    Field(
        "metric",
        "component_model_card",
        1,
        _either(_card("quantitativeAnalysis", "performanceMetrics"), _property("metric")),
    ),
    Field("metricDecisionThreshold", "component_model_card", 1, _property("metricDecisionThreshold")),
    Field("modelDataPreprocessing", "component_model_card", 1, _property("modelDataPreprocessing")),
    Field(
        "useSensitivePersonalInformation",
        "component_model_card",
        1,
        _property("useSensitivePersonalInformation"),
    ),
    Field("vocab_size", "component_model_card", 1, _property("vocabSize")),
    Field("tokenizer_class", "component_model_card", 1, _property("tokenizerClass")),
    Field("context_length", "component_model_card", 1, _property("contextLength")),
    Field("embedding_length", "component_model_card", 1, _property("embeddingLength")),
    Field("block_count", "component_model_card", 1, _property("blockCount")),
    Field("attention_head_count", "component_model_card", 1, _property("attentionHeadCount")),
    Field("attention_head_count_kv", "component_model_card", 1, _property("attentionHeadCountKV")),
    Field("feed_forward_length", "component_model_card", 1, _property("feedForwardLength")),
    Field("rope_dimension_count", "component_model_card", 1, _property("ropeDimensionCount")),
    Field("quantization_version", "component_model_card", 1, _property("quantizationVersion")),
    Field("quantization_file_type", "component_model_card", 1, _property("quantizationFileType")),
    Field("downloadLocation", "external_references", 3, _reference("distribution", "website")),
    Field("vcs", "external_references", 4, _reference("vcs")),
    Field("website", "external_references", 4, _reference("website")),
    Field("paper", "external_references", 2, _reference("documentation")),
)
"""The fields, in the order of their categories."""
