"""What a fact is: a value, where it comes from, and the evidence for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from allmende.formats import JsonValue
from allmende.ids import GitOid, Sha256

__all__ = ["ContentKey", "Fact", "FactSource"]

FactSource = Literal["declared", "measured", "derived", "attested"]

ContentKey: TypeAlias = Sha256 | GitOid
"""The name of the bytes that a fact is about: a content's SHA-256, or a git blob's id for a file kept in git.

The two differ in length, so one column holds both. The git id spares reading a file that is known already.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known of bytes or of a revision.

    `declared` is what somebody says, `measured` was read from the bytes, `derived` follows from other
    facts, `attested` was signed by somebody. `evidence` names what a reader can check it against.
    """

    name: str
    value: JsonValue
    source: FactSource
    tool: str
    tool_version: str
    at: datetime
    evidence: Mapping[str, Any] = field(default_factory=dict)
