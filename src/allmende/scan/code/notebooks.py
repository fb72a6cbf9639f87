"""Jupyter notebooks: cells of code that somebody may run, and lines for a shell among them."""

from typing import Final

from allmende.formats import MalformedJson, read_json
from allmende.scan.code.python_code import examine_python
from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

SHELL_LINES = Rule(
    "notebook-shell",
    Severity.MEDIUM,
    "a notebook with lines for a shell",
    "Cells of the notebook start programs when they are run.",
    "Say in the card what they are for.",
    "IPython documentation, system shell access.",
)
RULES = (SHELL_LINES,)

_MAX_DEPTH: Final = 100
_SHELL_CELLS: Final = ("%%bash", "%%sh", "%%script", "%%system", "%%cmd", "%%powershell")
_SHELL_LINES: Final = ("!", "%system ", "%sx ", "%pip ", "%conda ")


def _claims(probe: Probe) -> Claim:
    looks = probe.head.lstrip()[:1] == b"{" and b'"cells"' in probe.head
    return Claim.NAME if probe.hint == "notebook" or looks else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Look at every cell of code. Raises Unreadable, LimitReached."""
    text = text_of(source, scan)
    try:
        notebook = read_json(text.encode(), len(text.encode()), _MAX_DEPTH)
    except MalformedJson as error:
        raise Unreadable(error.message) from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return
    for number, cell in enumerate(cells):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            lines = cell.get("source", "")
            code = "".join(map(str, lines)) if isinstance(lines, list) else str(lines)
            _examine_cell(code, scan, f"cell {number}")


def _examine_cell(code: str, scan: Scan, inside: str) -> None:
    stripped = code.lstrip()
    if stripped.startswith(_SHELL_CELLS):
        scan.found(SHELL_LINES, stripped[:200], inside=inside)
        return
    kept = []
    for line in code.splitlines():
        if line.lstrip().startswith(_SHELL_LINES):
            scan.found(SHELL_LINES, line.strip(), inside=inside)
        elif not line.lstrip().startswith(("%", "?")):
            kept.append(line)
    if kept:
        examine_python("\n".join(kept), scan, inside, imported=False)


READER = Reader("notebook", "text", _claims, _read)
