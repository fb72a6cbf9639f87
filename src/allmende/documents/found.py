"""What is known of a fact that a document asks for: its value, where it is from, and what it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from allmende.proof import JsonValue

__all__ = ["Found", "FoundFacts", "Origin"]

Origin: TypeAlias = Literal["declared", "measured", "derived", "attested"]


@dataclass(frozen=True, slots=True)
class Found:
    """A fact that is known.

    `by` is who or what says so, `at` the day, `evidence` where it can be checked. `formula` names the message
    that says how a derived value was worked out. `firm` is what was measured, or follows from what was: a
    publisher cannot say otherwise. `not_applicable` is the reason why there is no value.
    """

    value: JsonValue
    origin: Origin
    by: str = ""
    at: str = ""
    evidence: str = ""
    formula: str = ""
    firm: bool = False
    confidential: bool = False
    not_applicable: str = ""


FoundFacts: TypeAlias = Mapping[str, Found]
"""Facts by name."""
