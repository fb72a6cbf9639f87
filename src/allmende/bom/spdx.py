"""A record as an SPDX 3.0.1 document in JSON-LD, with the AI and Dataset profiles.

Every element has an id of the form `urn:uuid:<of the document>#<part>`, so the same record gives the same
bytes. What must be said and is not known is said as far as SPDX lets one say it.
"""

import re
from collections.abc import Iterable, Iterator

from allmende.bom.described import Ancestor, Described
from allmende.bom.words import hyperparameter_texts, scalar_text
from allmende.proof import JsonObject, JsonValue

__all__ = ["SPDX_TYPE", "spdx"]

SPDX_TYPE = "application/spdx+json"

_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_SPEC_VERSION = "3.0.1"
_INFO = "_:creation"
_WH_PER_KWH = 1000
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.-]+")
_PURPOSES = {"model": "model", "dataset": "data", "space": "application"}


def spdx(found: Described) -> JsonObject:
    """The document of a record."""
    graph: list[JsonValue] = list(_Writer(found).elements())
    return {"@context": _CONTEXT, "@graph": graph}


class _Writer:
    """Writes the elements of one document."""

    def __init__(self, found: Described) -> None:
        self._found = found
        self._base = f"urn:uuid:{found.uuid('spdx-3.0.1')}"
        self._relationships = 0

    def elements(self) -> Iterator[JsonObject]:
        main, supplier = self._id("package"), self._id("supplier")
        body = [
            self._agent(supplier),
            self._package(main, supplier),
            *self._licences(main),
            *self._ancestors(main),
            *self._datasets(main),
            *self._files(main),
        ]
        yield {
            "type": "CreationInfo",
            "@id": _INFO,
            "specVersion": _SPEC_VERSION,
            "created": self._found.made_at,
            "createdBy": [self._id("hub")],
            "createdUsing": [self._id("tool")],
        }
        tool = self._found.record.document.get("tool")
        said = tool if isinstance(tool, dict) else {}
        name = f"{said.get('name', 'allmende')} {said.get('version', '')}".strip()
        hub = self._found.record.document.get("hub")
        yield self._element("SoftwareAgent", self._id("hub"), name=str(hub) if hub else "a folder, offline")
        yield self._element("Tool", self._id("tool"), name=name)
        yield from body
        listed = [str(element["spdxId"]) for element in body]
        yield self._element(
            "software_Sbom",
            self._id("sbom"),
            rootElement=[main],
            element=list[JsonValue](listed),
            software_sbomType=["analyzed"],
        )
        yield self._element(
            "SpdxDocument",
            self._id("document"),
            name=f"{self._found.full_name} {self._found.version}",
            profileConformance=list[JsonValue](self._profiles()),
            rootElement=[self._id("sbom")],
            element=[self._id("sbom"), *listed, self._id("hub"), self._id("tool")],
        )

    # --- elements ------------------------------------------------------------------------------------

    def _id(self, part: str) -> str:
        return f"{self._base}#{_NOT_IN_ID.sub('-', part)}"

    def _element(self, kind: str, element_id: str, **properties: JsonValue) -> JsonObject:
        return {"type": kind, "spdxId": element_id, "creationInfo": _INFO, **properties}

    def _profiles(self) -> list[str]:
        special = {"model": ["ai"], "dataset": ["dataset"]}.get(self._found.type, [])
        return ["core", "software", "simpleLicensing", *special]

    def _agent(self, supplier: str) -> JsonObject:
        # Whether a namespace is a person or an organisation is not for a document to tell.
        return self._element("Agent", supplier, name=self._found.supplier or "unknown")

    def _package(self, main: str, supplier: str) -> JsonObject:
        found = self._found
        kinds = {"model": "ai_AIPackage", "dataset": "dataset_DatasetPackage"}
        properties: JsonObject = {
            "name": found.full_name,
            "software_packageVersion": found.version,
            "software_primaryPurpose": _PURPOSES[found.type],
            "software_downloadLocation": self._location(),
            "releaseTime": found.released_at,
            "suppliedBy": supplier,
        }
        for key, value in (
            ("summary", found.description),
            ("software_packageUrl", found.purl),
            ("software_homePage", found.address),
        ):
            if value:
                properties[key] = value
        if found.record.subject.commit is not None:
            properties["externalIdentifier"] = [
                {
                    "type": "ExternalIdentifier",
                    "externalIdentifierType": "gitoid",
                    "identifier": f"gitoid:commit:sha1:{found.record.subject.commit}",
                }
            ]
        if found.type == "model":
            properties |= self._of_model()
        elif found.type == "dataset":
            properties |= self._of_dataset(supplier)
        return self._element(kinds.get(found.type, "software_Package"), main, **properties)

    def _location(self) -> str:
        if self._found.address is not None:
            return f"{self._found.address}/tree/{self._found.version}"
        return f"urn:sha256:{self._found.record.subject.tree_hash or self._found.digest}"

    def _of_model(self) -> JsonObject:
        found = self._found
        architecture = found.record.object("architecture")
        listed = architecture.get("architectures")
        kinds = [architecture.get("model_type"), *(listed if isinstance(listed, list) else [])]
        said: JsonObject = {}
        for key, texts in (
            ("ai_typeOfModel", kinds),
            ("ai_domain", [found.record.text("task")]),
            ("ai_modelExplainability", [found.sections.get("explainability")]),
            ("ai_modelDataPreprocessing", [found.sections.get("preprocessing")]),
        ):
            known = list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
            if known:
                said[key] = list[JsonValue](known)
        for key, text in (
            ("ai_limitation", found.sections.get("limitations")),
            (
                "ai_informationAboutTraining",
                found.sections.get("training") or found.sections.get("training_data"),
            ),
            ("ai_informationAboutApplication", found.sections.get("intended_use")),
        ):
            if text:
                said[key] = text
        measures = [_entry(name, text) for name, text in hyperparameter_texts(found.record)]
        if measures:
            said["ai_hyperparameter"] = list[JsonValue](measures)
        metrics = [
            _entry(f"{row.get('metric')} on {row.get('dataset')}", scalar_text(row.get("value")))
            for row in found.record.list("evaluations")
            if isinstance(row, dict)
        ]
        if metrics:
            said["ai_metric"] = list[JsonValue](metrics)
        return said | self._energy()

    def _energy(self) -> JsonObject:
        high = self._found.record.object("energy").get("energy_wh_high")
        if not isinstance(high, int | float):
            return {}
        training = self._found.record.object("emissions").get("training_type")
        key = (
            "ai_finetuningEnergyConsumption" if training == "fine-tuning" else "ai_trainingEnergyConsumption"
        )
        cost: JsonObject = {
            "type": "ai_EnergyConsumptionDescription",
            "ai_energyQuantity": high / _WH_PER_KWH,
            "ai_energyUnit": "kilowattHour",
        }
        return {"ai_energyConsumption": {"type": "ai_EnergyConsumption", key: [cost]}}

    def _of_dataset(self, supplier: str) -> JsonObject:
        found = self._found
        said: JsonObject = {
            "dataset_datasetType": ["noAssertion"],
            "builtTime": found.released_at,
            "originatedBy": [supplier],
        }
        for key, section in (
            ("dataset_intendedUse", "intended_use"),
            ("dataset_dataCollectionProcess", "training_data"),
        ):
            text = found.sections.get(section)
            if text:
                said[key] = text
        for key, section in (
            ("dataset_knownBias", "limitations"),
            ("dataset_dataPreprocessing", "preprocessing"),
        ):
            text = found.sections.get(section)
            if text:
                said[key] = [text]
        said["dataset_datasetSize"] = sum(size for _path, _sha256, size in found.files())
        return said

    # --- relationships -------------------------------------------------------------------------------

    def _relationship(self, kind: str, source: str, targets: Iterable[str], *, complete: bool) -> JsonObject:
        self._relationships += 1
        related = self._element("Relationship", self._id(f"relationship-{self._relationships}"))
        return {
            **related,
            "from": source,
            "to": list[JsonValue](targets),
            "relationshipType": kind,
            "completeness": "complete" if complete else "noAssertion",
        }

    def _licences(self, main: str) -> Iterator[JsonObject]:
        for number, licence in enumerate(self._found.licences, 1):
            expression = (
                licence.spdx or f"LicenseRef-{_NOT_IN_ID.sub('-', licence.word).strip('-') or 'unknown'}"
            )
            licence_id = self._id(f"licence-{number}")
            yield self._element(
                "simplelicensing_LicenseExpression", licence_id, simplelicensing_licenseExpression=expression
            )
            yield self._relationship("hasDeclaredLicense", main, [licence_id], complete=True)

    def _ancestors(self, main: str) -> Iterator[JsonObject]:
        """A relationship for each ancestor: its comment says how it was told."""
        for number, ancestor in enumerate(self._found.ancestors, 1):
            ancestor_id = self._id(f"ancestor-{number}")
            yield self._other(ancestor_id, ancestor.name, "model", ancestor.revision, ancestor.purl)
            related = self._relationship("descendantOf", main, [ancestor_id], complete=False)
            yield {**related, "comment": _how(ancestor)}

    def _datasets(self, main: str) -> Iterator[JsonObject]:
        ids = []
        for number, dataset in enumerate(self._found.datasets, 1):
            ids.append(self._id(f"dataset-{number}"))
            element = self._other(ids[-1], dataset.name, "data", None, None)
            if dataset.address is not None:
                element["software_homePage"] = dataset.address
            yield element
        if ids:
            yield self._relationship("trainedOn", main, ids, complete=False)

    def _other(
        self, element_id: str, name: str, purpose: str, version: str | None, purl: str | None
    ) -> JsonObject:
        found = self._element("software_Package", element_id, name=name, software_primaryPurpose=purpose)
        for key, value in (("software_packageVersion", version), ("software_packageUrl", purl)):
            if value:
                found[key] = value
        return found

    def _files(self, main: str) -> Iterator[JsonObject]:
        ids = []
        for number, (path, digest, _size) in enumerate(self._found.files(), 1):
            ids.append(self._id(f"file-{number}"))
            hashed: JsonObject = {"type": "Hash", "algorithm": "sha256", "hashValue": digest}
            yield self._element("software_File", ids[-1], name=path, verifiedUsing=[hashed])
        if ids:
            complete = self._found.record.object("files").get("complete") is True
            yield self._relationship("contains", main, ids, complete=complete)


def _entry(key: str, value: str) -> JsonObject:
    return {"type": "DictionaryEntry", "key": key, "value": value}


def _how(ancestor: Ancestor) -> str:
    weight = "" if ancestor.weight is None else f", weight {scalar_text(ancestor.weight)}"
    return f"{ancestor.relation}, {ancestor.grade}, {ancestor.source}{weight}"
