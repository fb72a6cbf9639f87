"""Which documents there are, and the bytes of each: the same record gives the same bytes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from allmende.bom.citation import CFF_TYPE, DATACITE_TYPE, citation_cff, datacite
from allmende.bom.croissant import CROISSANT_TYPE, croissant
from allmende.bom.cyclonedx import CYCLONEDX_TYPE, cyclonedx
from allmende.bom.described import Described, describe
from allmende.bom.errors import UnknownFormat
from allmende.bom.spdx import SPDX_TYPE, spdx
from allmende.proof import JsonObject
from allmende.record import Record

__all__ = ["BOM_FORMATS", "DEFAULT_FORMAT", "BomFormat", "render"]

DEFAULT_FORMAT = "cyclonedx-1.6"


@dataclass(frozen=True, slots=True)
class BomFormat:
    """A document: its name here, what it is called as a file, and its media type."""

    name: str
    file_name: str
    media_type: str
    write: Callable[[Described], bytes]


def _json_bytes(make: Callable[[Described], JsonObject], found: Described) -> bytes:
    # Sorted, so that nothing depends on the order in which the code names its fields.
    return (json.dumps(make(found), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _text_bytes(make: Callable[[Described], str], found: Described) -> bytes:
    return make(found).encode()


BOM_FORMATS: dict[str, BomFormat] = {
    made.name: made
    for made in (
        BomFormat(
            "cyclonedx-1.6",
            "bom.cdx.json",
            f"{CYCLONEDX_TYPE}; version=1.6",
            partial(_json_bytes, partial(cyclonedx, spec_version="1.6")),
        ),
        BomFormat(
            "cyclonedx-1.7",
            "bom.cdx.json",
            f"{CYCLONEDX_TYPE}; version=1.7",
            partial(_json_bytes, partial(cyclonedx, spec_version="1.7")),
        ),
        BomFormat("spdx-3.0.1", "bom.spdx.json", SPDX_TYPE, partial(_json_bytes, spdx)),
        BomFormat("croissant-1.1", "croissant.json", CROISSANT_TYPE, partial(_json_bytes, croissant)),
        BomFormat("cff-1.2.0", "CITATION.cff", CFF_TYPE, partial(_text_bytes, citation_cff)),
        BomFormat("datacite-4.5", "datacite.json", DATACITE_TYPE, partial(_json_bytes, datacite)),
    )
}


def render(record: Record, name: str = DEFAULT_FORMAT, endpoint: str | None = None) -> bytes:
    """The document of that name; `endpoint` is the hub's address. Raises UnknownFormat, NotForThisType."""
    found = BOM_FORMATS.get(name)
    if found is None:
        raise UnknownFormat(
            f"There is no document {name[:80]!r}.", hint=f"Ask for one of {', '.join(BOM_FORMATS)}."
        )
    return found.write(describe(record, endpoint))
