"""The record of a dataset as Croissant 1.1 metadata (JSON-LD): what it is, and each file with its SHA-256."""

from allmende.bom.described import Described
from allmende.bom.errors import NotForThisType
from allmende.proof import JsonObject, JsonValue

__all__ = ["CROISSANT_TYPE", "croissant"]

CROISSANT_TYPE = "application/ld+json"

_CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_CONTEXT: JsonObject = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "rai:dataBiases",
    "dataCollection": "rai:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "rai:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the norm asks for."""

_ENCODINGS = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/jsonlines",
    "ndjson": "application/jsonlines",
    "parquet": "application/x-parquet",
    "txt": "text/plain",
    "md": "text/markdown",
    "zip": "application/zip",
    "tar": "application/x-tar",
    "gz": "application/gzip",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "mp4": "video/mp4",
}
_UNKNOWN_ENCODING = "application/octet-stream"


def croissant(found: Described) -> JsonObject:
    """The metadata of a dataset. Raises NotForThisType for other repos: Croissant describes datasets."""
    if found.type != "dataset":
        raise NotForThisType(
            f"Croissant describes datasets, and this is a {found.type}.",
            hint="Ask for cyclonedx-1.6 or spdx-3.0.1.",
        )
    document: JsonObject = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": found.name,
        "description": found.description or f"The dataset {found.full_name}.",
        "url": found.address or f"urn:sha256:{found.record.subject.tree_hash or found.digest}",
        # A commit is no semantic version: what identifies the revision is the identifier.
        "version": "1.0.0",
        "identifier": found.version,
        "datePublished": found.released_at,
        "creator": {"@type": "sc:Organization", "name": found.supplier or "unknown"},
        "distribution": [_file(found, number, row) for number, row in enumerate(found.files(), 1)],
    }
    licences = [_licence(one.spdx, one.link, one.word) for one in found.licences]
    languages = [text for text in found.record.list("languages") if isinstance(text, str)]
    tags = [tag for tag in found.record.list("tags") if isinstance(tag, str)]
    for key, values in (("license", licences), ("inLanguage", languages), ("keywords", tags)):
        if values:
            document[key] = list[JsonValue](values)
    for key, section in (
        ("dataBiases", "limitations"),
        ("dataCollection", "training_data"),
        ("personalSensitiveInformation", "sensitive_data"),
        ("citeAs", "citation"),
    ):
        text = found.sections.get(section)
        if text:
            document[key] = text
    if "citeAs" not in document:
        document["citeAs"] = f"{found.full_name}, revision {found.version}"
    return document


def _file(found: Described, number: int, row: tuple[str, str, int]) -> JsonObject:
    path, digest, size_bytes = row
    ending = path.rpartition(".")[2].lower() if "." in path else ""
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{number}",
        "name": path,
        "contentUrl": found.file_address(path) or path,
        "contentSize": f"{size_bytes} B",
        "encodingFormat": _ENCODINGS.get(ending, _UNKNOWN_ENCODING),
        "sha256": digest,
    }


def _licence(spdx: str | None, link: str | None, word: str) -> str:
    return f"https://spdx.org/licenses/{spdx}.html" if spdx else link or word
