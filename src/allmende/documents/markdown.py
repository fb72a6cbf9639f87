"""A document as Markdown (CommonMark); no text in it can become markup."""

import re

from allmende.documents.document import Document
from allmende.documents.presenting import Entry, present

__all__ = ["as_markdown"]

_MARKUP = re.compile(r"[\\`*_{}\[\]<>&#|~!$^=]")
_LIST_NUMBER = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_AUTOLINK = re.compile(r"\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)|(@)", re.IGNORECASE)


def as_markdown(document: Document) -> str:
    """The document as Markdown, with the draft's mark at the top and in every section."""
    shown = present(document)
    mark = f" ({_plain(shown.draft_mark)})" if shown.draft_mark else ""
    lines = [f"# {_plain(shown.title)}{mark}", ""]
    if shown.draft:
        lines += [f"**{_plain(shown.draft)}**", ""]
    lines += [f"- {_plain(line)}" for line in shown.about]
    lines += ["", _plain(shown.note), "", f"## {_plain(shown.gaps_title)}{mark}", ""]
    lines += [f"- **{_plain(name)}**: {_plain(text)}" for name, text in shown.gaps] or [_plain(shown.no_gaps)]
    for section in shown.sections:
        lines += ["", f"## {_plain(section.title)}{mark}"]
        for field in section.fields:
            lines += ["", f"### {_plain(field.heading)}", "", _plain(field.law), ""]
            lines += [line for entry in field.entries for line in _entry(entry)]
            lines += [f"- {_plain(note)}" for note in field.notes]
    lines += ["", "---", "", _plain(shown.footer), ""]
    return "\n".join(lines)


def _entry(entry: Entry) -> list[str]:
    first, *others = entry.lines or ("",)
    lines = [f"- {_plain(entry.label)}: {_plain(first)}"]
    for line in others:
        lines += ["", f"  {_plain(line)}"]
    return [*lines, f"  - {_plain(entry.origin)}"]


def _plain(text: str) -> str:
    """A text of one line, escaped so that it is nothing but text wherever it stands."""
    line = " ".join(text.split())
    line = _MARKUP.sub(lambda found: f"\\{found.group()}", line)
    line = _AUTOLINK.sub(_unlinked, line)
    line = _LIST_NUMBER.sub(r"\1\\\2", line)
    return f"\\{line}" if line[:1] in {"-", "+"} else line


def _unlinked(found: re.Match[str]) -> str:
    """An address stays text: what makes a link of it, here or on a site with bare links, is escaped."""
    word, sign = found[1] or found[3] or "", found[2] or found[4] or found[5]
    return f"{word}\\{sign}"
