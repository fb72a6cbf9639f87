"""Python source: what it does when it is imported, and what it hides; parsed, never compiled to run.

Code in a repository is ordinary and is noted. What acts as soon as the file is imported is another matter,
and so is code that unpacks other code before it runs it.
"""

import ast
import warnings
from collections.abc import Iterator
from typing import Final

from allmende.scan.code.python_names import Names, text_of
from allmende.scan.code.text_reader import text_of as read_text
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "examine_python"]

PYTHON_CODE = Rule(
    "python-code",
    Severity.LOW,
    "Python source",
    "The repository brings a program. It runs where somebody imports it, or allows remote code.",
    "Say in the card what it is for.",
    "Inventory.",
)
ACTS_AT_IMPORT = Rule(
    "python-acts-at-import",
    Severity.CRITICAL,
    "runs commands when it is imported",
    "As soon as the file is imported, it starts programs, opens connections or deletes files.",
    "Move what acts into functions that the user calls.",
    "CWE-506: embedded malicious code.",
)
MAY_ACT_AT_IMPORT = Rule(
    "python-active-import",
    Severity.MEDIUM,
    "does more than define when it is imported",
    "Importing the file starts a known tool, evaluates text as code, or loads something over the network.",
    "Move what acts into functions that the user calls.",
    "CWE-829.",
)
HIDDEN_CODE = Rule(
    "python-hidden-code",
    Severity.CRITICAL,
    "unpacks code and runs it",
    "The program decodes, decompresses or downloads text or bytes and executes them: the code that runs "
    "cannot be read in the file.",
    "Publish the source as it is.",
    "CWE-506, MITRE ATT&CK T1027: obfuscated files.",
)
RUNS_COMMANDS = Rule(
    "python-runs-commands",
    Severity.MEDIUM,
    "starts a shell",
    "A function of the program hands text to the system's shell or opens a raw connection.",
    "Call what is needed directly.",
    "CWE-78: OS command injection.",
)
DATASET_SCRIPT = Rule(
    "dataset-script",
    Severity.MEDIUM,
    "a loader of data that runs as code",
    "The dataset is built by this program, which runs on the reader's machine.",
    "Publish the data as Parquet.",
    "Hugging Face datasets, loading scripts (removed in version 4).",
)
UNPARSED = Rule(
    "python-not-parsed",
    Severity.LOW,
    "Python source that cannot be parsed",
    "The text is no program for Python 3; an import of it fails.",
    "Correct the program, or rename the file.",
    "Inventory.",
)
RULES = (PYTHON_CODE, ACTS_AT_IMPORT, MAY_ACT_AT_IMPORT, HIDDEN_CODE, RUNS_COMMANDS, DATASET_SCRIPT, UNPARSED)

