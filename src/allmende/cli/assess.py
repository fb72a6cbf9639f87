"""`allmende assess`: what the EU AI Act asks of an application and of the models under it, offline."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK, USAGE
from allmende.cli.output import AsJson, complain, printable, say, say_json
from allmende.clock import system_clock
from allmende.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from allmende.law import Assessment, ImpossibleApplication, Wording

__all__ = ["assess"]

_MAX_OLD_BYTES = 8 * 1024 * 1024


class DescriptionMissing(NotFound):
    """There is nothing at the path of a description or of an older assessment."""

    code = "path_missing"


class NoSuchDay(BadRequest):
    """What stands behind `--on` is no day."""

    code = "not_a_day"


def assess(
    application: Annotated[Path, Parameter(help="The description: a YAML file.")],
    /,
    *,
    on: Annotated[
        str | None, Parameter(help="The day to assess for, YYYY-MM-DD; today if nothing is said.")
    ] = None,
    lang: Annotated[str, Parameter(help="The language of sentences: en or de.")] = "en",
    compare: Annotated[
        Path | None, Parameter(help="Say what moved since this older assessment (JSON).")
    ] = None,
    pack: Annotated[
        str | None, Parameter(help="The version of the law pack; the newest if nothing is said.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what the EU AI Act asks of an application: class, duties, dates, and what is missing.

    Exit code: 0 all is determined and nothing prohibited, 1 a line is undetermined or a practice is
    prohibited, 2 the description cannot be assessed.
    """
    from allmende import law

    known = law.law_pack(pack)
    wording = law.wording_in(lang, known)
    day = _day(on)
    older = law.read_assessment(_read(compare, _MAX_OLD_BYTES)) if compare is not None else None
    data = _read(application, law.MAX_YAML_BYTES)
    try:
        found = law.assess(law.read_application(data, known, day), known, day)
    except law.ImpossibleApplication as error:
        return _refuse(error, wording, as_json=as_json)
    document = law.assessment_document(found, wording)
    if older is not None:
        newer = law.read_assessment(json.dumps(document).encode())
        if as_json:
            _say_document(law.comparison_document(older, newer))
        else:
            _say(law.comparison_report(law.compare_assessments(older, newer), wording))
    elif as_json:
        _say_document(document)
    else:
        _say(law.assessment_report(found, wording))
    return _verdict(found)


def _verdict(found: "Assessment") -> int:
    from allmende.law import Answer

    is_open = any(line.answer is Answer.UNDETERMINED and line.relevant for line in found.lines)
    prohibited = any(
        line.answer is Answer.YES and line.rule.section == "prohibited" and not line.rule.step
        for line in found.lines
    )
    return FOUND if is_open or prohibited else OK


def _refuse(error: "ImpossibleApplication", wording: "Wording", *, as_json: bool) -> int:
    """The questions, and no result dressed as one."""
    if as_json:
        problems = [
            {"place": problem.place, "code": problem.code, "ask": wording.problem(problem)}
            for problem in error.problems
        ]
        say_json("allmende.assessment-problems/1", {"problems": problems})
    else:
        for problem in error.problems:
            complain(f"{problem.place}: {wording.problem(problem)}")
    complain(f"The description cannot be assessed as it is; {len(error.problems)} to correct.", error.hint)
    return USAGE


def _say_document(document: Mapping[str, object]) -> None:
    say_json(str(document["schema"]), {key: value for key, value in document.items() if key != "schema"})


def _say(lines: list[str]) -> None:
    for line in lines:
        say(printable(line))


def _day(text: str | None) -> date:
    if text is None:
        return system_clock().date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NoSuchDay(f"{text[:40]!r} is no day.", hint="Give it as YYYY-MM-DD.") from error


def _read(path: Path, most_bytes: int) -> bytes:
    """The file's bytes, one more than allowed at most, so that its reader refuses it."""
    if not path.is_file():
        raise DescriptionMissing(f"There is no file at {path}.")
    with path.open("rb") as file:
        return file.read(most_bytes + 1)
