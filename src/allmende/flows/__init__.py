"""Use cases that join several rooms: bootstrap, examine, maintenance."""

from allmende.flows.bootstrap import (
    Change,
    IssuedToken,
    Outcome,
    Plan,
    PlanInvalid,
    apply_plan,
    create_first_administrator,
    read_plan,
)
from allmende.flows.content_examination import format_fact
from allmende.flows.garbage import GarbageReport, collect_garbage
from allmende.flows.integrity import Finding, FsckReport, fsck
from allmende.flows.removal import remove_repo
from allmende.flows.services import Services, open_services
from allmende.flows.worker import make_worker

__all__ = [
    "Change",
    "Finding",
    "FsckReport",
    "GarbageReport",
    "IssuedToken",
    "Outcome",
    "Plan",
    "PlanInvalid",
    "Services",
    "apply_plan",
    "collect_garbage",
    "create_first_administrator",
    "format_fact",
    "fsck",
    "make_worker",
    "open_services",
    "read_plan",
    "remove_repo",
]