_MAX_NESTING: Final = 90
_SHELL: Final = frozenset(
    ("os.system", "os.popen", "os.popen2", "os.popen3", "posix.system", "nt.system", "pty.spawn",
     "commands.getoutput",
     "commands.getstatusoutput", "subprocess.getoutput", "subprocess.getstatusoutput", "os.posix_spawn",
     "os.startfile",
     "asyncio.create_subprocess_shell")
)  # fmt: skip
_PROGRAMS: Final = frozenset(
    f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")
) | frozenset(("asyncio.create_subprocess_exec",))
_REPLACING: Final = tuple(f"os.{name}" for name in ("exec", "spawn"))
_EVALUATING: Final = frozenset(
    (
        "exec",
        "eval",
        "builtins.exec",
        "builtins.eval",
        "execfile",
        "runpy.run_path",
        "runpy.run_module",
        "code.InteractiveInterpreter",
        "types.FunctionType",
        "__builtins__.exec",
        "__builtins__.eval",
    )
)
_LOADING: Final = frozenset(
    ("pickle.loads", "pickle.load", "marshal.loads", "dill.loads", "cloudpickle.loads", "_pickle.loads")
)
_NETWORK: Final = (
    "urllib.request.urlopen", "urllib.request.urlretrieve", "urllib2.urlopen", "urllib.urlopen",
    "requests.get", "requests.post",
    "requests.put", "requests.request", "httpx.get", "httpx.post", "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "socket.create_connection", "ftplib.FTP", "smtplib.SMTP",
)  # fmt: skip
_SOCKETS: Final = frozenset(("socket.socket", "socket.create_connection", "socket.fromfd"))
_DELETING: Final = frozenset(("shutil.rmtree", "os.remove", "os.unlink", "os.rmdir", "os.removedirs"))
_DECODING: Final = (
    "base64.", "zlib.decompress", "gzip.decompress", "bz2.decompress", "lzma.decompress", "codecs.decode",
    "marshal.loads",
    "binascii.", "bytes.fromhex", "bytearray.fromhex", "urllib.request.urlopen", "requests.get",
    "httpx.get", "rot13", "chr",
)  # fmt: skip
_KNOWN_TOOLS: Final = frozenset(
    (
        "git",
        "nvidia-smi",
        "which",
        "uname",
        "pip",
        "hg",
        "rocm-smi",
        "nvcc",
        "lscpu",
        "python",
        "gcc",
        "ldconfig",
    )
)
_BUILDERS: Final = (
    "GeneratorBasedBuilder",
    "ArrowBasedBuilder",
    "DatasetBuilder",
    "BeamBasedBuilder",
    "BuilderConfig",
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def examine_python(text: str, scan: Scan, inside: str = "", *, imported: bool = True) -> None:
    """Find what a program does. With `imported` its top level runs by itself, unlike a cell."""
    tree = _parsed(text)
    if tree is None:
        scan.found(UNPARSED, inside=inside)
        return
    names = Names(tree)
    running = set(_running_at_import(tree)) if imported else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _examine_call(node, names, scan, inside, at_import=id(node) in running)
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                path = names.path(base) or ""
                if path.rpartition(".")[2] in _BUILDERS:
                    scan.found(DATASET_SCRIPT, path, detail=f"Line {node.lineno}.", inside=inside)


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree; None where there is none, or where it would be nested too deep to walk."""
    depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            if depth > _MAX_NESTING:
                return None
        elif character in ")]}":
            depth = max(0, depth - 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _running_at_import(tree: ast.Module) -> Iterator[int]:
    """The calls that an import runs: at the top level, and in functions of the file called from there."""
    functions = {
        node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    waiting: list[ast.AST] = [node for node in tree.body if not _only_as_program(node)]
    entered: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield id(node)
            if isinstance(node.func, ast.Name) and node.func.id in functions and node.func.id not in entered:
                entered.add(node.func.id)
                waiting += functions[node.func.id].body
        if isinstance(node, _FUNCTIONS):
            # The body waits for a call; decorators and defaults do not.
            waiting += [
                *node.args.defaults,
                *(default for default in node.args.kw_defaults if default is not None),
            ]
            waiting += [] if isinstance(node, ast.Lambda) else node.decorator_list
            if isinstance(node, ast.Lambda):
                waiting.append(node.body)
        else:
            waiting += ast.iter_child_nodes(node)


def _only_as_program(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":` holds what an import leaves out."""
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _examine_call(node: ast.Call, names: Names, scan: Scan, inside: str, *, at_import: bool) -> None:
    path = names.path(node.func)
    if path is None:
        return
    rule = _rule_of(path, node, names, at_import=at_import)
    if rule is not None:
        shown = text_of(node.args[0]) if node.args else None
        scan.found(
            rule,
            path if shown is None else f"{path}({shown!r})",
            detail=f"Line {node.lineno}.",
            inside=inside,
        )


def _rule_of(path: str, node: ast.Call, names: Names, *, at_import: bool) -> Rule | None:  # noqa: PLR0911
    if path in _EVALUATING or path in _LOADING or path == "compile":
        if _unpacks(node, names):
            return HIDDEN_CODE
        return MAY_ACT_AT_IMPORT if at_import and path in _EVALUATING and not _reads_version(node) else None
    if path in _SHELL or path.startswith(_REPLACING):
        return _shell_rule(node, at_import=at_import)
    if path in _PROGRAMS:
        if not at_import:
            return RUNS_COMMANDS if _is_hostile(_command(node)) else None
        return MAY_ACT_AT_IMPORT if _program(node) in _KNOWN_TOOLS else ACTS_AT_IMPORT
    if path in _SOCKETS:
        return ACTS_AT_IMPORT if at_import else RUNS_COMMANDS if path == "socket.fromfd" else None
    if path in _NETWORK or path in _LOADING:
        return MAY_ACT_AT_IMPORT if at_import else None
    if path in _DELETING and at_import:
        return ACTS_AT_IMPORT
    if path in {"ctypes.CDLL", "ctypes.cdll.LoadLibrary", "ctypes.WinDLL"} and at_import:
        return MAY_ACT_AT_IMPORT if node.args and text_of(node.args[0]) is not None else None
    return None


def _shell_rule(node: ast.Call, *, at_import: bool) -> Rule | None:
    command = text_of(node.args[0]) if node.args else ""
    if command in {"", "cls", "clear", "color"}:
        return None  # how programs wake up the colours of a Windows console
    return ACTS_AT_IMPORT if at_import else RUNS_COMMANDS


def _command(node: ast.Call) -> str:
    """The command line, as far as it is written there."""
    first = node.args[0] if node.args else None
    if isinstance(first, (ast.List, ast.Tuple)):
        return " ".join(text_of(item) or "" for item in first.elts)
    return (text_of(first) or "") if first is not None else ""


def _program(node: ast.Call) -> str:
    words = _command(node).split()
    return words[0] if words else ""


def _is_hostile(command: str) -> bool:
    """Words that only commands of attackers put together."""
    hostile = (
        "/dev/tcp/", "bash -i", "sh -i", "nc -e", "| sh", "|sh", "| bash", "|bash", "rm -rf /", "crontab",
        "authorized_keys", "powershell -e", "mkfifo /tmp", "chmod +x /tmp",
    )  # fmt: skip
    return any(word in command for word in hostile)


def _unpacks(node: ast.Call, names: Names) -> bool:
    """Whether the argument is made by decoding, decompressing or downloading."""
    for argument in node.args:
        for inner in ast.walk(argument):
            if isinstance(inner, ast.Call):
                path = names.path(inner.func) or (
                    inner.func.attr if isinstance(inner.func, ast.Attribute) else ""
                )
                if path.startswith(_DECODING) or path.endswith(
                    ("b64decode", "fromhex", "decompress", "unhexlify")
                ):
                    return True
    return False


def _reads_version(node: ast.Call) -> bool:
    """`exec(open("version.py").read())`, as setup scripts have it."""
    return any(
        isinstance(inner, ast.Attribute) and inner.attr in {"read", "read_text"}
        for argument in node.args
        for inner in ast.walk(argument)
    )


def _claims(probe: Probe) -> Claim:
    shebang = probe.head.startswith(b"#!") and b"python" in probe.head[:80].split(b"\n", 1)[0]
    return Claim.NAME if probe.hint == "python" or shebang else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Note the program, and what it does."""
    scan.found(PYTHON_CODE)
    examine_python(read_text(source, scan), scan)


READER = Reader("python", "text", _claims, _read)
