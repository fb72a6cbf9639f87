"""`allmende store`: the delta store in a folder, without a hub; what goes in and comes out of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import OK
from allmende.cli.output import AsJson, note, printable, say, say_json, say_table, size_text
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from allmende.archive import Added, Entry, EntryName

__all__ = ["Store", "Wait", "add", "get", "list_of_entries", "remove"]

Store = Annotated[Path, Parameter(help="The folder of the store.")]
Wait = Annotated[
    float, Parameter(name="--wait", help="Seconds to wait for another process that writes to it.")
]


def add(
    store: Annotated[Path, Parameter(help="The folder of the store; made if it is not there.")],
    paths: Annotated[list[Path], Parameter(help="Files and folders.")],
    /,
    *,
    name: Annotated[
        str | None, Parameter(help="What to call it; a relative path is its own name if nothing is said.")
    ] = None,
    base: Annotated[
        list[str] | None, Parameter(help="What of the store to build upon; may be repeated.")
    ] = None,
    replace: Annotated[bool, Parameter(help="Let names that are taken mean the new contents.")] = False,
    wait_s: Wait = 60.0,
    as_json: AsJson = False,
) -> int:
    """Store files, and all files in folders, as what is new in them against what the store has.

    Each file is there whole when its line appears, or not at all.
    """
    from allmende.archive import Archive, add_file, entry_name
    from allmende.cli.progress import ByteProgress

    if name is not None and len(paths) != 1:
        raise BadRequest("One name cannot be that of several paths.", hint="Add them one by one.")
    bases = [entry_name(each) for each in base or ()]
    files = [file for path in paths for file in _named(path, name, store)]
    added: list[Added] = []
    with Archive.create(store, wait_s=wait_s) as archive, ByteProgress(_size_of(files)) as progress:
        for entry, path in files:
            done = add_file(archive, path, entry, bases=bases, replace=replace, tell=progress.add)
            added.append(done)
            if not as_json:
                progress.clear()
                _say_added(done)
    if as_json:
        say_json("allmende.store-add/1", {"added": [each.document() for each in added]})
    return OK


def get(
    store: Store,
    names: Annotated[list[str], Parameter(help="Entries, or folders of entries.")],
    /,
    *,
    into: Annotated[Path, Parameter(help="The folder below which they are written, by their names.")],
    replace: Annotated[bool, Parameter(help="Write over other files of these names.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write contents as files again, byte for byte as they were.

    Every byte is verified. A file is there whole or not at all; what was cut off goes on where it ended.
    """
    from allmende.archive import Archive, entries_below, entry_name, get_content
    from allmende.cli.progress import ByteProgress

    with Archive.open(store) as archive:
        entries = [entry for name in names for entry in entries_below(archive, entry_name(name.rstrip("/")))]
        written: list[dict[str, object]] = []
        with ByteProgress(sum(entry.size_bytes for entry in entries)) as progress:
            for entry in entries:
                path = into / entry.name
                fresh = get_content(archive, entry, path, replace=replace, tell=progress.add)
                written.append(_got(entry, path, fresh=fresh))
                if not as_json:
                    progress.clear()
                    word = "written" if fresh else "there"
                    say(f"{word:7}  {size_text(entry.size_bytes):>10}  {printable(str(path))}")
    if as_json:
        say_json("allmende.store-get/1", {"files": written})
    return OK


def list_of_entries(
    store: Store,
    name: Annotated[str | None, Parameter(help="Only this entry, or those in this folder.")] = None,
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """List what the store has."""
    from allmende.archive import Archive, entries_below, entry_name, list_entries

    with Archive.open(store) as archive:
        if name is None:
            entries = list_entries(archive)
        else:
            entries = entries_below(archive, entry_name(name.rstrip("/")))
    if as_json:
        listed = [
            {
                "name": entry.name,
                "sha256": entry.sha256,
                "size_bytes": entry.size_bytes,
                "added_at": entry.at,
            }
            for entry in entries
        ]
        say_json("allmende.store-ls/1", {"entries": listed})
        return OK
    say_table(
        ("added", "size", "name"),
        [(entry.at[:19], size_text(entry.size_bytes), printable(entry.name)) for entry in entries],
    )
    return OK


def remove(
    store: Store,
    names: Annotated[list[str], Parameter(help="Entries, or folders of entries.")],
    /,
    *,
    wait_s: Wait = 60.0,
    as_json: AsJson = False,
) -> int:
    """Take entries out of the store; the space of what only they needed comes back with `gc`."""
    from allmende.archive import Archive, entries_below, entry_name, remove_entries

    with Archive.open(store, wait_s=wait_s) as archive, archive.writing():
        entries = [entry for name in names for entry in entries_below(archive, entry_name(name.rstrip("/")))]
        remove_entries(archive, entries)
    if as_json:
        say_json("allmende.store-rm/1", {"removed": [entry.name for entry in entries]})
        return OK
    for entry in entries:
        say(f"removed  {printable(entry.name)}")
    note("`allmende store gc` gives the space back.")
    return OK


def _named(path: Path, name: str | None, store: Path) -> "Iterator[tuple[EntryName, Path]]":
    """The files at a path, each with the name of its entry; not those of the store itself."""
    from allmende.archive import entry_name
    from allmende.cli.inspection import list_files

    given = name
    if given is None:
        given = path.name if path.is_absolute() else os.path.normpath(path)
    kept_out = store.resolve()
    for within, place in list_files(path):
        if kept_out in place.resolve().parents:
            continue
        whole = given if not path.is_dir() else within if given == "." else f"{given.rstrip('/')}/{within}"
        yield entry_name(whole), place


def _size_of(files: "list[tuple[EntryName, Path]]") -> int:
    return sum(path.stat().st_size for _, path in files)


def _got(entry: "Entry", path: Path, *, fresh: bool) -> dict[str, object]:
    return {
        "name": entry.name,
        "path": str(path),
        "sha256": entry.sha256,
        "size_bytes": entry.size_bytes,
        "written": fresh,
    }


def _say_added(done: "Added") -> None:
    said = {"known": "the store had its bytes", "unchanged": "it was there"}.get(done.outcome, "")
    if done.stored_bytes:
        said = f"{done.size_bytes / done.stored_bytes:.1f} times smaller"
    sizes = f"{size_text(done.size_bytes):>10} in {size_text(done.stored_bytes):>10}"
    say(f"stored   {sizes}  {printable(done.name)}  {said}")
