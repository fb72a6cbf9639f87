"""A document as Markdown (CommonMark); no text in it can become markup."""

from allmende.documents.document import Document
from allmende.documents.presenting import Entry, present
from allmende.law import markdown_text

__all__ = ["as_markdown"]


def as_markdown(document: Document) -> str:
    """The document as Markdown, with the draft's mark at the top and in every section."""
    shown = present(document)
    mark = f" ({markdown_text(shown.draft_mark)})" if shown.draft_mark else ""
    lines = [f"# {markdown_text(shown.title)}{mark}", ""]
    if shown.draft:
        lines += [f"**{markdown_text(shown.draft)}**", ""]
    lines += [f"- {markdown_text(line)}" for line in shown.about]
    lines += ["", markdown_text(shown.note), "", f"## {markdown_text(shown.gaps_title)}{mark}", ""]
    lines += [f"- **{markdown_text(name)}**: {markdown_text(text)}" for name, text in shown.gaps] or [
        markdown_text(shown.no_gaps)
    ]
    for section in shown.sections:
        lines += ["", f"## {markdown_text(section.title)}{mark}"]
        for field in section.fields:
            lines += ["", f"### {markdown_text(field.heading)}", "", markdown_text(field.law), ""]
            lines += [line for entry in field.entries for line in _entry(entry)]
            lines += [f"- {markdown_text(note)}" for note in field.notes]
    lines += ["", "---", "", markdown_text(shown.footer), ""]
    return "\n".join(lines)


def _entry(entry: Entry) -> list[str]:
    first, *others = entry.lines or ("",)
    lines = [f"- {markdown_text(entry.label)}: {markdown_text(first)}"]
    for line in others:
        lines += ["", f"  {markdown_text(line)}"]
    return [*lines, f"  - {markdown_text(entry.origin)}"]
