"""Jupyter notebooks: cells of code, lines for a shell among them, and scripts in what is shown."""

import re
from typing import Final

from allmende.formats import JsonValue, MalformedJson, read_json
from allmende.scan.code.commands import examine_commands
from allmende.scan.code.python_code import examine_python
from allmende.scan.code.secrets import examine_secrets
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
SCRIPT_OUTPUT = Rule(
    "notebook-script",
    Severity.LOW,
    "a notebook with scripts in its outputs",
    "Outputs or texts of the notebook hold scripts, as drawing libraries write them. They run when the "
    "notebook is shown and trusted.",
    "Clear the outputs.",
    "Jupyter documentation, security in the notebook server.",
)
ACTIVE_OUTPUT = Rule(
    "notebook-active-output",
    Severity.MEDIUM,
    "a notebook that sends or fetches when it is shown",
    "A short script in the notebook opens connections, reads cookies, or loads another page or script.",
    "Clear the outputs.",
    "CWE-79: cross-site scripting; Jupyter documentation, security in the notebook server.",
)
COMMANDING_OUTPUT = Rule(
    "notebook-commanding-output",
    Severity.CRITICAL,
    "a notebook that runs code when it is shown",
    "A script in the notebook hands code to the kernel, or sends away cookies, as soon as the notebook is "
    "shown and trusted.",
    "Clear the outputs.",
    "CWE-79: cross-site scripting; CVE-2018-8768, CVE-2021-32798.",
)
RULES = (SHELL_LINES, SCRIPT_OUTPUT, ACTIVE_OUTPUT, COMMANDING_OUTPUT)

_MAX_DEPTH: Final = 100
_SHORT_CHARS: Final = 20_000
_MAX_MARKDOWN: Final = 1_000_000
_CODE: Final = re.compile(r"(?ms)^[ \t]{0,12}(```|~~~).*?^[ \t]{0,12}\1|`[^`\n]{1,300}`")
_MARKED: Final = re.compile(
    r"(?i)<\s{0,5}(?:script|iframe|object|embed|applet|form|meta|link|base)\b|"
    r"<[a-z][^<>]{0,400}[\s/\"']on[a-z]{3,20}\s{0,5}=|"
    r"javascript\s{0,5}:|\bsrcdoc\s{0,5}="
)
_HANDED: Final = re.compile(
    r"kernel\s{0,3}\.\s{0,3}(?:execute|requestExecute)|kernel\.execute|notebook\.kernel|IPython\.notebook|"
    r"Jupyter\.notebook|/api/(?:kernels|terminals|contents)|\bexecute_code\b|requestExecute"
)
_REACHING: Final = re.compile(
    r"(?i)\bfetch\s{0,3}\(|XMLHttpRequest|sendBeacon|new\s{1,5}(?:WebSocket|EventSource|Image|Worker)\b|"
    r"document\.cookie|"
    r"localStorage|\beval\s{0,3}\(|\batob\s{0,3}\(|document\.write|importScripts|\bimport\s{0,3}\(|"
    r"(?:src|data|action|href|srcdoc)\s{0,5}=\s{0,5}[\"']?\s{0,5}(?:https?:|//|data:text|javascript:)|"
    r"\$\.(?:get|post|ajax|getScript)|location\s{0,3}(?:\.href)?\s{0,3}=|window\.open\s{0,3}\(|"
    r"on[a-z]{3,20}\s{0,5}="
)
_DRAWING: Final = re.compile(
    r"(?i)https://(?:cdn\.plot\.ly|cdnjs\.cloudflare\.com|cdn\.jsdelivr\.net|unpkg\.com|cdn\.bokeh\.org|"
    r"cdn\.pydata\.org|"
    r"d3js\.org|cdn\.mathjax\.org|www\.gstatic\.com|ajax\.googleapis\.com|code\.jquery\.com|"
    r"maxcdn\.bootstrapcdn\.com|"
    r"fonts\.googleapis\.com|colab\.research\.google\.com|www\.youtube\.com/embed|player\.vimeo\.com|"
    r"requirejs\.org|"
    r"netdna\.bootstrapcdn\.com|rawcdn\.githack\.com|[\w.-]{1,60}\.(?:gradio\.live|gradio\.app|hf\.space|"
    r"wandb\.ai|tensorflow\.org))|"
    r"wandb\.ai"
)
_DRAWN: Final = re.compile(
    r"(?i)plotly|bokeh|vega|altair|google\.colab|mathjax|mpld3|ipywidgets|pyvis|leaflet|folium|mpl\.|"
    r"tensorboard|shap|require\("
)
_SHOWN: Final = frozenset(("text/html", "application/javascript", "text/javascript", "image/svg+xml",
"text/markdown",
                           "application/x-javascript", "application/xhtml+xml"))  # fmt: skip
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
        if isinstance(cell, dict):
            _examine_shown(cell, scan, f"cell {number}")
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            lines = cell.get("source", "")
            code = "".join(map(str, lines)) if isinstance(lines, list) else str(lines)
            examine_commands(code, scan, f"cell {number}")
            examine_secrets(code, scan, f"cell {number}")
            _examine_cell(code, scan, f"cell {number}")


def _joined(lines: JsonValue) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else lines if isinstance(lines, str) else ""


def _examine_shown(cell: dict[str, JsonValue], scan: Scan, inside: str) -> None:
    """What is shown of a cell without running it: texts, and outputs with their markup."""
    if cell.get("cell_type") == "markdown":
        examine_markup(_without_code(_joined(cell.get("source"))), scan, inside)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, dict) else None
        for kind in sorted(_SHOWN & data.keys()) if isinstance(data, dict) else ():
            assert isinstance(data, dict)
            examine_markup(_joined(data[kind]), scan, f"{inside}, {kind}", script="javascript" in kind)


def _without_code(text: str) -> str:
    return "" if len(text) > _MAX_MARKDOWN else _CODE.sub("", text)


def examine_markup(text: str, scan: Scan, inside: str, *, script: bool = False) -> None:
    """Find what a page does when it is shown: short scripts are read, long ones are those of libraries."""
    if not script and _MARKED.search(text) is None:
        return
    handed = _HANDED.search(text) if len(text) <= _SHORT_CHARS else None
    if handed is not None and not _DRAWN.search(text):
        scan.found(COMMANDING_OUTPUT, handed[0], inside=inside)
        return
    short = len(text) <= _SHORT_CHARS and _DRAWN.search(text) is None
    reaching = _REACHING.search(_DRAWING.sub("", text)) if short else None
    if reaching is not None and "document.cookie" in text:
        scan.found(COMMANDING_OUTPUT, reaching[0], inside=inside)
    elif reaching is not None:
        scan.found(ACTIVE_OUTPUT, reaching[0], inside=inside)
    else:
        scan.found(SCRIPT_OUTPUT, inside=inside)


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
