"""The sentences of assessments in a language: those of the pack, and those around them from the catalogue.

A language is one file `messages/LANGUAGE.yaml` and one `texts/LANGUAGE.yaml` in each pack; English needs no
texts, as the pack itself is written in it. A missing sentence is an error when the pack is loaded, never a
gap in the output.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from allmende.errors import NotOffered
from allmende.law.answers import Gap
from allmende.law.assessment import Assessment
from allmende.law.errors import Problem
from allmende.law.flop import two_figures
from allmende.law.pack import LicenceRow, Pack, Rule
from allmende.law.strict_yaml import read_strict_yaml

__all__ = ["LanguageNotOffered", "Wording", "languages", "problem_sentence", "wording_in"]

_FOLDER = Path(__file__).with_name("messages")
_PROBLEMS = Path(__file__).with_name("problems")
_ORIGINAL = "en"


class LanguageNotOffered(NotOffered):
    """There are no sentences in that language."""

    code = "language_not_offered"


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one language for one pack."""

    language: str
    pack: Pack
    messages: dict[str, str]

    def message(self, key: str, **values: object) -> str:
        """The message of that key with its values put in. Raises KeyError for a key that no catalogue has."""
        return self.messages[key].format(**values)

    def says(self, rule: Rule) -> str:
        """What the rule says."""
        return self._text("rules", rule.id, rule.says)

    def note(self, rule: Rule) -> str:
        """What is to be minded with the rule; empty where there is nothing."""
        return self._text("notes", rule.id, rule.note) if rule.note else ""

    def evidence(self, kind: str) -> str:
        """The name of a kind of evidence."""
        return self._text("evidence", kind, self.pack.evidence[kind])

    def licence(self, row: LicenceRow) -> str:
        """Why a licence is read as it is."""
        return self._text("licences", row.id, row.reason)

    def word(self, word: str) -> str:
        """A word that a question can be answered with, for people; one of no question as it is."""
        said = word.replace("_", " ")
        return (
            said if self.language == _ORIGINAL else self.pack.texts[self.language].get(f"words {word}", said)
        )

    def problem(self, problem: Problem) -> str:
        """What to answer or correct."""
        if problem.about:
            return self._text("contradictions", problem.about, problem.sentence)
        told = problem_sentence(problem, self.language)
        if self.language != _ORIGINAL and problem.given in self.pack.facts:
            return f"{self._text('facts', problem.given, self.pack.facts[problem.given].ask)} {told}"
        return told

    def ask(self, gap: Gap) -> str:
        """The question behind a gap; of a number near a threshold, where it falls and that it is too near."""
        if gap.kind == "question":
            return self._text("open", gap.name, self.pack.open_points[gap.name].ask)
        question = self._text("facts", gap.name, self.pack.facts[gap.name].ask)
        if gap.kind == "fact":
            return question
        side = self.message("near.above" if gap.above else "near.not_above")
        return self.message(
            "near.sentence",
            value=self.number(gap.value),
            threshold=self.number(gap.threshold),
            percent=round(gap.band * 100),
            side=side,
            fact=gap.name,
        )

    @staticmethod
    def number(value: float) -> str:
        """A number with two figures that count; shares and small numbers as decimals."""
        return two_figures(value) if value >= 1e6 else f"{value:.2g}"

    def footer(self, assessment: Assessment) -> str:
        """What the assessment is, and what it is not."""
        return self.message(
            "footer", version=assessment.pack.version, checked_on=assessment.pack.checked_on.isoformat()
        )

    def after_checking(self, assessment: Assessment) -> str:
        """That the day lies behind the day to which the law was checked; empty where it does not."""
        pack = assessment.pack
        if assessment.on <= pack.checked_on:
            return ""
        return self.message(
            "after_checking", on=assessment.on.isoformat(), checked_on=pack.checked_on.isoformat()
        )

    def _text(self, part: str, name: str, original: str) -> str:
        return original if self.language == _ORIGINAL else self.pack.texts[self.language][f"{part} {name}"]


def languages() -> tuple[str, ...]:
    """The languages that there are, the original first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return (_ORIGINAL, *(name for name in names if name != _ORIGINAL))


def wording_in(language: str, pack: Pack) -> Wording:
    """The sentences for a pack in a language. Raises LanguageNotOffered."""
    known = [name for name in languages() if name == _ORIGINAL or name in pack.texts]
    if language not in known:
        raise LanguageNotOffered(
            f"There are no sentences in {language[:20]!r}.", hint=f"There are: {', '.join(known)}."
        )
    return Wording(language, pack, _messages(language))


def problem_sentence(problem: Problem, language: str) -> str:
    """What to answer or correct, in a language; in English where that has no sentence for it."""
    found = {} if language == _ORIGINAL else _problems().get(language, {})
    text = found.get(problem.code)
    return problem.sentence if text is None else text.format(given=problem.given)


@cache
def _problems() -> dict[str, dict[str, str]]:
    return {path.stem: _sentences(path) for path in _PROBLEMS.glob("*.yaml")}


@cache
def _messages(language: str) -> dict[str, str]:
    return _sentences(_FOLDER / f"{language}.yaml")


def _sentences(path: Path) -> dict[str, str]:
    document = read_strict_yaml(path.read_bytes())
    assert isinstance(document, dict)
    return {key: str(value) for key, value in document.items()}
