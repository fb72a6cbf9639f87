"""What can be wrong with applications of the register."""

from allmende.errors import Conflict, Forbidden, NotFound, Stale

__all__ = [
    "ApplicationChanged",
    "ApplicationExists",
    "ApplicationNotFound",
    "AssessmentWithheld",
    "NamespaceClosed",
]


class ApplicationNotFound(NotFound):
    """There is no such application, or the caller may not learn that there is."""

    code = "application_not_found"

    def __init__(self) -> None:
        super().__init__("There is no application of that name, or it is not yours to see.")


class ApplicationExists(Conflict):
    """The namespace has an application of that name already."""

    code = "application_exists"


class ApplicationChanged(Stale):
    """The description that the caller wants to replace is not the newest any more."""

    code = "application_changed"


class AssessmentWithheld(NotFound):
    """There is no such assessment, or it tells of a model that the caller may not see (any more)."""

    code = "assessment_withheld"


class NamespaceClosed(Forbidden):
    """Nothing may be registered in that namespace by this caller, or there is no such namespace."""

    code = "namespace_closed"
