"""Bills of materials that publishers put beside their files, held against what is measured.

What is read of a document is what can be checked: hashes of files, licences and ancestors. It is never
believed: each claim agrees with the record, contradicts it, or nothing here can support it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from allmende.bom.errors import MalformedBom
from allmende.formats import JsonObject, JsonValue, MalformedJson, read_json_object
from allmende.record import Record, spdx_id

__all__ = ["MAX_BOM_BYTES", "Claims", "compare_boms", "is_bom_path", "read_bom"]

MAX_BOM_BYTES = 8 * 1024 * 1024

State = Literal["agree", "contradict", "unsupported"]

_DEPTH = 64
_MAX_COMPONENTS = 20_000
_MAX_CHECKS = 500
_MAX_CHARS = 500
_BOM_PATH = re.compile(r"(?:.*/)?(?:bom\.json|[^/]+\.(?:cdx|cyclonedx|spdx)\.json)", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SPECS = ("1.4", "1.5", "1.6", "1.7")


def is_bom_path(path: str) -> bool:
    """Whether a file's name says that it is a bill of materials in JSON."""
    return _BOM_PATH.fullmatch(path) is not None


@dataclass(slots=True)
class Claims:
    """What a document says that can be checked.

    Hashes are those of files, licences and ancestors those of the model or dataset itself.
    """

    format: str
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of files, by the path or name that the document gives."""
    licences: list[str] = field(default_factory=list)
    ancestors: list[str] = field(default_factory=list)


def read_bom(data: bytes) -> Claims:
    """The claims of a CycloneDX (1.4 to 1.7) or SPDX (2.3, 3.0) document in JSON; raises MalformedBom."""
    try:
        document = read_json_object(data, MAX_BOM_BYTES, _DEPTH)
    except MalformedJson as error:
        raise MalformedBom(error.message) from error
    if document.get("bomFormat") == "CycloneDX":
        return _cyclonedx(document)
    if "spdxVersion" in document:
        return _spdx2(document)
    if "@graph" in document:
        return _spdx3(document)
    raise MalformedBom("This JSON is neither CycloneDX nor SPDX.")


def compare_boms(files: Mapping[str, tuple[bytes, str]], record: Record) -> list[JsonValue]:
    """What supplied documents (bytes and SHA-256 by path) say, held against a record: the fact's value."""
    rows: list[JsonValue] = []
    for path in sorted(files):
        data, digest = files[path]
        row: JsonObject = {"path": path, "sha256": digest}
        try:
            claims = read_bom(data)
        except MalformedBom as error:
            rows.append({**row, "format": None, "error": error.message[:_MAX_CHARS]})
            continue
        checks = list(_checks(claims, record))
        counts: JsonObject = {
            state: sum(1 for check in checks if check["state"] == state)
            for state in ("agree", "contradict", "unsupported")
        }
        # What contradicts goes first: where there are too many, that is what stays.
        told = sorted(checks, key=lambda check: check["state"] != "contradict")[:_MAX_CHECKS]
        rows.append({**row, "format": claims.format, "checks": list[JsonValue](told), "counts": counts})
    return rows


# --- comparing -------------------------------------------------------------------------------------------


def _checks(claims: Claims, record: Record) -> Iterator[JsonObject]:
    yield from _hash_checks(claims.hashes, record)
    yield from _licence_checks(claims.licences, record)
    yield from _ancestor_checks(claims.ancestors, record)


def _hash_checks(claimed: Mapping[str, str], record: Record) -> Iterator[JsonObject]:
    by_path, by_name = _files(record)
    for name in sorted(claimed):
        digest = claimed[name]
        found = by_path.get(name.removeprefix("./")) or by_name.get(name.rpartition("/")[2])
        if found is None:
            state: State = "agree" if digest in by_path.values() else "unsupported"
        else:
            state = "agree" if digest == found else "contradict"
        yield _check(f"hash of {name}", digest, found, state)


def _files(record: Record) -> tuple[dict[str, str], dict[str, str]]:
    """SHA-256 by path, and by name where only one file has it."""
    listed = record.object("files").get("list")
    by_path: dict[str, str] = {}
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, dict):
            by_path[str(row.get("path"))] = str(row.get("sha256"))
    names: dict[str, list[str]] = {}
    for path, digest in by_path.items():
        names.setdefault(path.rpartition("/")[2], []).append(digest)
    return by_path, {name: digests[0] for name, digests in names.items() if len(digests) == 1}


