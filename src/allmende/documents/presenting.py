"""A document as the sentences that people read, in order: what Markdown and PDF files both set."""

from dataclasses import dataclass

from allmende.documents.document import Document, FieldGap, FilledFact, FilledField
from allmende.documents.found import Found
from allmende.law import visible

__all__ = ["Entry", "Presented", "PresentedField", "PresentedSection", "present"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact: what it is, its value in lines, and where it is from."""

    label: str
    lines: tuple[str, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class PresentedField:
    """A field: its heading, what the law says of it, its facts, and what is to be done about a gap."""

    heading: str
    law: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresentedSection:
    """A section with its fields."""

    title: str
    fields: tuple[PresentedField, ...]


@dataclass(frozen=True, slots=True)
class Presented:
    """The whole; `draft` and `draft_mark` are empty where it is none."""

    language: str
    title: str
    draft: str
    draft_mark: str
    about: tuple[str, ...]
    note: str
    gaps_title: str
    gaps: tuple[tuple[str, str], ...]
    no_gaps: str
    sections: tuple[PresentedSection, ...]
    footer: str


def present(document: Document) -> Presented:
    """The sentences; characters that show nothing or turn the text around stand as their number."""
    say = document.words.say
    gaps = document.gaps
    count = sum(gap.mandatory for gap in gaps)
    return Presented(
        language=document.words.language,
        title=document.title,
        draft=say("draft.one" if count == 1 else "draft", count=count) if document.is_draft else "",
        draft_mark=say("draft.mark") if document.is_draft else "",
        about=tuple(visible(line) for line in _about(document)),
        note=document.words.label(document.catalogue.note),
        gaps_title=say("gaps", count=len(gaps)),
        gaps=tuple((f"{gap.ref} {gap.label}", _gap(gap, document)) for gap in gaps),
        no_gaps=say("gaps.none"),
        sections=tuple(
            PresentedSection(
                document.words.label(title),
                tuple(_field(one, document) for one in document.fields if one.field.section == id),
            )
            for id, title in document.catalogue.sections.items()
            if any(one.field.section == id for one in document.fields)
        ),
        footer=document.footer,
    )


def _about(document: Document) -> list[str]:
    say, about = document.words.say, document.about
    recipient = say(f"recipient.{document.recipient}")
    lines = [say("for", recipient=recipient, article=document.catalogue.article)]
    for key, field, message in (
        ("name", "name", "subject"),
        ("commit", "commit", "revision"),
        ("dirHash", "digest", "tree"),
        ("record", "digest", "record"),
        ("application", "name", "application"),
    ):
        if about.get(key):
            lines.append(say(message, **{field: about[key]}))
    given = document.additions
    if given is None:
        lines.append(say("no_additions"))
    else:
        lines.append(say("additions", who=given.declared_by, day=given.declared_on, digest=given.sha256))
    lines.append(say("catalogue", digest=document.vocabulary.digest, act=document.vocabulary.act))
    return lines


def _gap(gap: FieldGap, document: Document) -> str:
    say = document.words.say
    state = say(f"gap.{gap.state}", facts=", ".join(gap.because))
    mandatory = say("gap.mandatory" if gap.mandatory else "gap.optional")
    return f"{state} · {mandatory}. {_ask(gap.add, document, one_of=gap.one_of)}."


def _ask(names: tuple[str, ...], document: Document, *, one_of: bool) -> str:
    wanted = document.vocabulary.facts
    told = "; ".join(f"{name} ({document.words.label(wanted[name].label)})" for name in names)
    return document.words.say("gap.ask_any" if one_of else "gap.ask", facts=told)


def _field(one: FilledField, document: Document) -> PresentedField:
    say, field = document.words.say, one.field
    notes: list[str] = []
    if one.state == "not_applicable":
        facts = ", ".join(
            say("is_not", fact=pair.split(" ")[0], word=pair.split(" ")[1]) for pair in one.because
        )
        notes.append(say("not_applicable.when", facts=facts))
    elif one.missing:
        notes.append(_ask(one.missing, document, one_of=not field.facts) + ".")
    law = say(
        "field",
        law=field.law,
        confidence=field.confidence,
        mandatory=say("gap.mandatory" if field.mandatory else "gap.optional"),
        state=say(f"state.{one.state}"),
    )
    entries = tuple(_entry(fact, document) for fact in one.facts)
    return PresentedField(f"{field.ref} {document.words.label(field.label)}", law, entries, tuple(notes))


def _entry(fact: FilledFact, document: Document) -> Entry:
    words = document.words
    label = words.label(fact.wanted.label)
    if fact.found is None:
        return Entry(label, (words.say("state.missing"),), words.say(f"missing.{fact.why}"))
    found = fact.found
    if found.not_applicable:
        lines = [words.say("not_applicable", reason=found.not_applicable)]
    else:
        lines = words.lines(fact.wanted, found.value)
    return Entry(label, tuple(visible(line.strip()) for line in lines), visible(_origin(found, document)))


def _origin(found: Found, document: Document) -> str:
    say = document.words.say
    if found.formula:
        told = say("origin.formula", formula=say(f"formula.{found.formula}"), at=found.at)
    else:
        told = say(f"origin.{found.origin}", by=found.by, at=found.at)
    told = told.rstrip(", ")
    return f"{told}; {say('origin.evidence', evidence=found.evidence)}" if found.evidence else told
