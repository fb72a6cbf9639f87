"""The step of an examination that leads to lineage: which weights a revision holds, and what it declares.

Nothing is opened here: looking into weights is a job of its own, so that no trouble with them can keep an
examination from its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allmende.facts import (
    Declared,
    HeldWeights,
    WeightsFile,
    add_revision_facts,
    forget_weights,
    hold_weights,
    release_weights,
    weights_of,
    weights_of_revision,
)
from allmende.flows.content_examination import HeldFile
from allmende.flows.lineage_tracing import enqueue_trace
from allmende.flows.services import Services
from allmende.flows.weights_files import chosen_files, config_file, declared_bases, weights_id_of
from allmende.flows.weights_measuring import LINEAGE, LINEAGE_ERROR, is_current, lineage_facts
from allmende.formats import JsonObject, JsonValue
from allmende.ids import GitOid, RepoId, WeightsId
from allmende.storage import UnitOfWork

__all__ = ["Weighing", "hold_weighed", "weigh"]


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of a revision, by their files, and the bases that it names."""

    weights_id: WeightsId
    files: tuple[WeightsFile, ...]
    config: WeightsFile | None
    declared: tuple[Declared, ...]


def weigh(
    files: Sequence[HeldFile], card: Mapping[str, JsonValue] | None, adapter: JsonObject | None
) -> Weighing | None:
    """What the files of a model's revision say before any is opened; None where none are weights."""
    listed = [WeightsFile(file.entry.path, file.key, file.entry.size_bytes) for file in files]
    chosen = chosen_files(listed)
    if not chosen:
        return None
    declared = declared_bases(card, adapter)
    return Weighing(weights_id_of(chosen), tuple(chosen), config_file(listed), tuple(declared))


def hold_weighed(
    services: Services, uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, found: Weighing | None
) -> None:
    """Record it with the examination, and have the weights traced unless nothing about them is new."""
    before = weights_of_revision(uow, repo_id, commit_oid)
    if found is None:
        release_weights(uow, repo_id, commit_oid)
    else:
        hold_weights(uow, repo_id, commit_oid, found.weights_id, found.files, found.config, found.declared)
        known = weights_of(uow, [found.weights_id])[found.weights_id]
        facts = lineage_facts(known, found.files, uow.now)
        add_revision_facts(uow, repo_id, commit_oid, facts, (LINEAGE, LINEAGE_ERROR))
        if _is_news(before, found) or not is_current(known):
            enqueue_trace(services, uow, found.weights_id)
    if before is not None and (found is None or found.weights_id != before.weights_id):
        forget_weights(uow, [before.weights_id])


def _is_news(before: HeldWeights | None, found: Weighing) -> bool:
    if before is None:
        return True
    known = (before.weights_id, before.files, before.config, before.declared)
    return known != (found.weights_id, found.files, found.config, found.declared)
