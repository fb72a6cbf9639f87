"""Texts of programs that are no Python: shells, build files, R, JavaScript and the like.

Scripts are ordinary beside models, and run when somebody starts them. What is told is what they do: lines
that no model needs, code that is fetched, and calls that start programs from a language for data.
"""

import re
from typing import Final

from allmende.scan.code.commands import RUNS_UNASKED, examine_commands
from allmende.scan.code.python_code import examine_python
from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

STARTS_PROGRAMS = Rule(
    "program-starts-others",
    Severity.MEDIUM,
    "a script that starts programs",
    "The script hands text to a shell, evaluates text as code, or loads a library of machine code, in a "
    "language that is made for data or for pages.",
    "Say in the card what it starts, and why.",
    "CWE-78: OS command injection; CWE-95: eval injection.",
)
RULES = (STARTS_PROGRAMS,)

_IMPORTS: Final = re.compile(rb"(?m)^import[ \t]")
_MAX_CHARS: Final = 4 * 1024 * 1024
_R: Final = re.compile(
    r"(?<![\w.])(?:base::)?(?:system2?|shell(?:\.exec)?|pipe|dyn\.load|unserialize|processx::run|"
    r"sys::exec\w{0,6})\s{0,5}\(|"
    r"(?<![\w.])eval\s{0,5}\(\s{0,5}(?:base::)?(?:parse|str2lang|str2expression)\s{0,5}\(|"
    r"(?<![\w.])(?:source|readRDS|load|sys\.source|devtools::source_url|source_url|"
    r"source_gist)\s{0,5}\(\s{0,5}(?:url\s{0,3}\(\s{0,3}|"
    r"gzcon\s{0,3}\(\s{0,3}url\s{0,3}\(\s{0,3})?[\"'](?:https?|ftp):|(?<![\w.])py_run_(?:string|"
    r"file)\s{0,5}\(|"
    r"(?<![\w.])(?:do\.call|match\.fun|get|Recall)\s{0,5}\(\s{0,5}[\"']system2?[\"']"
)
_SCRIPT: Final = re.compile(
    r"\bchild_process\b|\bexecSync\s{0,3}\(|\bspawnSync\s{0,3}\(|\bprocess\.binding\s{0,3}\(|"
    r"\bnew\s{1,3}Function\s{0,3}\(\s{0,3}[\"'`]|"
    r"\beval\s{0,3}\(\s{0,3}(?:atob|Buffer|unescape|decodeURIComponent|String\.fromCharCode)|"
    r"\bWScript\.Shell\b|"
    r"\bDeno\.(?:run|Command)\b|\bBun\.spawn\b|\bos\.execute\s{0,3}\(|\bio\.popen\s{0,3}\(|"
    r"\bpackage\.loadlib\s{0,3}\(|\bloadstring\s{0,3}\(|\bffi\.load\s{0,3}\(|\b(?:shell_exec|passthru|"
    r"proc_open|popen|pcntl_exec)\s{0,3}\(|"
    r"(?<![\w.>])(?:system|exec|assert|eval)\s{0,3}\(\s{0,3}\$_?\w|\bKernel\.(?:system|exec|spawn|eval)\b|"
    r"\bIO\.popen\b|\bOpen3\.\w|"
    r"\bRuntime\.getRuntime\s{0,3}\(\s{0,3}\)\s{0,3}\.\s{0,3}exec|\bnew\s{1,3}ProcessBuilder\b|"
    r"\bProcess\.Start\s{0,3}\(|"
    r"\bos/exec\b|\bexec\.Command\s{0,3}\(|\bstd::process::Command\b|\bCommand::new\s{0,3}\(|"
    r"(?<![\w.])(?:run|read|open|success)\s{0,3}\(\s{0,3}`|\bccall\s{0,3}\(\s{0,3}\(?\s{0,3}:(?:system|"
    r"popen|execv\w{0,2})|"
    r"(?<![\w.])(?:system|dos|unix|perl|evalin|evalc)\s{0,3}\(\s{0,3}[\"']|"
    r"(?<![\w.])(?:std::)?system\s{0,3}\(\s{0,3}\"|"
    r"(?<![\w.])popen\s{0,3}\(\s{0,3}\"|\bscala\.sys\.process\b|\bsys\.process\._|(?<![\w.])qx\s{0,2}[({/|]|"
    r"(?<![\w.])(?:system|exec)\s{1,5}[\"'(]|\bRef::Util\b|\bstd\.process\.\w|\bdo\s{1,3}shell\s{1,3}script\b"
)
_LIFE: Final = re.compile(
    r"(?m)^\s{0,20}(?:\.First|\.onLoad|\.onAttach|\.Last|\.First\.lib)\s{0,5}(?:<-|=)\s{0,5}function"
)
_DANGEROUS_DOCKER: Final = re.compile(
    r"(?mi)^\s{0,8}(?:ADD)\s{1,5}(?:--\S{1,60}\s{1,3}){0,4}http://\S{1,200}"
)
_RAW_PIPES: Final = re.compile(
    r"(?m)\$\(shell\s{1,5}[^)\n]{0,200}\b(?:curl|wget)\b[^)\n]{0,200}\|\s{0,5}(?:ba)?sh"
)


def _claims(probe: Probe) -> Claim:
    if b"\0" in probe.head[:512]:
        return Claim.NONE
    if probe.hint in {"shell", "program", "r-source", "launcher", "startup"}:
        return Claim.NAME
    if probe.hint == "torch" and _IMPORTS.search(probe.head):
        return Claim.NAME
    script = probe.head.startswith(b"#!") and b"python" not in probe.head[:80].split(b"\n", 1)[0]
    cradle = probe.hint == "text" and _looks_like_a_cradle(probe.head)
    return Claim.NAME if script or cradle else Claim.NONE


def _looks_like_a_cradle(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:80].lower()
    return start.startswith(
        (b"powershell", b"cmd /c", b"cmd.exe", b"iex", b"$", b"@echo", b"curl", b"wget", b"bash", b"sh ")
    )


def _read(source: Source, scan: Scan) -> None:
    """Every line, by what the name promises. Raises LimitReached."""
    text = text_of(source, scan)[:_MAX_CHARS]
    if scan.hint == "torch":
        _read_path_file(text, scan)
        return
    unasked = scan.hint in {"launcher", "startup"}
    examine_commands(text, scan, unasked=unasked)
    if scan.hint == "startup":
        scan.found(RUNS_UNASKED, text[:120])
    if scan.hint == "r-source":
        for pattern in (_R, _LIFE):
            match = pattern.search(_without_comments(text))
            if match is not None:
                scan.found(STARTS_PROGRAMS, match[0].strip())
    elif scan.hint == "program":
        match = _SCRIPT.search(text)
        if match is not None:
            scan.found(STARTS_PROGRAMS, match[0].strip())
    elif scan.hint == "shell":
        match = _DANGEROUS_DOCKER.search(text) or _RAW_PIPES.search(text)
        if match is not None:
            scan.found(STARTS_PROGRAMS, match[0].strip())


def _read_path_file(text: str, scan: Scan) -> None:
    """A `.pth` beside packages, of which Python runs the lines that begin with `import` at every start."""
    for line in text.splitlines()[:1000]:
        if line.startswith(("import ", "import\t")):
            scan.found(RUNS_UNASKED, line[:200])
            examine_python(line, scan)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


READER = Reader("program text", "text", _claims, _read)
