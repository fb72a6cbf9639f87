"""What an auditor keeps of an application: description, assessment, what had moved, proofs of its models.

It is an archive of evidence as `flows.evidence` makes them, with the application's own files attached: the
hub's signature of the manifest covers them, and `allmende verify` checks them without the hub. Proofs are
those of the heads of models that everybody who may read the application may see.
"""

import json
import zipfile
from hashlib import sha256
from typing import Any, BinaryIO

from allmende.applications import Application, application_event, description_of, models_used
from allmende.clock import iso
from allmende.flows.application_register import assessment_again, shown_assessment, shown_assessments
from allmende.ids import GitOid
from allmende.law import assessment_markdown, languages, wording_in
from allmende.registry import Actor, Repo, repos_by_id
from allmende.storage import UnitOfWork

__all__ = ["evidence_of_application", "log_evidence"]

_MAX_HISTORY = 50


def evidence_of_application(
    uow: UnitOfWork, found: Application
) -> tuple[str, list[tuple[Repo, GitOid]], dict[str, bytes]]:
    """What the archive is about, the revisions to prove, and the files to attach, by name.

    Raises AssessmentWithheld while the application is being assessed anew.
    """
    kept = shown_assessment(uow, found)
    repos = repos_by_id(uow, kept.repos)
    known = kept.basis.get("models", {})
    # By the repo and not by its name: it may be called otherwise since.
    commits = {
        repo_id: known.get(name, {}).get("commit") for name, repo_id in models_used(uow, found).items()
    }
    heads = [
        (repo, GitOid(commit))
        for repo in sorted(repos.values(), key=lambda one: one.full_name)
        if isinstance(commit := commits.get(repo.id), str)
    ]
    again = assessment_again(kept)
    attached = {
        "application.yaml": (description_of(uow, found, kept.version) or "").encode(),
        "inputs.json": kept.inputs,
        "assessment.json": kept.document,
        "models.json": _json(kept.basis),
        "history.json": _json(_history(uow, found)),
    }
    for language in languages():
        report = assessment_markdown(again, wording_in(language, again.pack))
        attached[f"assessment.{language}.md"] = report.encode()
    return f"application {found.full_name}", heads, attached


def log_evidence(uow: UnitOfWork, actor: Actor, found: Application, archive: BinaryIO) -> None:
    """Put the digest of an archive's manifest into the log; the archive is read from its beginning then."""
    with zipfile.ZipFile(archive) as opened:
        digest = sha256(opened.read("manifest.json")).hexdigest()
    archive.seek(0)
    uow.emit("application.evidence", application_event(found, manifest=digest), actor_id=actor.account_id)


def _history(uow: UnitOfWork, found: Application) -> list[dict[str, Any]]:
    return [
        {
            "number": kept.number,
            "version": kept.version,
            "at": iso(kept.at),
            "assessment": kept.digest,
            "pack": kept.pack_digest,
            "moved": kept.moved if shown and kept.moved else None,
        }
        for kept, shown in shown_assessments(uow, found, limit=_MAX_HISTORY).assessments
    ]


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
