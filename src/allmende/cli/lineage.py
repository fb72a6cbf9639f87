"""`allmende lineage`: where a model comes from, among the models of a folder, measured from their weights."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import OK
from allmende.cli.output import AsJson, printable, say, say_json
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from allmende.formats import JsonValue
    from allmende.weights import Edge, Lineage, Model

__all__ = ["lineage"]

_MAX_MODELS = 10_000
_GRADES = {
    "proven": "follows bit for bit",
    "strong": "at the rounding of the numbers, or of low rank",
    "likely": "by distance",
    "declared": "by its configuration alone",
    "contradicted": "its configuration says so, the weights do not",
}
_DIRECTIONS = {
    "irreversible": "what was done cannot be undone",
    "branches": "from the angles between several relatives",
    "first_seen": "from who was seen first",
    "undetermined": "cannot be told from these weights: it might be the other way round",
}


def lineage(
    query: Annotated[Path, Parameter(help="The model: a folder, or one file of weights.")],
    /,
    *,
    among: Annotated[Path, Parameter(help="A folder with a model in each folder or file below it.")],
    as_json: AsJson = False,
) -> int:
    """Say which models of a folder a model comes from, what was done to them, and how sure that is.

    Nothing but the weights is asked, except of an adapter, which may name its base. Models that share an
    architecture and no more are unrelated.
    """
    from allmende.weights import open_model, trace

    model = open_model(query)
    models, unreadable = _models(among, query)
    found = trace(model, models)
    if as_json:
        document = found.document()
        document["problems"] = list(model.problems)
        document["unreadable"] = unreadable
        say_json("allmende.lineage/1", document)
    else:
        _say(found, model, unreadable)
    return OK


def _models(among: Path, query: Path) -> "tuple[list[Model], dict[str, JsonValue]]":
    """The models below a folder but the query, named by their paths; and what could not be read, with why."""
    from allmende.weights import NoWeights, UnreadableWeights, open_model

    if not among.is_dir():
        raise BadRequest(f"{among} is no folder.", hint="Give the folder that holds the other models.")
    found: list[Model] = []
    unreadable: dict[str, JsonValue] = {}
    for place in sorted(among.iterdir()):
        if place.name.startswith(".") or _same(place, query):
            continue
        if len(found) >= _MAX_MODELS:
            raise BadRequest(f"There are more than {_MAX_MODELS} models in {among}.")
        try:
            found.append(open_model(place))
        except NoWeights:
            continue
        except (UnreadableWeights, OSError) as error:
            unreadable[place.name] = str(error)
        _progress(len(found))
    _progress(None)
    return found, unreadable


def _same(place: Path, query: Path) -> bool:
    try:
        return place.samefile(query)
    except OSError:
        return False


def _progress(count: int | None) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K" if count is None else f"\r\x1b[K{count} models", end="", file=sys.stderr, flush=True)


def _say(found: "Lineage", model: "Model", unreadable: "dict[str, JsonValue]") -> None:
    say(f"{printable(found.query)}: {model.parameters} parameters in {len(model.tensors)} tensors")
    for edge in found.edges:
        _say_edge(edge, found.compared)
    for title, names in (("comes from it", found.descendants), ("other relatives", found.relatives)):
        if names:
            say(f"{title}: {printable(', '.join(names[:20]))}{' …' if len(names) > 20 else ''}")
    for problem in model.problems:
        say(f"note: {printable(problem)}")
    for name, why in unreadable.items():
        say(f"not read: {printable(name)}: {printable(str(why))}")


def _say_edge(edge: "Edge", compared: int) -> None:
    if edge.relation == "unrelated":
        say(f"no parent among the {compared} models compared")
        return
    parents = " + ".join(
        printable(parent.path) + (f" times {parent.weight:.3g}" if parent.weight is not None else "")
        for parent in edge.parents
    )
    chain = " of ".join(relation.replace("_", " ") for relation in edge.chain)
    rank = f", rank {edge.rank}" if edge.rank is not None else ""
    say(f"{chain}{rank} ← {parents or 'a start that is not here'}")
    say(f"    {edge.grade}: {_GRADES[edge.grade]}")
    if edge.parents:
        say(f"    direction: {_DIRECTIONS[edge.direction]}")
    for name, value in edge.evidence.items():
        if isinstance(value, (int, float, str)):
            say(f"    {name.replace('_', ' ')}: {printable(str(value))}")
