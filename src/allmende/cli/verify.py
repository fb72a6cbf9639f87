"""`allmende verify`: whether files are what a hub published, by its log and whom the reader believes."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.output import AsJson, note, printable, say, say_json

if TYPE_CHECKING:
    from allmende.cli.root_trust import RootTrust
    from allmende.cli.verification import Verification
    from allmende.proof import TrustPolicy

__all__ = ["verify"]

_RepoType = Literal["model", "dataset", "space"]
_MAX_LISTED = 1000


def verify(
    what: Annotated[
        str, Parameter(help="A folder, namespace/name[@revision] on a hub, or an archive of evidence.")
    ],
    /,
    *,
    offline: Annotated[bool, Parameter(help="Use no network; a repo is looked for in the cache.")] = False,
    policy: Annotated[Path | None, Parameter(help="Whom to believe (C2SP tlog-policy).")] = None,
    root: Annotated[
        str | None,
        Parameter(help="Believe only keys in a set that this root key, or the one in this file, signed."),
    ] = None,
    keys: Annotated[
        Path | None, Parameter(help="The set of keys, for --root; else what is known, or what the hub shows.")
    ] = None,
    witness: Annotated[
        list[str] | None,
        Parameter(help="A witness to ask at the first contact: 'KEY URL'; may be repeated."),
    ] = None,
    bundle: Annotated[Path | None, Parameter(help="The proof, where it does not lie with the files.")] = None,
    trust: Annotated[
        Path | None, Parameter(help="A trust policy: a publisher that it trusts has to have signed.")
    ] = None,
    partial: Annotated[bool, Parameter(help="Files of the revision may be missing here.")] = False,
    cache: Annotated[Path | None, Parameter(help="A Hugging Face cache to look for the repo in.")] = None,
    repo_type: Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")] = "model",
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
    jobs: Annotated[int, Parameter(help="Files at a time; else one for each processor.")] = 0,
    as_json: AsJson = False,
) -> int:
    """Exit code 0: verified; 1: refused; 2: nothing to verify against. Nothing is changed.

    Of a repo on a hub the list and the proofs are verified, small files are read, and large ones are not.
    """
    from allmende.cli.first_contact import tell_first_contact
    from allmende.cli.progress import ByteProgress
    from allmende.cli.root_trust import RootTrust
    from allmende.cli.verification import (
        cached_model,
        is_archive,
        verify_local,
        verify_remote,
        with_signatures,
    )
    from allmende.client import (
        Connection,
        RemoteRepo,
        find_local,
        known_endpoint,
        known_token,
        named_witnesses,
        read_bounded,
    )
    from allmende.errors import BadRequest
    from allmende.merkle import MAX_POLICY_BYTES
    from allmende.proof import (
        EXIT_CODES,
        check_lines,
        detail_lines,
        list_folder,
        verdict_lines,
    )

    trusted = _publishers(trust)
    believed = None if policy is None else read_bounded(policy, MAX_POLICY_BYTES)
    asked = None if witness is None else named_witnesses(witness)

    def connection() -> Connection:
        return Connection(endpoint or known_endpoint(), token or known_token())

    trusted_root = None if root is None else RootTrust.of(root, keys, None if offline else connection)
    if root is None and keys is not None:
        raise BadRequest("A set of keys is believed for its root.", hint="Give --root KEY too.")

    if is_archive(Path(what)):
        return _verify_archive(Path(what), believed, trusted_root, as_json=as_json)
    name, _, revision = what.partition("@")
    revision = revision or "main"
    is_path = Path(what).expanduser().exists() or what.startswith((".", "/", "~"))
    if not is_path and not offline and cache is None and bundle is None:
        with connection() as hub:
            found = verify_remote(
                hub,
                RemoteRepo(repo_type, name),
                revision,
                believed,
                root=trusted_root,
                witnesses=asked,
                jobs=max(0, jobs),
            )
    else:
        model = (
            find_local(Path(what).expanduser())
            if is_path
            else cached_model(RemoteRepo(repo_type, name), revision, cache)
        )
        may_ask = not offline and bool(endpoint or os.environ.get("HF_ENDPOINT"))
        with ByteProgress(sum(one.size_bytes for one in list_folder(model.folder).values())) as progress:
            found = verify_local(
                model,
                bundle,
                believed,
                connection if may_ask else None,
                root=trusted_root,
                partial=partial,
                jobs=max(0, jobs),
                told=progress.add,
            )
    found = with_signatures(found, trusted, is_needed=trust is not None)
    if as_json:
        say_json("allmende.verify/1", _document(found))
    else:
        for line in verdict_lines(found.verdict):
            say(printable(line))
        if found.verdict.state == "verified" and found.folder is None:
            say("  Large files were not read: pull them, and verify the folder.")
        details = list(detail_lines(found.verdict))
        for line in (*check_lines(found.checks, _width()), *([""] if found.checks else []), *details):
            say(printable(line))
        if found.known is not None:
            note(f"The log is believed by {found.known.path}.")
        tell_first_contact(found.known)
    return EXIT_CODES[found.verdict.state]


def _publishers(trust: Path | None) -> "TrustPolicy":
    """Whom the reader lets sign models, by a file; nobody without one."""
    from allmende.client import read_bounded
    from allmende.proof import MAX_TRUST_POLICY_BYTES, NO_TRUST, read_trust_policy

    if trust is None:
        return NO_TRUST
    return read_trust_policy(read_bounded(trust, MAX_TRUST_POLICY_BYTES).decode("utf-8", "replace"))


def _width() -> int:
    """How wide lines of words are: as the terminal, and not wider than one likes to read."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 100))


