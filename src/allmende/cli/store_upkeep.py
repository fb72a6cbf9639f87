"""`allmende store stat`, `check`, `gc`: what a store saves, whether it is sound, what it can forget."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.output import AsJson, note, printable, say, say_json, say_table, size_text
from allmende.cli.store import Store, Wait

if TYPE_CHECKING:
    from allmende.archive import Checked, Collected, Rebuilt, StoreFigures

__all__ = ["check", "collect", "stat"]

_MEANS = {
    "whole_files": "files that were there under another name",
    "tensors": "tensors that were there",
    "chunks": "pieces of other files that were there",
    "residuals": "tensors stored as what is new against others",
    "compression": "compression alone",
}


def stat(store: Store, /, *, as_json: AsJson = False) -> int:
    """Say how much is stored, how much it would be as plain files, and by what means it is less."""
    from allmende.archive import Archive, figures_of

    with Archive.open(store) as archive:
        figures = figures_of(archive)
    if as_json:
        say_json("allmende.store-stat/1", figures.document())
    else:
        _say_figures(figures)
    return OK


def check(
    store: Store,
    /,
    *,
    deep: Annotated[bool, Parameter(help="Read every byte, decode everything, compare every hash.")] = False,
    rebuild: Annotated[bool, Parameter(help="Make the database anew from the packs first.")] = False,
    wait_s: Wait = 60.0,
    as_json: AsJson = False,
) -> int:
    """Check that the store is sound. Others may read meanwhile, and not write.

    Exit code: 0 sound, 1 damaged.
    """
    from allmende.archive import Archive, check_archive, rebuild_database
    from allmende.cli.progress import ByteProgress

    rebuilt = rebuild_database(store, wait_s=wait_s) if rebuild else None
    with Archive.open(store, wait_s=wait_s) as archive, ByteProgress(0) as progress:
        checked = check_archive(archive, deep=deep, tell=progress.show)
    if as_json:
        document = checked.document()
        if rebuilt is not None:
            document["rebuilt"] = rebuilt.document()
        say_json("allmende.store-check/1", document)
    else:
        _say_checked(checked, rebuilt)
    return OK if checked.sound and not (rebuilt and rebuilt.lost) else FOUND


def collect(
    store: Store,
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="Only count what would be removed.")] = False,
    wait_s: Wait = 60.0,
    as_json: AsJson = False,
) -> int:
    """Remove what no entry needs. Bases that only others are predicted from stay as long as those do."""
    from allmende.archive import Archive, collect_garbage

    with Archive.open(store, wait_s=wait_s) as archive:
        collected = collect_garbage(archive, dry_run=dry_run)
    if as_json:
        say_json("allmende.store-gc/1", {"dry_run": dry_run, **collected.document()})
    else:
        _say_collected(collected, dry_run=dry_run)
    return FOUND if collected.damaged_packs else OK


def _say_figures(figures: "StoreFigures") -> None:
    rows = [
        (
            size_text(entry.logical_bytes),
            size_text(entry.stored_bytes),
            _times(entry.logical_bytes, entry.stored_bytes),
            entry.name,
        )
        for entry in figures.entries
    ]
    say_table(("size", "new", "times", "name"), rows)
    say()
    logical, stored = size_text(figures.logical_bytes), size_text(figures.stored_bytes)
    smaller = _times(figures.logical_bytes, figures.stored_bytes)
    say(f"{logical} in {len(rows)} entries are stored in {stored}: {smaller} smaller.")
    for means, saved in figures.saved.items():
        if saved:
            say(f"{_signed(saved):>12}  saved by {_MEANS[means]}")
    for size_bytes, what in (
        (figures.bases_only_bytes, "kept because others are predicted from it"),
        (figures.garbage_bytes, "garbage: `allmende store gc` removes it"),
        (figures.own_bytes, "the store's own records"),
    ):
        if size_bytes:
            say(f"{size_text(size_bytes):>12}  {what}")


def _say_checked(checked: "Checked", rebuilt: "Rebuilt | None") -> None:
    if rebuilt is not None:
        note(
            f"The database was made anew from {rebuilt.packs} packs: {rebuilt.entries} entries,"
            f" {rebuilt.contents} contents, {rebuilt.objects} objects."
        )
        for lost in rebuilt.lost:
            say(f"lost      {printable(lost)}")
    for word, listed in (("problem", checked.problems), ("note", checked.notes)):
        for found in listed:
            say(f"{word:8}  {found.kind} {printable(found.subject)}: {printable(found.detail)}")
    how = "everything was read and decoded" if checked.deep else "--deep reads every byte"
    note(
        f"{checked.entries} entries, {checked.contents} contents, {checked.encodings} encodings in"
        f" {checked.packs} packs: {len(checked.problems)} problems; {how}."
    )


def _say_collected(collected: "Collected", *, dry_run: bool) -> None:
    would = "would be" if dry_run else "were"
    say(
        f"{collected.contents} contents, {collected.objects} objects, {collected.encodings} encodings that"
        f" have a better one, {collected.orphans} left files ({size_text(collected.garbage_bytes)})"
        f" {would} removed."
    )
    if not dry_run:
        say(f"{size_text(collected.freed_bytes)} are free again.")
    if collected.bases:
        say(
            f"{collected.bases} objects ({size_text(collected.bases_bytes)}) stay although no entry has them:"
            " others are predicted from them."
        )
    for pack in collected.damaged_packs:
        say(f"pack {pack} is damaged and was left as it is: see `allmende store check --deep`.")


def _times(logical_bytes: int, stored_bytes: int) -> str:
    return f"{logical_bytes / stored_bytes:.1f} times" if stored_bytes else "all"


def _signed(size_bytes: int) -> str:
    return f"-{size_text(-size_bytes)}" if size_bytes < 0 else size_text(size_bytes)
