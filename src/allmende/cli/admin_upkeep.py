"""`allmende admin gc` and `fsck`: removing what nothing leads to, and checking that nothing is missing."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, printable, say, say_json, size_text

if TYPE_CHECKING:
    from allmende.flows import GarbageReport

__all__ = ["begin_epoch", "check", "collect"]


def collect(
    *,
    dry_run: Annotated[bool, Parameter(help="Only count what would be removed.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Remove contents, files and git objects that nothing leads to any more; safe while the hub runs.

    A content stays for the grace period (`unreferenced_grace_s`) after it was last uploaded.
    """
    from allmende.flows import collect_garbage

    with opened(place) as services:
        report = collect_garbage(services, dry_run=dry_run)
    if as_json:
        say_json("allmende.admin-gc/1", asdict(report))
    else:
        _say_collected(report)


def _say_collected(report: "GarbageReport") -> None:
    verb = "would remove" if report.dry_run else "removed"
    say(f"{verb} {report.contents} contents ({size_text(report.content_bytes)})")
    say(f"{verb} {report.orphans} files that no content names ({size_text(report.orphan_bytes)})")
    say(f"{verb} {report.xorbs} uploaded xorbs ({size_text(report.xorb_bytes)})")
    say(f"{verb} {report.objects} objects of packed contents, {report.packs} packs")
    say(f"{verb} {report.git_objects} git objects")
    say(f"{verb} what was known of {report.repos_forgotten} deleted repos")


def begin_epoch(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Let all clients of the Xet transfer forget what they have uploaded, so that they send it again.

    For after a backup was restored in a way that the next start does not notice. Safe while the hub runs.
    """
    from allmende import flows

    with opened(place) as services:
        epoch = flows.begin_epoch(services)
    if as_json:
        say_json("allmende.admin-new-epoch/1", {"epoch": epoch})
    else:
        say(f"the epoch of the Xet store is {epoch} from now on")


def check(
    *,
    deep: Annotated[bool, Parameter(help="Read every byte and compare its hash; takes time.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> int:
    """Check that every content, ref and git object is there; safe while the hub runs, changes nothing.

    The exit code is 1 when something is missing or damaged.
    """
    from allmende.flows import fsck

    with opened(place) as services:
        report = fsck(services, deep=deep)
    if as_json:
        say_json("allmende.admin-fsck/1", {"sound": report.sound, **asdict(report)})
    else:
        say(
            f"checked {report.contents} contents ({size_text(report.content_bytes)}), {report.repos} repos, "
            f"{report.objects} git objects{', every byte' if report.deep else ''}"
        )
        for finding in report.notes:
            say(f"note: {finding.kind}: {printable(finding.subject)}: {printable(finding.detail)}")
        for finding in report.problems:
            say(f"problem: {finding.kind}: {printable(finding.subject)}: {printable(finding.detail)}")
        say("nothing is missing or damaged" if report.sound else f"{len(report.problems)} problems")
    return OK if report.sound else FOUND