def _licence_checks(claimed: Iterable[str], record: Record) -> Iterator[JsonObject]:
    said = record.object("licence")
    ids = said.get("ids")
    words = [word for word in ids if isinstance(word, str)] if isinstance(ids, list) else []
    known = {_licence_key(word) for word in [*words, str(said.get("name") or "")] if word}
    listed = sorted(set(claimed))
    for licence in listed:
        state: State = "unsupported"
        if known:
            state = "agree" if _licence_key(licence) in known else "contradict"
        yield _check("licence", licence, list[JsonValue](words) or None, state)


def _licence_key(word: str) -> str:
    """Licences are the same by their SPDX id; `-only` is what the words without it mean."""
    return (spdx_id(word) or word).lower().removesuffix("-only")


def _ancestor_checks(claimed: Iterable[str], record: Record) -> Iterator[JsonObject]:
    """Ancestors that the document names, and measured parents that it leaves out."""
    statuses = {
        str(claim.get("name")).lower(): claim.get("status")
        for claim in record.list("declared_bases")
        if isinstance(claim, dict)
    }
    parents = _measured_parents(record)
    names = sorted(set(claimed))
    for name in names:
        state: State = "unsupported"
        if name.lower() in parents or statuses.get(name.lower()) == "confirmed":
            state = "agree"
        elif statuses.get(name.lower()) == "contradicted":
            state = "contradict"
        yield _check("ancestor", name, list[JsonValue](sorted(parents.values())) or None, state)
    named = {name.lower() for name in names}
    for key, parent in sorted(parents.items()):
        if key not in named:
            yield _check("missing ancestor", None, parent, "contradict")


def _measured_parents(record: Record) -> dict[str, str]:
    edges = record.object("lineage").get("edges")
    best = edges[0] if isinstance(edges, list) and edges else None
    if not isinstance(best, dict) or best.get("grade") not in ("proven", "strong", "likely"):
        return {}
    listed = best.get("parents")
    names = [
        str(row.get("repo")) for row in (listed if isinstance(listed, list) else ()) if isinstance(row, dict)
    ]
    return {name.lower(): name for name in names}


def _check(about: str, claimed: JsonValue, found: JsonValue, state: State) -> JsonObject:
    return {"about": about[:_MAX_CHARS], "claimed": claimed, "found": found, "state": state}


# --- reading ---------------------------------------------------------------------------------------------


def _cyclonedx(document: JsonObject) -> Claims:
    version = document.get("specVersion")
    if version not in _SPECS:
        raise MalformedBom(f"CycloneDX {str(version)[:20]!r} is not read here; {', '.join(_SPECS)} are.")
    claims = Claims(f"cyclonedx-{version}")
    metadata = document.get("metadata")
    main = metadata.get("component") if isinstance(metadata, dict) else None
    listed = list(_rows(document.get("components")))
    models = [row for row in listed if row.get("type") == "machine-learning-model"]
    about = main if isinstance(main, dict) else models[0] if models else None
    if about is not None:
        claims.licences = list(_cyclonedx_licences(about))
        pedigree = about.get("pedigree")
        ancestors = pedigree.get("ancestors") if isinstance(pedigree, dict) else None
        claims.ancestors = [name for row in _rows(ancestors) if (name := _component_name(row))]
    for component in _all_components([*([about] if about else []), *listed]):
        if component.get("type") == "file" or component is not about:
            _add_hash(claims, component)
    return claims


