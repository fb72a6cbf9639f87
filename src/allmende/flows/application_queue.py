"""When an application is to be assessed anew: part of the transactions that change what it rests on.

Asking is cheap and may be repeated: where nothing moved, no assessment is kept.
"""

from allmende.applications import ApplicationId, applications_using
from allmende.flows.services import Services
from allmende.ids import RepoId
from allmende.storage import UnitOfWork

__all__ = ["ASSESS_JOB", "ASSESS_PRIORITY", "enqueue_assessing", "note_model_changed"]

ASSESS_JOB = "assess_application"
ASSESS_PRIORITY = -7
"""Behind the records that facts come from."""


def enqueue_assessing(services: Services, uow: UnitOfWork, application_id: ApplicationId) -> None:
    """Have an application assessed, once however often it is asked for meanwhile."""
    services.queue.enqueue(
        uow,
        ASSESS_JOB,
        {"application_id": application_id},
        key=f"{ASSESS_JOB}:{application_id}",
        priority=ASSESS_PRIORITY,
    )


def note_model_changed(services: Services, uow: UnitOfWork, repo_id: RepoId) -> None:
    """A model has another record, or others see it, or it is gone: assess anew what uses it."""
    for application_id in applications_using(uow, repo_id):
        enqueue_assessing(services, uow, application_id)
