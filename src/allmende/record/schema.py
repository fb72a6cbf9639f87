"""The JSON Schema of a record, for those who read records with other programs."""

import json
from functools import cache
from importlib.resources import files

from allmende.proof import JsonObject

__all__ = ["record_schema"]

_NAME = "record-1.schema.json"


@cache
def record_schema() -> JsonObject:
    """The schema of `allmende.record/1` (JSON Schema, draft 2020-12)."""
    schema: JsonObject = json.loads(files("allmende.record").joinpath(_NAME).read_text("utf-8"))
    return schema
