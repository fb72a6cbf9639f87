"""A record as a CycloneDX machine-learning bill of materials, in JSON, after the schemas of 1.6 and 1.7.

What CycloneDX has no field for stands in properties: `allmende:*` says where each fact comes from and how
ancestors were told, `genai:aibom:modelcard:*` gives the measures under the names of the OWASP GenAI project.
"""

from collections.abc import Iterator
from typing import Literal

from allmende.bom.described import Ancestor, Described, Licence
from allmende.bom.words import fact_properties, hyperparameter_texts, scalar_text
from allmende.proof import JsonObject, JsonValue

__all__ = ["CYCLONEDX_TYPE", "SpecVersion", "cyclonedx"]

CYCLONEDX_TYPE = "application/vnd.cyclonedx+json"

SpecVersion = Literal["1.6", "1.7"]

_COMPONENT_TYPES = {"model": "machine-learning-model", "dataset": "data", "space": "application"}
_TRAINING = {"pre-training": "training", "fine-tuning": "fine-tuning"}
_NOT_IN_ADDRESSES = frozenset(' <>"{}|\\^`')
_WH_PER_KWH = 1000
_GRAMS_PER_TONNE = 1_000_000


def cyclonedx(found: Described, spec_version: SpecVersion = "1.6") -> JsonObject:
    """The bill of materials of a record."""
    main = _main(found)
    datasets = _dataset_components(found)
    document: JsonObject = {
        "$schema": f"http://cyclonedx.org/schema/bom-{spec_version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": spec_version,
        "serialNumber": f"urn:uuid:{found.uuid(f'cyclonedx-{spec_version}')}",
        "version": _version(found),
        "metadata": {
            "timestamp": found.made_at,
            "tools": {"components": [_tool(found)]},
            "component": main,
            **({"supplier": {"name": found.supplier}} if found.supplier else {}),
            "properties": _document_properties(found),
        },
        "components": datasets,
        "dependencies": _dependencies(found, str(main["bom-ref"]), datasets),
    }
    return document


# --- the component ---------------------------------------------------------------------------------------


def _main(found: Described) -> JsonObject:
    main: JsonObject = {
        "type": _COMPONENT_TYPES[found.type],
        "bom-ref": _ref(found),
        "name": found.name,
        "version": found.version,
    }
    if found.namespace:
        main |= {
            "group": found.namespace,
            "publisher": found.namespace,
            "supplier": {"name": found.namespace},
        }
    for key, value in (("description", found.description), ("purl", found.purl)):
        if value:
            main[key] = value
    tags = [tag for tag in found.record.list("tags") if isinstance(tag, str)]
    if tags:
        main["tags"] = list[JsonValue](tags)
    licences = [_licence(one) for one in found.licences]
    if licences:
        main["licenses"] = list[JsonValue](licences)
    references = list(_references(found))
    if references:
        main["externalReferences"] = list[JsonValue](references)
    pedigree = _pedigree(found)
    if pedigree:
        main["pedigree"] = pedigree
    files = list(_files(found))
    if files:
        main["components"] = list[JsonValue](files)
    if found.type == "model":
        main["modelCard"] = _model_card(found)
    elif found.type == "dataset":
        main["data"] = [_data(found)]
    main["properties"] = fact_properties(found.record)
    return main


def _ref(found: Described) -> str:
    return found.purl or f"{found.type}/{found.full_name}@{found.version}"


def _version(found: Described) -> int:
    version = found.record.document.get("version")
    return version if isinstance(version, int) and version >= 1 else 1


def _tool(found: Described) -> JsonObject:
    tool = found.record.document.get("tool")
    said = tool if isinstance(tool, dict) else {}
    return {
        "type": "application",
        "name": str(said.get("name", "allmende")),
        "version": str(said.get("version", "")),
    }


def _licence(licence: Licence) -> JsonObject:
    said: JsonObject = {"id": licence.spdx} if licence.spdx else {"name": _licence_name(licence)}
    if licence.link and not licence.spdx and licence.link.startswith(("https://", "http://")):
        said["url"] = licence.link
    return {"license": {**said, "acknowledgement": "declared"}}


def _licence_name(licence: Licence) -> str:
    return licence.name if licence.word == "other" and licence.name else licence.word


def _references(found: Described) -> Iterator[JsonObject]:
    if found.address is not None and found.endpoint is not None:
        api = f"{found.endpoint}/api/allmende/v1/{found.type}s/{found.full_name}"
        yield _reference("website", found.address)
        yield _reference("distribution", f"{found.address}/tree/{found.version}")
        yield _reference("vcs", found.address)
        yield _reference("attestation", f"{api}/record/{found.version}?envelope=1")
        if any(path == "README.md" for path, _sha256, _size in found.files()):
            yield _reference("model-card", f"{found.address}/blob/{found.version}/README.md")
    for paper in found.record.list("papers"):
        yield _reference("documentation", f"https://arxiv.org/abs/{paper}")
    for field, kind in (
        ("homepage", "website"),
        ("repository", "source-distribution"),
        ("paper", "documentation"),
    ):
        address = found.field(field)
        if address is not None and _is_address(address):
            yield _reference(kind, address)


