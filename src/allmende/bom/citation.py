"""How to cite a revision: as a CITATION.cff file (CFF 1.2.0), and as DataCite metadata (JSON, schema 4.5)."""

import re

import yaml

from allmende.bom.described import Described
from allmende.proof import JsonObject, JsonValue

__all__ = ["CFF_TYPE", "DATACITE_TYPE", "citation_cff", "datacite"]

CFF_TYPE = "application/yaml"
DATACITE_TYPE = "application/vnd.datacite.datacite+json"

_CFF_TYPES = {"dataset": "dataset"}
_GENERAL_TYPES = {"model": "Model", "dataset": "Dataset", "space": "Software"}
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/[^\s\"<>]{1,200})")
_MAX_KEYWORDS = 50


def citation_cff(found: Described) -> str:
    """The text of the file. The author is the namespace, unless the card names authors."""
    entities: list[JsonValue] = [{"name": name} for name in _authors(found)]
    said: dict[str, JsonValue] = {
        "cff-version": "1.2.0",
        "message": "Cite it with this metadata.",
        "title": found.full_name,
        "type": _CFF_TYPES.get(found.type, "software"),
        "authors": entities,
        "version": found.version,
        "date-released": found.released_at[:10],
    }
    if found.description:
        said["abstract"] = found.description
    if found.address is not None:
        said["url"] = found.address
    if found.record.subject.commit is not None:
        said["commit"] = found.record.subject.commit
    doi = _doi(found)
    if doi is not None:
        said["doi"] = doi
    licences = [one.spdx for one in found.licences if one.spdx]
    if licences and len(licences) == len(found.licences):
        said["license"] = licences[0] if len(licences) == 1 else list[JsonValue](licences)
    keywords = _keywords(found)
    if keywords:
        said["keywords"] = list[JsonValue](keywords)
    text: str = yaml.safe_dump(said, allow_unicode=True, sort_keys=True, width=100)
    return text


def datacite(found: Described) -> JsonObject:
    """The metadata that a DOI is registered with; identifiers are left out where there is none yet."""
    said: JsonObject = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {
            "resourceType": f"{found.type} repository",
            "resourceTypeGeneral": _GENERAL_TYPES[found.type],
        },
        "creators": [{"name": name, "nameType": "Organizational"} for name in _authors(found)],
        "titles": [{"title": found.full_name}],
        "publisher": {"name": _publisher(found)},
        "publicationYear": found.released_at[:4],
        "dates": [{"date": found.released_at, "dateType": "Issued"}],
        "version": found.version,
        "formats": _formats(found),
        "sizes": [f"{found.record.object('files').get('size_bytes', 0)} bytes"],
    }
    doi = _doi(found)
    if doi is not None:
        said["doi"] = doi
    if found.description:
        said["descriptions"] = [{"description": found.description, "descriptionType": "Abstract"}]
    keywords = _keywords(found)
    if keywords:
        said["subjects"] = [{"subject": keyword} for keyword in keywords]
    rights = [_right(one.spdx, one.link, one.word) for one in found.licences]
    if rights:
        said["rightsList"] = list[JsonValue](rights)
    related = _related(found)
    if related:
        said["relatedIdentifiers"] = related
    return said


def _authors(found: Described) -> list[str]:
    fields = found.record.object("card").get("fields")
    said = fields.get("authors") if isinstance(fields, dict) else None
    listed = said if isinstance(said, list) else [said]
    named = [name.strip() for name in listed if isinstance(name, str) and name.strip()]
    return named or [found.supplier or "unknown"]


def _doi(found: Described) -> str | None:
    match = _DOI.fullmatch((found.field("doi") or "").strip())
    return None if match is None else match[1]


def _keywords(found: Described) -> list[str]:
    tags = [tag for tag in found.record.list("tags") if isinstance(tag, str) and tag]
    return list(dict.fromkeys(tags))[:_MAX_KEYWORDS]


def _publisher(found: Described) -> str:
    hub = found.record.document.get("hub")
    return hub if isinstance(hub, str) else found.supplier or "unknown"


def _formats(found: Described) -> list[JsonValue]:
    formats = found.record.object("formats").get("formats")
    return list[JsonValue](sorted(formats)) if isinstance(formats, dict) else []


def _right(spdx: str | None, link: str | None, word: str) -> JsonObject:
    if spdx is None:
        return {"rights": word, **({"rightsUri": link} if link else {})}
    return {
        "rights": spdx,
        "rightsUri": f"https://spdx.org/licenses/{spdx}.html",
        "schemeUri": "https://spdx.org/licenses/",
        "rightsIdentifier": spdx,
        "rightsIdentifierScheme": "SPDX",
    }


def _related(found: Described) -> list[JsonValue]:
    rows: list[JsonValue] = []
    if found.address is not None and found.endpoint is not None:
        for ancestor in found.ancestors:
            rows.append(_relation(f"{found.endpoint}/{ancestor.name}", "URL", "IsDerivedFrom"))
        for dataset in found.datasets:
            if dataset.address is not None:
                rows.append(_relation(dataset.address, "URL", "References"))
    for paper in found.record.list("papers"):
        rows.append(_relation(f"arXiv:{paper}", "arXiv", "IsDescribedBy"))
    return rows


def _relation(identifier: str, kind: str, relation: str) -> JsonObject:
    return {
        "relatedIdentifier": identifier,
        "relatedIdentifierType": kind,
        "relationType": relation,
    }
