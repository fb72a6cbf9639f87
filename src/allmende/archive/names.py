"""Names of entries: relative paths in one spelling, which lead nowhere but below a folder they are put in."""

from typing import NewType

from allmende.archive.errors import UnfitName

__all__ = ["EntryName", "entry_name"]

EntryName = NewType("EntryName", str)
"""What a content is called in a store: parts with slashes between them."""

_MAX_NAME_BYTES = 1024
_MAX_PART_BYTES = 255


def entry_name(text: str) -> EntryName:
    """The name that `text` is.

    Parts are separated by single slashes; none is empty, `.` or `..`, none holds a backslash or what cannot
    be printed. So a name is the same on every machine, and can be shown and written anywhere. Raises
    UnfitName.
    """
    objection = _objection(text)
    if objection is not None:
        raise UnfitName(
            f"{text[:200]!r} cannot be the name of an entry: {objection}.",
            hint="Give another with --name, such as run-7/step-100/model.safetensors.",
        )
    return EntryName(text)


def _objection(text: str) -> str | None:
    if not text.isprintable() or "\\" in text:
        return "it holds a character that cannot be printed, or a backslash"
    if len(text.encode()) > _MAX_NAME_BYTES:
        return f"it is longer than {_MAX_NAME_BYTES} bytes"
    for part in text.split("/"):
        if part in {"", ".", ".."}:
            return "it is empty, absolute, or has an empty part, `.` or `..` in it"
        if len(part.encode()) > _MAX_PART_BYTES:
            return f"a part is longer than {_MAX_PART_BYTES} bytes"
    return None