def _is_address(text: str) -> bool:
    known = text.startswith(("https://", "http://")) and text.isascii() and text.isprintable()
    return known and not set(text) & _NOT_IN_ADDRESSES


def _reference(kind: str, address: str) -> JsonObject:
    return {"type": kind, "url": address}


def _files(found: Described) -> Iterator[JsonObject]:
    for path, digest, size_bytes in found.files():
        yield {
            "type": "file",
            "bom-ref": f"{_ref(found)}#{path}",
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "properties": [{"name": "allmende:size_bytes", "value": str(size_bytes)}],
        }


# --- kin and data ----------------------------------------------------------------------------------------


def _pedigree(found: Described) -> JsonObject:
    pedigree: JsonObject = {}
    ancestors = [_ancestor(one) for one in found.ancestors]
    if ancestors:
        pedigree["ancestors"] = list[JsonValue](ancestors)
    if found.record.subject.commit is not None and found.address is not None:
        commit = found.record.subject.commit
        pedigree["commits"] = [{"uid": commit, "url": f"{found.address}/commit/{commit}"}]
    notes = " ".join(_notes(found))
    if notes:
        pedigree["notes"] = notes
    return pedigree


def _ancestor(ancestor: Ancestor) -> JsonObject:
    namespace, _, name = ancestor.name.rpartition("/")
    rows = [("relation", ancestor.relation), ("grade", ancestor.grade), ("source", ancestor.source)]
    rows += [("direction", ancestor.direction)] if ancestor.direction else []
    rows += [("weight", scalar_text(ancestor.weight))] if ancestor.weight is not None else []
    found: JsonObject = {
        "type": "machine-learning-model",
        "bom-ref": ancestor_ref(ancestor),
        "name": name,
        "properties": [{"name": f"allmende:lineage:{key}", "value": text} for key, text in rows],
    }
    for key, value in (("group", namespace), ("version", ancestor.revision), ("purl", ancestor.purl)):
        if value:
            found[key] = value
    return found


def ancestor_ref(ancestor: Ancestor) -> str:
    """The reference of an ancestor within the document."""
    revision = f"@{ancestor.revision}" if ancestor.revision else ""
    return f"ancestor/{ancestor.name}{revision}"


def _notes(found: Described) -> Iterator[str]:
    """What the weights say against what is declared, in words."""
    measured = [one for one in found.ancestors if one.source == "measured" and one.revision]
    if measured:
        yield "The ancestors were measured from the weights."
    for claim in found.record.list("declared_bases"):
        if isinstance(claim, dict) and claim.get("status") == "contradicted":
            name, code = claim.get("name"), claim.get("code")
            yield f"The declared base {name} is contradicted by the weights ({code})."


def _dataset_components(found: Described) -> list[JsonValue]:
    rows: list[JsonValue] = []
    for dataset in found.datasets:
        row: JsonObject = {
            "type": "data",
            "bom-ref": f"dataset/{dataset.name}",
            "name": dataset.name,
            "data": [{"type": "dataset", "name": dataset.name}],
        }
        if dataset.address is not None:
            row["externalReferences"] = [_reference("website", dataset.address)]
        rows.append(row)
    return rows


def _dependencies(found: Described, main: str, datasets: list[JsonValue]) -> list[JsonValue]:
    refs = [ancestor_ref(one) for one in found.ancestors]
    refs += [str(row["bom-ref"]) for row in datasets if isinstance(row, dict)]
    rows: list[JsonValue] = [{"ref": main, **({"dependsOn": list[JsonValue](refs)} if refs else {})}]
    return rows + [{"ref": ref} for ref in refs]


def _data(found: Described) -> JsonObject:
    row: JsonObject = {"type": "dataset", "name": found.full_name}
    if found.description:
        row["description"] = found.description
    if found.address is not None:
        row["contents"] = {"url": found.address}
    sensitive = found.sections.get("sensitive_data")
    if sensitive:
        row["sensitiveData"] = [sensitive]
    return row


# --- the model card --------------------------------------------------------------------------------------


def _model_card(found: Described) -> JsonObject:
    card: JsonObject = {}
    for key, part in (
        ("modelParameters", _parameters(found)),
        ("quantitativeAnalysis", _analysis(found)),
        ("considerations", _considerations(found)),
    ):
        if part:
            card[key] = part
    properties = list(_card_properties(found))
    if properties:
        card["properties"] = list[JsonValue](properties)
    return card


