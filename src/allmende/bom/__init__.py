"""Bills of materials and other documents, as views of a record; and those of publishers, read."""

from allmende.bom.completeness import YARDSTICK, Completeness, Field, completeness
from allmende.bom.errors import MalformedBom, NotForThisType, UnknownFormat
from allmende.bom.formats import BOM_FORMATS, DEFAULT_FORMAT, BomFormat, render
from allmende.bom.supplied import MAX_BOM_BYTES, compare_boms, is_bom_path

__all__ = [
    "BOM_FORMATS",
    "DEFAULT_FORMAT",
    "MAX_BOM_BYTES",
    "YARDSTICK",
    "BomFormat",
    "Completeness",
    "Field",
    "MalformedBom",
    "NotForThisType",
    "UnknownFormat",
    "compare_boms",
    "completeness",
    "is_bom_path",
    "render",
]
