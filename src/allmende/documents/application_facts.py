"""What the description of an application, as `allmende assess` reads it, tells of the facts of documents."""

from allmende.documents.catalogue import Vocabulary
from allmende.documents.found import Found, FoundFacts, Origin
from allmende.documents.wording import Words
from allmende.law import Application, Fact, law_pack, wording_in
from allmende.proof import JsonValue

__all__ = ["application_facts"]

_EVIDENCE = "evidence "


def application_facts(application: Application, words: Vocabulary, spoken: Words) -> FoundFacts:
    """The facts that the description fills, by name."""
    found: dict[str, Found] = {}
    for name, wanted in words.facts.items():
        told: Found | None = None
        if wanted.application.startswith(_EVIDENCE):
            told = _held(application, wanted.application.removeprefix(_EVIDENCE))
        elif wanted.application == "name" and application.name:
            told = Found(application.name, "declared", spoken.say("description"))
        elif wanted.application == "models" and application.models:
            models: list[JsonValue] = [model.name for model in application.models]
            told = Found(models, "declared", spoken.say("description"))
        elif wanted.application == "purposes":
            told = _purposes(application.facts.get("system.purposes"), spoken)
        if told is not None:
            found[name] = told
    return found


def _held(application: Application, kind: str) -> Found | None:
    """Evidence of that kind: where each piece lies."""
    pieces = [piece for piece in application.evidence if piece.kind == kind]
    if not pieces:
        return None
    where: list[JsonValue] = [f"{piece.where} ({piece.at})" if piece.at else piece.where for piece in pieces]
    days = max((piece.at for piece in pieces), default="")
    sources = {piece.source for piece in pieces}
    origin: Origin = "declared"
    if sources in ({"attested"}, {"measured"}):
        origin = "attested" if "attested" in sources else "measured"
    return Found(where, origin, "APPLICATION.yaml", days)


def _purposes(fact: Fact | None, spoken: Words) -> Found | None:
    """The areas of Annex III that were named; none is an answer too, but no purpose."""
    if fact is None or not isinstance(fact.value, tuple) or not fact.value:
        return None
    at = fact.at.isoformat() if fact.at else ""
    words = wording_in(spoken.language, law_pack())
    purposes = ", ".join(words.word(word) for word in fact.value)
    return Found(purposes, fact.source, spoken.say("description"), at, fact.evidence)