def _parameters(found: Described) -> JsonObject:
    said: JsonObject = {}
    task = found.record.text("task")
    if task:
        said["task"] = task
    architecture = found.record.object("architecture")
    family = architecture.get("model_type")
    listed = architecture.get("architectures")
    if isinstance(family, str):
        said["architectureFamily"] = family
    if isinstance(listed, list) and listed and isinstance(listed[0], str):
        said["modelArchitecture"] = listed[0]
    if found.datasets:
        said["datasets"] = [{"ref": f"dataset/{dataset.name}"} for dataset in found.datasets]
    return said


def _analysis(found: Described) -> JsonObject:
    metrics: list[JsonValue] = []
    for row in found.record.list("evaluations"):
        if not isinstance(row, dict):
            continue
        metric: JsonObject = {"type": str(row.get("metric") or "unknown")}
        if row.get("value") is not None:
            metric["value"] = scalar_text(row["value"])
        if row.get("dataset"):
            metric["slice"] = str(row["dataset"])
        metrics.append(metric)
    return {"performanceMetrics": metrics} if metrics else {}


def _considerations(found: Described) -> JsonObject:
    said: JsonObject = {}
    for key, section in (("useCases", "intended_use"), ("technicalLimitations", "limitations")):
        text = found.sections.get(section)
        if text:
            said[key] = [text]
    ethics = found.sections.get("ethics")
    if ethics:
        said["ethicalConsiderations"] = [{"name": ethics}]
    energy = _energy(found)
    if energy:
        said["environmentalConsiderations"] = {"energyConsumptions": [energy]}
    return said


def _energy(found: Described) -> JsonObject:
    """Energy of the training in kWh, the upper end of what is known: emissions alone are no energy."""
    high = found.record.object("energy").get("energy_wh_high")
    if not isinstance(high, int | float):
        return {}
    emissions = found.record.object("emissions")
    kwh = high / _WH_PER_KWH
    said: JsonObject = {
        "activity": _TRAINING.get(str(emissions.get("training_type")), "training"),
        "energyProviders": [
            {
                "organization": {"name": "unknown"},
                "energySource": "unknown",
                "energyProvided": {"value": kwh, "unit": "kWh"},
            }
        ],
        "activityEnergyCost": {"value": kwh, "unit": "kWh"},
    }
    grams = emissions.get("co2e_g")
    if isinstance(grams, int | float):
        said["co2CostEquivalent"] = {"value": grams / _GRAMS_PER_TONNE, "unit": "tCO2eq"}
    return said


def _card_properties(found: Described) -> Iterator[JsonObject]:
    measures = list(hyperparameter_texts(found.record))
    prefix = "genai:aibom:modelcard:"
    if measures:
        text = ", ".join(f"{name}={value}" for name, value in measures)
        yield {"name": f"{prefix}hyperparameter", "value": text}
    for name, value in measures:
        yield {"name": f"{prefix}{name}", "value": value}
    explained = found.sections.get("explainability")
    if explained:
        yield {"name": f"{prefix}modelCardExplainability", "value": explained}


def _document_properties(found: Described) -> list[JsonValue]:
    """What the yardstick of the OWASP GenAI project looks for among the properties of a document."""
    emissions = found.record.object("emissions")
    energy = found.record.object("energy").get("energy_wh_high")
    rows: list[tuple[str, str | None]] = [
        ("domain", found.record.text("task")),
        ("informationAboutTraining", found.sections.get("training") or found.sections.get("training_data")),
        ("informationAboutApplication", found.sections.get("intended_use")),
        ("modelDataPreprocessing", found.sections.get("preprocessing")),
        ("safetyRiskAssessment", found.sections.get("safety")),
        ("useSensitivePersonalInformation", found.sections.get("sensitive_data")),
        ("energyConsumption", found.sections.get("environment")),
        ("metric", _metric_text(found)),
    ]
    if isinstance(energy, int | float):
        rows += [("energyQuantity", scalar_text(energy / _WH_PER_KWH)), ("energyUnit", "kilowattHour")]
    if emissions and not found.sections.get("environment"):
        rows.append(("energyConsumption", f"{scalar_text(emissions.get('co2e_g'))} g CO2e, as declared"))
    return [{"name": name, "value": text} for name, text in rows if text]


def _metric_text(found: Described) -> str | None:
    rows = [
        f"{row.get('metric')} on {row.get('dataset')}: {scalar_text(row.get('value'))}"
        for row in found.record.list("evaluations")
        if isinstance(row, dict)
    ]
    return "; ".join(rows) or None
