"""What can be wrong with applications of the register."""

from allmende.errors import Conflict, Forbidden, NotFound, Stale

__all__ = [
    "ApplicationChanged",
    "ApplicationExists",
    "ApplicationNotFound",
    "AssessmentWithheld",
    "NamespaceClosed",
    "TooManyApplications",
    "TooManyVersions",
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


class TooManyApplications(Conflict):
    """The namespace has as many applications as the hub keeps of one."""

    code = "too_many_applications"

    def __init__(self, namespace: str, most: int) -> None:
        super().__init__(
            f"The namespace {namespace} has {most} applications, and this hub keeps no more of one.",
            hint="Delete one that is not needed, or ask the operator to raise max_applications.",
            places={"most": most},
        )


class TooManyVersions(Conflict):
    """The description has as many versions as the hub keeps of one."""

    code = "too_many_versions"

    def __init__(self, application: str, most: int) -> None:
        super().__init__(
            f"{application} was described {most} times, and this hub keeps no more versions of one.",
            hint="Register it under another name, or ask the operator to raise max_application_versions.",
            places={"most": most},
        )
