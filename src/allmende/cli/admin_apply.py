"""`allmende admin apply`: accounts, memberships and tokens from one file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, note, say, say_json, say_table
from allmende.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from allmende.flows import Outcome

__all__ = ["apply"]

_MAX_BYTES = 16 * 1024 * 1024
_NAMES = {"user": "user", "org": "organisation", "member": "member", "token": "token"}


def apply(
    file: Annotated[str, Parameter(help="JSON or YAML; `-` is standard input.", allow_leading_hyphen=True)],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make users, organisations, memberships and tokens be as a file says; again changes nothing.

    All of it happens, or nothing. Tokens that the hub makes are printed this once.
    """
    from allmende.flows import apply_plan, read_plan

    if file.startswith("-") and file != "-":
        raise BadRequest(f"Unknown option: {file}.", hint="Say `allmende admin apply --help`.")
    plan = read_plan(_parse(_read(file), file))
    with opened(place, create=True) as services, services.database.write() as uow:
        outcome = apply_plan(uow, plan)
    if as_json:
        _say_as_json(outcome)
    else:
        _say(outcome)


def _read(file: str) -> str:
    if file == "-":
        data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        with Path(file).open("rb") as reader:
            data = reader.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise TooLarge(f"The file has more than the {_MAX_BYTES} bytes that are read.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8 text.", code="plan_invalid") from error


def _parse(text: str, file: str) -> object:
    import yaml

    try:
        return _json_or_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = " ".join(str(error).split())
        raise BadRequest(f"{file} is neither JSON nor YAML: {where}", code="plan_invalid") from error


def _json_or_yaml(text: str) -> object:
    import yaml

    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return yaml.safe_load(text)


def _say_as_json(outcome: "Outcome") -> None:
    say_json(
        "allmende.admin-apply/1",
        {
            "changes": [
                {"kind": change.kind, "name": change.name, "change": change.change}
                for change in outcome.changes
            ],
            "tokens": [
                {"user": token.user, "name": token.name, "role": token.role, "token": token.secret}
                for token in outcome.issued
            ],
        },
    )


def _say(outcome: "Outcome") -> None:
    for change in outcome.changes:
        say(f"{change.change} {_NAMES[change.kind]} {change.name}")
    if not outcome.changes:
        say("nothing to change")
    if outcome.issued:
        note("The tokens that the hub made are shown only now:")
        rows = [(token.user, token.name, token.role, token.secret) for token in outcome.issued]
        say_table(("USER", "NAME", "ROLE", "TOKEN"), rows)
