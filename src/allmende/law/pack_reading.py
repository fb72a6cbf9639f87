"""Reads a law pack from its folder of YAML files, strictly: unknown keys are refused, every name resolves."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import cast

from allmende.law.condition_grammar import NotACondition, read_condition
from allmende.law.conditions import All, Condition
from allmende.law.errors import ImpossiblePack, LawPackMissing, Problem
from allmende.law.pack import (
    CONFIDENCE,
    Contradiction,
    Fine,
    LicenceRow,
    OpenPoint,
    Pack,
    Phase,
    Rule,
    RuleKind,
    Source,
    Subject,
    Timing,
)
from allmende.law.pack_checking import check_pack, digests_of_rules, facts_named, in_order
from allmende.law.shapes import Shape
from allmende.law.strict_yaml import Plain, YamlRefused, read_strict_yaml
from allmende.law.values import FactKind, Kind

__all__ = ["law_pack", "law_pack_versions", "read_pack"]

_PACKS = Path(__file__).with_name("packs")
_KINDS = ("yes_no", "choice", "choices", "number", "date", "text")
_TABLES = ("pack", "facts", "open", "timings", "evidence", "licences", "contradictions")
"""Files with a form of their own; every other one holds rules."""
_DEFAULTS = ("timing", "confidence", "sources")


def law_pack_versions() -> tuple[str, ...]:
    """The packs that come with this program, the newest last."""
    return tuple(sorted(folder.name for folder in _PACKS.iterdir() if (folder / "pack.yaml").is_file()))


@cache
def law_pack(version: str | None = None) -> Pack:
    """The pack of that version, or the newest. Raises LawPackMissing and ImpossiblePack."""
    known = law_pack_versions()
    if version is not None and version not in known:
        raise LawPackMissing(f"There is no law pack {version!r}.", hint=f"There are: {', '.join(known)}.")
    return read_pack(_PACKS / (version or known[-1]))


def read_pack(folder: Path) -> Pack:
    """The pack in a folder: `pack.yaml` and its tables, files of rules, and `texts/LANGUAGE.yaml`.

    Raises ImpossiblePack with everything that is wrong, OSError where the folder cannot be read.
    """
    files = sorted([*folder.glob("*.yaml"), *folder.glob("texts/*.yaml")])
    bodies = {path.relative_to(folder).as_posix().removesuffix(".yaml"): path.read_bytes() for path in files}
    reading = _Reading(bodies)
    missing = [name for name in _TABLES if name not in bodies]
    if missing:
        raise ImpossiblePack(
            [Problem(f"{name}.yaml", "file_missing", "The file is missing.") for name in missing]
        )
    pack = reading.pack()
    if reading.problems:
        raise ImpossiblePack(reading.problems)
    return pack


class _Reading:
    """Goes through the files of a pack and collects what is wrong with them."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self._bodies = bodies
        self.problems: list[Problem] = []

    def pack(self) -> Pack:
        """The pack; only to be used where `problems` is empty."""
        head, sources = self._head()
        rules = [
            rule
            for name in self._bodies
            if name not in _TABLES and not name.startswith("texts/")
            for rule in self._rules(name)
        ]
        timings = self._timings()
        ordered = in_order(rules, timings, self.problems)
        pack = Pack(
            version=head.text(self._top["version"], "version"),
            digest=self._digest(),
            valid_from=head.day(self._top["valid_from"], "valid_from"),
            checked_on=head.day(self._top["checked_on"], "checked_on"),
            jurisdiction=head.text(self._top["jurisdiction"], "jurisdiction"),
            sources=sources,
            facts=self._facts(),
            open_points=self._open_points(),
            timings=timings,
            evidence=self._evidence(),
            licences=self._licences(),
            contradictions=self._contradictions(),
            rules=ordered,
            listing=tuple(rule.id for rule in rules),
            summary=head.words(self._top["summary"], "summary"),
            rule_digests=digests_of_rules(ordered, timings),
            rule_facts={rule.id: facts_named(rule, timings) for rule in ordered},
            texts=self._texts(),
        )
        self.problems += head.problems
        if not self.problems:
            self.problems += check_pack(pack)
        return pack

    def _digest(self) -> str:
        whole = hashlib.sha256()
        for name, body in sorted(self._bodies.items()):
            whole.update(f"{name} {len(body)}\n".encode() + body)
        return whole.hexdigest()

    def _read(self, name: str) -> Plain:
        try:
            return read_strict_yaml(self._bodies[name])
        except YamlRefused as error:
            problem = error.problem
            self.problems.append(Problem(f"{name}.yaml: {problem.place}", problem.code, problem.sentence))
            return {}

    def _table(self, name: str) -> Iterator[tuple[Shape, str, Plain]]:
        """Each entry of a table with its name; what is found wrong with it is taken over."""
        shape = Shape(f"{name}.yaml")
        for key, value in shape.any_mapping(self._read(name), "file").items():
            yield shape, key, value
        self.problems += shape.problems

    def _head(self) -> tuple[Shape, Mapping[str, Source]]:
        shape = Shape("pack.yaml")
        keys = ("version", "valid_from", "checked_on", "jurisdiction", "summary", "sources")
        found = shape.mapping(self._read("pack"), "file", keys)
        self._top = {key: found.get(key) for key in keys}
        sources = {}
        for id_, value in shape.any_mapping(self._top["sources"], "sources").items():
            entry = shape.mapping(value, id_, ("title", "published", "binding"))
            sources[id_] = Source(
                id_,
                shape.text(entry.get("title"), f"{id_}.title"),
                shape.day(entry.get("published"), f"{id_}.published"),
                shape.flag(entry.get("binding"), f"{id_}.binding"),
            )
        return shape, sources

    def _facts(self) -> Mapping[str, FactKind]:
        kinds = {}
        for shape, name, value in self._table("facts"):
            entry = shape.mapping(value, name, ("kind", "ask"), ("words", "never", "least", "most", "unit"))
            kinds[name] = FactKind(
                name=name,
                kind=cast("Kind", shape.word(entry.get("kind"), f"{name}.kind", _KINDS)),
                ask=shape.text(entry.get("ask"), f"{name}.ask"),
                words=shape.words(entry.get("words", []), f"{name}.words"),
                never=shape.flag(entry.get("never", False), f"{name}.never"),
                least=shape.number(entry.get("least", 0), f"{name}.least"),
                most=shape.number(entry.get("most", 1e40), f"{name}.most"),
                unit=shape.text(entry["unit"], f"{name}.unit") if "unit" in entry else "",
            )
        return kinds

    def _open_points(self) -> Mapping[str, OpenPoint]:
        points = {}
        for shape, id_, value in self._table("open"):
            entry = shape.mapping(value, id_, ("article", "ask", "source"))
            texts = [shape.text(entry.get(key), f"{id_}.{key}") for key in ("article", "ask", "source")]
            points[id_] = OpenPoint(id_, *texts)
        return points

    def _timings(self) -> Mapping[str, Timing]:
        timings = {}
        for shape, id_, value in self._table("timings"):
            phases = [self._phase(shape, place, item) for place, item in shape.items(value, id_)]
            timings[id_] = Timing(id_, tuple(phases))
        return timings

    def _phase(self, shape: Shape, place: str, value: Plain) -> Phase:
        entry = shape.mapping(value, place, ("from", "article", "confidence"), ("when", "transitional"))
        return Phase(
            start=shape.day(entry.get("from"), f"{place}.from"),
            article=shape.text(entry.get("article"), f"{place}.article"),
            confidence=shape.word(entry.get("confidence"), f"{place}.confidence", CONFIDENCE),
            when=self._condition(shape, entry["when"], f"{place}.when") if "when" in entry else None,
            transitional=shape.flag(entry.get("transitional", False), f"{place}.transitional"),
        )

    def _evidence(self) -> Mapping[str, str]:
        return {kind: shape.text(value, kind) for shape, kind, value in self._table("evidence")}

    def _licences(self) -> Mapping[str, LicenceRow]:
        rows = {}
        for shape, id_, value in self._table("licences"):
            entry = shape.mapping(value, id_, ("free", "reason", "confidence"))
            free = shape.word(entry.get("free"), f"{id_}.free", ("free", "not_free", "disputed"))
            reason = shape.text(entry.get("reason"), f"{id_}.reason")
            letter = shape.word(entry.get("confidence"), f"{id_}.confidence", CONFIDENCE)
            rows[id_] = LicenceRow(id_, free, reason, letter)  # type: ignore[arg-type]
        return rows

    def _contradictions(self) -> tuple[Contradiction, ...]:
        found = []
        for shape, id_, value in self._table("contradictions"):
            entry = shape.mapping(value, id_, ("subject", "when", "says"))
            subject = shape.word(entry.get("subject"), f"{id_}.subject", ("application", "model"))
            condition = self._condition(shape, entry.get("when"), f"{id_}.when")
            says = shape.text(entry.get("says"), f"{id_}.says")
            found.append(Contradiction(id_, cast("Subject", subject), condition, says))
        return tuple(found)

    def _texts(self) -> Mapping[str, Mapping[str, str]]:
        texts: dict[str, Mapping[str, str]] = {}
        for name in self._bodies:
            if name.startswith("texts/"):
                flat = {}
                for shape, part, value in self._table(name):
                    for key, sentence in shape.any_mapping(value, part).items():
                        flat[f"{part} {key}"] = shape.text(sentence, f"{part}.{key}")
                texts[name.removeprefix("texts/")] = flat
        return texts

    def _rules(self, name: str) -> Iterator[Rule]:
        shape = Shape(f"{name}.yaml")
        top = shape.mapping(self._read(name), "file", ("section", "subject", "rules"), ("defaults",))
        defaults = shape.mapping(top.get("defaults", {}), "defaults", (), _DEFAULTS)
        subject = cast("Subject", shape.word(top.get("subject"), "subject", ("application", "model")))
        section = shape.text(top.get("section"), "section")
        for id_, value in shape.any_mapping(top.get("rules"), "rules").items():
            yield self._rule(shape, id_, value, section, subject, defaults)
        self.problems += shape.problems

    def _rule(
        self,
        shape: Shape,
        id_: str,
        value: Plain,
        section: str,
        subject: Subject,
        defaults: Mapping[str, Plain],
    ) -> Rule:
        required = ("article", "when", "says")
        optional = (*_DEFAULTS, "who", "evidence", "fine", "note", "guidance", "step")
        entry = {**defaults, **shape.mapping(value, id_, required, optional)}
        kind: RuleKind = "duty" if "who" in entry else "fine" if "fine" in entry else "conclusion"
        return Rule(
            id=id_,
            section=section,
            subject=subject,
            kind=kind,
            article=shape.text(entry.get("article"), f"{id_}.article", longest=120),
            when=self._condition(shape, entry.get("when"), f"{id_}.when"),
            says=shape.text(entry.get("says"), f"{id_}.says"),
            timing=shape.text(entry.get("timing"), f"{id_}.timing"),
            confidence=shape.word(entry.get("confidence"), f"{id_}.confidence", CONFIDENCE),
            binding=not shape.flag(entry.get("guidance", False), f"{id_}.guidance"),
            sources=shape.words(entry.get("sources"), f"{id_}.sources"),
            who=shape.words(entry.get("who", []), f"{id_}.who"),
            evidence=shape.words(entry.get("evidence", []), f"{id_}.evidence"),
            fine=self._fine(shape, entry["fine"], f"{id_}.fine") if "fine" in entry else None,
            note=shape.text(entry["note"], f"{id_}.note") if "note" in entry else "",
            step=shape.flag(entry.get("step", False), f"{id_}.step"),
        )

    def _fine(self, shape: Shape, value: Plain, place: str) -> Fine:
        entry = shape.mapping(value, place, ("amount_eur", "percent"), ("lower_when",))
        return Fine(
            amount_eur=shape.number(entry.get("amount_eur"), f"{place}.amount_eur"),
            percent=shape.number(entry.get("percent"), f"{place}.percent"),
            lower=self._condition(shape, entry["lower_when"], place) if "lower_when" in entry else None,
        )

    @staticmethod
    def _condition(shape: Shape, value: Plain, place: str) -> Condition:
        try:
            return read_condition(shape.text(value, place, longest=4000))
        except NotACondition as error:
            shape.wrong(place, "not_a_condition", str(error))
            return All(())