def _verify_archive(path: Path, policy: bytes | None, root: "RootTrust | None", *, as_json: bool) -> int:
    """The verdict on an archive of evidence."""
    from allmende.cli.verification import verify_archive
    from allmende.proof import EXIT_CODES

    found, known = verify_archive(path, policy, root)
    verdict = found.verdict
    if as_json:
        say_json(
            "allmende.verify-evidence/1",
            {
                "state": verdict.state,
                "code": verdict.code,
                "reason": verdict.reason,
                "hint": verdict.hint,
                "scope": found.scope,
                "made_at": found.made_at,
                "revisions": [one.json for one in found.revisions],
                "without_proof": found.without_proof,
                "policy": None if known is None else str(known.path),
            },
        )
        return EXIT_CODES[verdict.state]
    say(printable(f"{verdict.state}: {verdict.reason}"))
    if verdict.hint:
        say(printable(f"  {verdict.hint}"))
    for one in found.revisions[:_MAX_LISTED]:
        say(printable(f"  {one.repo_type:<8} {one.repo} at {one.commit}"))
    if found.without_proof:
        say(f"  {found.without_proof} revisions have no proof; manifest.json says why of each.")
    if known is not None:
        note(f"The log is believed by {known.path}.")
    return EXIT_CODES[verdict.state]


def _document(found: "Verification") -> dict[str, Any]:
    verdict = found.verdict
    checked, files = verdict.checked, verdict.files
    document: dict[str, Any] = {
        "state": verdict.state,
        "code": verdict.code,
        "reason": verdict.reason,
        "hint": verdict.hint,
        "folder": None if found.folder is None else str(found.folder),
        "bytes_read": found.folder is not None and files is not None,
        "policy": None if found.known is None else str(found.known.path),
        "first_contact": found.known is not None and found.known.is_new,
        "checks": [one.json for one in found.checks],
        "withheld": list(found.withheld[:_MAX_LISTED]),
        "signatures": {path: report.json for path, report in found.signatures.items()},
        "revision": None,
        "files": None,
    }
    if checked is not None:
        checkpoint = checked.accepted.checkpoint
        document["revision"] = {
            "hub": checked.bundle.hub,
            "type": checked.bundle.repo_type,
            "id": checked.bundle.repo_id,
            "commit": checked.bundle.commit,
            "dir_hash": checked.tree_hash,
            "published_at": checked.published.time,
            "seen_at_s": checked.seen_at_s,
            "witnesses": dict(checked.accepted.witnesses),
            "checkpoint": {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "key": checked.accepted.log.text,
            },
            "acts": [{"kind": act.kind, "time": act.time} for act in checked.acts],
            "envelopes": [
                {
                    "digest": one.envelope.digest,
                    "predicate_type": one.statement.predicate_type,
                    "signed_by_hub": one.signed_by_hub,
                }
                for one in checked.envelopes
            ],
        }
    if files is not None:
        document["files"] = {
            "right": len(files.right),
            **{
                word: {"count": len(paths), "first": list(paths[:_MAX_LISTED])}
                for word, paths in (
                    ("changed", files.changed),
                    ("missing", files.missing),
                    ("extra", files.extra),
                )
            },
        }
    return document