def _all_components(listed: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Components with those inside them, level by level and bounded."""
    level = list(listed)
    count = 0
    while level:
        following: list[JsonObject] = []
        for component in level:
            count += 1
            if count > _MAX_COMPONENTS:
                raise MalformedBom(f"The document has more than {_MAX_COMPONENTS} components.")
            yield component
            following += _rows(component.get("components"))
        level = following


def _add_hash(claims: Claims, component: JsonObject) -> None:
    name = component.get("name")
    for row in _rows(component.get("hashes")):
        content = row.get("content")
        if row.get("alg") == "SHA-256" and isinstance(content, str) and isinstance(name, str):
            _put_hash(claims, name, content)


def _put_hash(claims: Claims, name: str, content: str) -> None:
    if not _SHA256.fullmatch(content):
        raise MalformedBom(f"The SHA-256 of {name[:100]!r} has not 64 hexadecimal digits.")
    claims.hashes[name[:_MAX_CHARS]] = content.lower()


def _cyclonedx_licences(component: JsonObject) -> Iterator[str]:
    for row in _rows(component.get("licenses")):
        licence, expression = row.get("license"), row.get("expression")
        if isinstance(expression, str):
            yield expression[:_MAX_CHARS]
        if isinstance(licence, dict):
            word = licence.get("id") or licence.get("name")
            if isinstance(word, str) and word:
                yield word[:_MAX_CHARS]


def _component_name(component: JsonObject) -> str | None:
    name, group = component.get("name"), component.get("group")
    if not isinstance(name, str) or not name:
        return None
    full = f"{group}/{name}" if isinstance(group, str) and group and "/" not in name else name
    return full[:_MAX_CHARS]


def _spdx2(document: JsonObject) -> Claims:
    version = document.get("spdxVersion")
    if version not in ("SPDX-2.2", "SPDX-2.3"):
        raise MalformedBom(f"SPDX {str(version)[:20]!r} is not read here; SPDX-2.3 and 3.0 are.")
    claims = Claims("spdx-2.3")
    for file in _bounded(document.get("files")):
        name = file.get("fileName")
        for row in _rows(file.get("checksums")):
            content = row.get("checksumValue")
            if row.get("algorithm") == "SHA256" and isinstance(content, str) and isinstance(name, str):
                _put_hash(claims, name, content)
    packages = {str(row.get("SPDXID")): row for row in _bounded(document.get("packages"))}
    described = document.get("documentDescribes")
    roots = [one for one in described if isinstance(one, str)] if isinstance(described, list) else []
    for root in roots or list(packages)[:1]:
        licence = packages.get(root, {}).get("licenseDeclared")
        if isinstance(licence, str) and licence not in ("NOASSERTION", "NONE"):
            claims.licences.append(licence[:_MAX_CHARS])
    for row in _rows(document.get("relationships")):
        if row.get("relationshipType") == "DESCENDANT_OF" and row.get("spdxElementId") in roots:
            name = packages.get(str(row.get("relatedSpdxElement")), {}).get("name")
            if isinstance(name, str):
                claims.ancestors.append(name[:_MAX_CHARS])
    return claims


def _spdx3(document: JsonObject) -> Claims:
    context = document.get("@context")
    if not (isinstance(context, str) and context.startswith("https://spdx.org/rdf/3.0")):
        raise MalformedBom("Of JSON-LD only SPDX 3.0 is read here.")
    claims = Claims("spdx-3.0")
    elements = {str(row.get("spdxId")): row for row in _bounded(document.get("@graph")) if "spdxId" in row}
    for row in elements.values():
        name = row.get("name")
        if row.get("type") == "software_File" and isinstance(name, str):
            for hashed in _rows(row.get("verifiedUsing")):
                content = hashed.get("hashValue")
                if hashed.get("algorithm") == "sha256" and isinstance(content, str):
                    _put_hash(claims, name, content)
    main = {
        key
        for key, row in elements.items()
        if str(row.get("type")) in ("ai_AIPackage", "dataset_DatasetPackage")
    }
    for row in elements.values():
        if row.get("type") == "Relationship" and row.get("from") in main:
            _add_relationship(claims, row, elements)
    return claims


def _add_relationship(claims: Claims, row: JsonObject, elements: Mapping[str, JsonObject]) -> None:
    targets = row.get("to")
    for target in targets if isinstance(targets, list) else ():
        other = elements.get(str(target), {})
        name, licence = other.get("name"), other.get("simplelicensing_licenseExpression")
        if row.get("relationshipType") == "descendantOf" and isinstance(name, str):
            claims.ancestors.append(name[:_MAX_CHARS])
        if row.get("relationshipType") == "hasDeclaredLicense" and isinstance(licence, str):
            claims.licences.append(licence[:_MAX_CHARS])


def _rows(value: JsonValue) -> list[JsonObject]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _bounded(value: JsonValue) -> list[JsonObject]:
    rows = _rows(value)
    if len(rows) > _MAX_COMPONENTS:
        raise MalformedBom(f"The document has more than {_MAX_COMPONENTS} elements.")
    return rows
