"""Facts of an application and its models: value, where it is from, and the evidence that is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from allmende.law.values import Value

__all__ = ["SOURCES", "Application", "Evidence", "Fact", "FactSource", "ModelEntry"]

FactSource: TypeAlias = Literal["declared", "measured", "derived", "attested"]
SOURCES: tuple[FactSource, ...] = ("declared", "measured", "derived", "attested")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: `evidence` says where it can be checked, `derived_from` the facts that it was computed of."""

    name: str
    value: Value
    source: FactSource = "declared"
    evidence: str = ""
    at: date | None = None
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """A document or record that is held: its kind, where it is, who says so, and of which model it is."""

    kind: str
    where: str
    source: str = "declared"
    at: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that the application uses, or that the operator makes, changes or hosts."""

    name: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Application:
    """A description that holds together. `facts` are those of operator and system, derived ones included.

    Without `describes_system` only models are described.
    """

    name: str
    describes_system: bool
    facts: Mapping[str, Fact]
    models: tuple[ModelEntry, ...]
    evidence: tuple[Evidence, ...]
