"""An import contract for import-linter: what each room of the package may import, as one table.

The layers contract in `pyproject.toml` says which room stands above which. This one says the rest: which
rooms a room may use at all, which third-party packages, and which modules of the standard library only
some rooms may touch. It looks at direct imports, also at those inside functions: as every room is held to
its row, the rows together hold for the chains.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ROOT = "allmende"
SOURCES = Path(__file__).resolve().parent.parent / "src" / ROOT

VOCABULARY = ("clock", "errors", "failpoints", "ids", "seccomp", "settings")
"""What every room may import."""

GUARDED = {
    "asyncio": "async belongs to the edges and the server part of git",
    "marshal": "nothing that was uploaded is ever unmarshalled",
    "pickle": "nothing that was uploaded is ever unpickled",
    "shelve": "nothing that was uploaded is ever unpickled",
    "socket": "the network belongs to the edges",
    "sqlite3": "SQL belongs to storage and the domains, through SQLAlchemy",
    "ssl": "the network belongs to the edges",
}
"""Modules of the standard library that a room may import only if its row names them, and why."""


class RoomContract(Contract):
    """Holds the modules of one or more rooms to the imports that their row allows.

    Options: `rooms` (the rooms of this row), `may_import` (other rooms, beside the vocabulary), `packages`
    (third-party packages and guarded modules of the standard library). A room that does not exist yet is
    passed over, so that its row can stand here before its first module.
    """

    type_name = "rooms"

    # import-linter puts the parsed value into the place of each field.
    rooms: Sequence[str] = fields.ListField(subfield=fields.StringField())  # type: ignore[assignment]
    may_import: Sequence[str] = fields.ListField(subfield=fields.StringField(), default=[])  # type: ignore[assignment]
    packages: Sequence[str] = fields.ListField(subfield=fields.StringField(), default=[])  # type: ignore[assignment]

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  # the signature is import-linter's
        """Compare every direct import of the rooms with the row."""
        found = [
            (importer, imported, reason)
            for room in self.rooms
            for importer in sorted(modules_of(graph, room))
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if (reason := self.objection(room, imported))
        ]
        lines = {
            (importer, imported): [
                detail["line_number"]
                for detail in graph.get_import_details(importer=importer, imported=imported)
            ]
            for importer, imported, _ in found
        }
        return ContractCheck(kept=not found, metadata={"found": found, "lines": lines})

    def objection(self, room: str, imported: str) -> str | None:
        """Why `room` may not import `imported`, or None where it may."""
        top, _, rest = imported.partition(".")
        if top != ROOT:
            if top in self.packages or not is_kept_apart(top):
                return None
            return GUARDED.get(top, "not among the packages of this room")
        other = rest.partition(".")[0]
        if other in ("", room, *VOCABULARY):
            return None
        if other not in self.may_import:
            return f"{room} may not use {other}"
        if rest == other or rest.split(".")[1] in public_names(SOURCES / other):
            return None
        return f"not a public name of {other}"

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that the row does not allow."""
        for importer, imported, reason in check.metadata["found"]:
            lines = ", ".join(f"l.{line}" for line in check.metadata["lines"][importer, imported])
            output.print_error(f"{importer} imports {imported} ({lines}): {reason}")
        output.new_line()


def modules_of(graph: ImportGraph, room: str) -> Iterator[str]:
    """The module or package `allmende.ROOM` and everything inside it, as far as it exists."""
    name = f"{ROOT}.{room}"
    return (module for module in graph.modules if module == name or module.startswith(f"{name}."))


def is_kept_apart(top: str) -> bool:
    """Whether a top-level module needs a place in the row: third-party, or guarded standard library."""
    return top in GUARDED or top not in sys.stdlib_module_names


def public_names(package: Path) -> frozenset[str]:
    """What the package lists in `__all__`, read without importing it; nothing where it lists nothing."""
    source = package / "__init__.py"
    if not source.exists():
        return frozenset()
    for statement in ast.parse(source.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [
            "__all__"
        ]:
            return frozenset(ast.literal_eval(statement.value))
    return frozenset()
