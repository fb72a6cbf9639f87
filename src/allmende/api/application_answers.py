"""What the register of applications answers over HTTP, as JSON."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from allmende.applications import Application, ApplicationVersion, ListedAssessment
from allmende.clock import iso

__all__ = [
    "ApplicationDescription",
    "ApplicationDetails",
    "ListedApplications",
    "ListedAssessments",
    "Visibility",
    "application_answer",
    "assessment_entry",
    "details_answer",
]


class ApplicationDescription(BaseModel):
    """An application of the register."""

    application: str = Field(description="`namespace/name`")
    private: bool
    version: int = Field(description="Of the newest description.")
    created: str
    updated: str


class ListedApplications(BaseModel):
    """A page of applications, by name."""

    schema_name: Annotated[Literal["allmende.applications/1"], Field(serialization_alias="schema")] = (
        "allmende.applications/1"
    )
    applications: list[ApplicationDescription]
    next: str | None = Field(description="Ask for more with this as `after`.")


class UsedModel(BaseModel):
    """A model that the description names, and what the hub knew of it at the assessment."""

    name: str
    on_this_hub: bool = Field(description="Whether it is a repo of this hub that the caller may see.")
    known: dict[str, Any] | None


class DescribedVersion(BaseModel):
    """A version of a description."""

    version: int
    digest: str
    at: str


class ApplicationDetails(ApplicationDescription):
    """An application with its models, its newest versions, and how it was assessed last."""

    schema_name: Annotated[Literal["allmende.application-entry/1"], Field(serialization_alias="schema")] = (
        "allmende.application-entry/1"
    )
    models: list[UsedModel]
    versions: list[DescribedVersion]
    assessment: int | None = Field(description="The number of the newest assessment that can be had.")


class AssessmentEntry(BaseModel):
    """An assessment: when, by what, and what had moved since the one before, with its causes."""

    number: int
    version: int = Field(description="Of the description.")
    at: str
    pack_digest: str
    digest: str = Field(description="SHA-256 of its JSON, which is what the log names.")
    shown: bool
    moved: dict[str, Any] | None = Field(description="Of the hub's models, and of lines with their causes.")


class ListedAssessments(BaseModel):
    """The assessments of an application, the newest first."""

    schema_name: Annotated[
        Literal["allmende.application-assessments/1"], Field(serialization_alias="schema")
    ] = "allmende.application-assessments/1"
    application: str
    assessments: list[AssessmentEntry]
    next: int | None = Field(description="Ask for more with this as `before`.")


class Visibility(BaseModel):
    """Who sees an application."""

    private: bool


def application_answer(found: Application) -> ApplicationDescription:
    """An application of the register."""
    return ApplicationDescription(**_described(found))


def details_answer(
    found: Application,
    models: Mapping[str, bool],
    known: Mapping[str, dict[str, Any]],
    versions: list[ApplicationVersion],
    assessment: int | None,
) -> ApplicationDetails:
    """An application with its models (by name: whether the caller sees it here), and what is known."""
    return ApplicationDetails(
        **_described(found),
        models=[
            UsedModel(name=name, on_this_hub=here, known=known.get(name)) for name, here in models.items()
        ],
        versions=[
            DescribedVersion(version=one.version, digest=one.digest, at=iso(one.at)) for one in versions
        ],
        assessment=assessment,
    )


def assessment_entry(kept: ListedAssessment, *, shown: bool) -> AssessmentEntry:
    """An assessment in a list; what moved is left out where it is not shown, or nothing did."""
    return AssessmentEntry(
        number=kept.number,
        version=kept.version,
        at=iso(kept.at),
        pack_digest=kept.pack_digest,
        digest=kept.digest,
        shown=shown,
        moved=dict(kept.moved) if shown and kept.moved else None,
    )


def _described(found: Application) -> dict[str, Any]:
    return {
        "application": found.full_name,
        "private": found.private,
        "version": found.version,
        "created": iso(found.created_at),
        "updated": iso(found.updated_at),
    }
