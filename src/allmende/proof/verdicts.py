"""The verdict on files against the proof of their revision and a reader's policy.

There are three: verified, refused, and nothing to verify against. A bundle whose keys nobody vouches for is
the third, however well it agrees with itself: whoever changed the files could have made it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from allmende.errors import AllmendeError
from allmende.merkle import read_policy
from allmende.proof.proof_bundles import read_proof_bundle
from allmende.proof.revision_checking import (
    CheckedBundle,
    FileComparison,
    FoundFile,
    check_bundle,
    compare_with_bundle,
    own_policy,
)

__all__ = [
    "EXIT_CODES",
    "Verdict",
    "detail_lines",
    "judge_bundle",
    "judge_files",
    "moment_text",
    "named_repo",
    "refused",
    "unknown",
    "verdict_lines",
]

State = Literal["verified", "refused", "unknown"]

EXIT_CODES: Mapping[str, int] = {"verified": 0, "refused": 1, "unknown": 2}
"""Of the commands that verify, by the state of the verdict."""

_MAX_NAMED = 3
_MAX_LISTED = 1000
_MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out, in one sentence and in parts. `code` is stable, for programs."""

    state: State
    code: str
    reason: str
    hint: str | None = None
    checked: CheckedBundle | None = field(default=None, repr=False)
    files: FileComparison | None = field(default=None, repr=False)


def judge_bundle(data: bytes, policy_data: bytes | None) -> Verdict:
    """The verdict on a bundle alone, without the files; nothing that is in the bytes raises.

    Without a policy it is at best `unknown`.
    """
    try:
        bundle = read_proof_bundle(data)
        policy = own_policy(bundle) if policy_data is None else read_policy(policy_data)
        checked = check_bundle(bundle, policy)
    except AllmendeError as error:
        return refused(error)
    if policy_data is None:
        return unknown(
            "The proof agrees with itself, but nobody whom you trust vouches for the keys in it.",
            "Give --policy FILE with the log's key, from the hub or from someone who knows it.",
            checked,
        )
    return Verdict("verified", "verified", _words(checked), checked=checked)


def judge_files(verdict: Verdict, found: Mapping[str, FoundFile], *, partial: bool = False) -> Verdict:
    """The verdict on a bundle, and on these files against it.

    With `partial`, files may be missing; none may be changed or there in excess.
    """
    if verdict.checked is None:
        return verdict
    files = compare_with_bundle(verdict.checked.bundle.files, found)
    wrong = _wrong(files, partial=partial)
    if wrong:
        hint = None
        if not (files.changed or files.extra):
            hint = "Give --partial if you have fetched only some of the files."
        return Verdict("refused", wrong[0][0], "; ".join(text for _, text in wrong) + ".", hint, None, files)
    if partial and not files.right:
        return unknown("None of the files of the revision is here.")
    if verdict.state != "verified":
        return Verdict(verdict.state, verdict.code, verdict.reason, verdict.hint, verdict.checked, files)
    count, all_files = len(files.right), len(verdict.checked.bundle.files)
    share = f"All {count} files are" if count == all_files else f"{count} of {all_files} files are here and"
    return Verdict(
        "verified", "verified", f"{share} as published: {verdict.reason}", None, verdict.checked, files
    )


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """The verdict in lines for people: the first says all, the second what can be done."""
    yield f"{verdict.state}: {verdict.reason}"
    if verdict.hint:
        yield f"  {verdict.hint}"


def detail_lines(verdict: Verdict) -> Iterator[str]:
    """What to compare with other tools: hashes and keys in full, and files that are wrong."""
    if verdict.checked is not None:
        checked = verdict.checked
        checkpoint = checked.accepted.checkpoint
        yield f"  commit       {checked.bundle.commit}"
        yield f"  dirHash      {checked.tree_hash}"
        yield f"  checkpoint   {checkpoint.size} entries, root"
        yield f"               {checkpoint.root.hex()}"
        yield f"  log key      {checked.accepted.log.text}"
        for one in checked.envelopes:
            yield f"  {one.act.kind:<12} {one.statement.predicate_type}"
    if verdict.files is not None:
        for word in ("changed", "extra", "missing"):
            paths = getattr(verdict.files, word)
            yield from (f"  {word:<12} {path}" for path in paths[:_MAX_LISTED])
            if len(paths) > _MAX_LISTED:
                yield f"  {word:<12} and {len(paths) - _MAX_LISTED} more"


def refused(error: AllmendeError) -> Verdict:
    """The verdict that an error is."""
    return Verdict("refused", error.code, error.message, error.hint)


def unknown(reason: str, hint: str | None = None, checked: CheckedBundle | None = None) -> Verdict:
    """The verdict where there is nothing to verify against."""
    return Verdict("unknown", "nothing_to_verify_against", reason, hint, checked)


def _wrong(files: FileComparison, *, partial: bool) -> list[tuple[str, str]]:
    """What is wrong with the files: a code and a sentence without its stop for each kind."""
    kinds = [
        (
            "files_changed",
            files.changed,
            "has other bytes than were published",
            "have other bytes than were published",
        ),
        ("files_extra", files.extra, "is not in the revision", "are not in the revision"),
        ("files_missing", () if partial else files.missing, "is missing", "are missing"),
    ]
    return [
        (code, f"{_named(paths)} {one if len(paths) == 1 else more}")
        for code, paths, one, more in kinds
        if paths
    ]


def _named(paths: tuple[str, ...]) -> str:
    named = ", ".join(paths[:_MAX_NAMED])
    return named if len(paths) <= _MAX_NAMED else f"{named} and {len(paths) - _MAX_NAMED} more"


def _words(checked: CheckedBundle) -> str:
    return f"{checked.bundle.repo_type} {named_repo(checked)} at {checked.bundle.commit[:12]}."


def named_repo(checked: CheckedBundle) -> str:
    """The repo by the name that it had in its record, else by its id."""
    record = checked.record
    subject = None if record is None else record.statement.predicate.get("subject")
    name = subject.get("name") if isinstance(subject, dict) else None
    return name if isinstance(name, str) and 0 < len(name) <= _MAX_NAME_CHARS else checked.bundle.repo_id


def moment_text(at_s: int) -> str:
    """A time in POSIX seconds for people."""
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"second {at_s}"
