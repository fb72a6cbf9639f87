"""What a call in a Python program does, by the name of what is called and where its arguments come from."""

import ast
import re
from enum import Enum
from typing import Final

from allmende.scan.code.python_names import Names
from allmende.scan.code.python_rules import (
    ACTS_AT_IMPORT,
    HIDDEN_CODE,
    LOADS_FOREIGN_CODE,
    MAY_ACT_AT_IMPORT,
    RUNS_COMMANDS,
    SENDS_SECRETS,
    WRITES_STARTUP,
)
from allmende.scan.findings import Rule

__all__ = ["EVALUATING", "LOADERS", "TEXT_RUNNERS", "Calls", "Moment", "is_acting"]


class Moment(Enum):
    """When a part of a program runs."""

    IMPORT = "import"
    LOAD = "load"
    """When a model is loaded by the program's classes."""
    LATER = "later"
    """When somebody calls it."""


_SHELL: Final = frozenset(
    ("os.system", "os.popen", "os.popen2", "os.popen3", "pty.spawn", "commands.getoutput",
     "commands.getstatusoutput", "subprocess.getoutput", "subprocess.getstatusoutput", "os.posix_spawn",
     "os.posix_spawnp", "os.startfile", "asyncio.create_subprocess_shell", "platform.popen",
     "distutils.spawn.spawn", "setuptools._distutils.spawn.spawn", "multiprocessing.util.spawnv_passfds",
     "_posixsubprocess.fork_exec", "pexpect.spawn", "pexpect.run", "sh.Command",
     "numpy.distutils.exec_command.exec_command", "distutils.exec_command.exec_command",
     "ptyprocess.PtyProcess.spawn", "invoke.run", "fabric.Connection().run",
     "paramiko.SSHClient().exec_command", "win32api.ShellExecute", "ctypes.windll.shell32.ShellExecuteW",
     "ctypes.windll.kernel32.WinExec")
)  # fmt: skip
_PROGRAMS: Final = frozenset(
    (*(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")),
     "asyncio.create_subprocess_exec", "asyncio.subprocess.create_subprocess_exec")
)  # fmt: skip
_REPLACING: Final = tuple(f"os.{name}" for name in ("exec", "spawn"))
EVALUATING: Final = frozenset(
    ("exec", "eval", "builtins.exec", "builtins.eval", "execfile", "types.FunctionType", "__builtins__.exec",
     "__builtins__.eval", "compile", "builtins.compile", "__builtins__.compile")
)  # fmt: skip
TEXT_RUNNERS: Final = frozenset(
    ("timeit.timeit", "timeit.repeat", "timeit.Timer", "timeit.main", "cProfile.run", "cProfile.runctx",
     "profile.run", "profile.runctx", "pdb.run", "pdb.runeval", "pdb.runctx", "bdb.Bdb().run",
     "trace.Trace().run", "code.InteractiveInterpreter().runsource",
     "code.InteractiveInterpreter().runcode", "code.interact", "code.InteractiveConsole().push",
     "code.InteractiveConsole().runsource", "doctest.run_docstring_examples",
     "numpy.f2py.crackfortran.getlincoef", "numpy.f2py.crackfortran.myeval",
     "idlelib.run.Executive().runcode", "_testcapi.run_in_subinterp", "_xxsubinterpreters.run_string",
     "_interpreters.run_string", "_interpreters.exec", "cProfile.Profile().run", "profile.Profile().run")
)  # fmt: skip
_LOADING: Final = frozenset(
    ("pickle.loads", "pickle.load", "marshal.loads", "marshal.load", "dill.loads", "dill.load",
     "cloudpickle.loads", "_pickle.loads", "_pickle.load", "joblib.load", "torch.load",
     "pandas.read_pickle", "numpy.load", "jsonpickle.decode")
)  # fmt: skip
_LITERALLY: Final = frozenset(
    ("pickle.loads", "_pickle.loads", "marshal.loads", "dill.loads", "cloudpickle.loads", "jsonpickle.decode")
)
LOADERS: Final = _LOADING | frozenset(
    ("pickle.Unpickler", "pickle.Unpickler.find_class", "pickle._Unpickler", "torch.serialization.load",
     "torch.hub.load", "builtins.open", "builtins.__import__", "builtins.exec", "builtins.eval",
     "safetensors.torch.load_file", "safetensors.safe_open", "importlib.import_module")
)  # fmt: skip
_FILE_LOADERS: Final = frozenset(
    ("runpy.run_path", "runpy.run_module", "importlib.machinery.SourceFileLoader",
     "importlib.machinery.ExtensionFileLoader", "importlib.machinery.SourcelessFileLoader", "imp.load_source",
     "imp.load_dynamic", "imp.load_compiled", "importlib.util.spec_from_file_location", "execfile",
     "_imp.create_dynamic")
)  # fmt: skip
_LIBRARIES: Final = frozenset(
    ("ctypes.CDLL", "ctypes.PyDLL", "ctypes.WinDLL", "ctypes.OleDLL", "ctypes.cdll.LoadLibrary",
     "ctypes.windll.LoadLibrary", "torch.ops.load_library", "torch.classes.load_library", "cffi.FFI().dlopen",
     "numpy.ctypeslib.load_library", "tensorflow.load_op_library", "tensorflow.load_library")
)  # fmt: skip
_BUILDING: Final = frozenset(
    ("torch.utils.cpp_extension.load", "torch.utils.cpp_extension.load_inline", "cupy.RawModule",
     "cffi.FFI().verify", "cffi.FFI().compile", "pyximport.install", "cppyy.cppdef", "cppyy.include")
)  # fmt: skip
_CODE_SUFFIX: Final = re.compile(r"\.(?:py|pyc|pyw|pyd|so|dll|dylib|cu|cpp|cc|c|cuh|h|pt2|o)(?:\.\d+)*$")
_SUFFIX: Final = re.compile(r"[\w)\]}]\.[A-Za-z]\w{0,14}$")
_NATIVE_CALL: Final = re.compile(
    r"(?:CDLL|PyDLL|WinDLL|OleDLL|LoadLibrary|dlopen|windll\.kernel32|windll\.shell32)(?:\(\))?\."
    r"(?:system|popen|exec\w+|mprotect|mmap|VirtualAlloc\w*|VirtualProtect\w*|CreateThread|dlopen|dlsym|fork|"
    r"ptrace|WinExec|ShellExecute\w*|memfd_create)"
)
_RAW_CODE: Final = frozenset(("ctypes.CFUNCTYPE()()", "ctypes.WINFUNCTYPE()()", "ctypes.PYFUNCTYPE()()"))
_C_ACTION: Final = re.compile(r"\b(?:system|popen|exec[lv]p?e?|fork|socket|connect|dlopen|WinExec)\s{0,8}\(")
_NETWORK: Final = re.compile(
    r"(?:requests|httpx|urllib\.request|urllib2|urllib3|aiohttp|http\.client|ftplib|smtplib|telnetlib|websocket|"
    r"websockets|paramiko|socket|xmlrpc\.client|dns\.resolver)\.[\w.()]{1,80}"
)
_FETCHING: Final = frozenset(
    ("urllib.request.urlopen", "urllib.request.urlretrieve", "urllib2.urlopen", "urllib.urlopen",
     "requests.get", "requests.post", "requests.put", "requests.request", "httpx.get", "httpx.post",
     "http.client.HTTPConnection", "http.client.HTTPSConnection", "ftplib.FTP", "smtplib.SMTP",
     "smtplib.SMTP_SSL")
)  # fmt: skip
_SOCKETS: Final = frozenset(
    ("socket.socket", "socket.create_connection", "socket.fromfd", "socket.create_server")
)
_DELETING: Final = frozenset(("shutil.rmtree", "os.remove", "os.unlink", "os.rmdir", "os.removedirs"))
_WATCHING: Final = (
    "pynput.",
    "keyboard.on_press",
    "keyboard.record",
    "pyxhook.",
    "pyperclip.paste",
    "PIL.ImageGrab.",
)
_INSTALLING: Final = frozenset(
    ("pip.main", "pip._internal.main", "pip._internal.cli.main.main", "pip._internal.main.main",
     "setuptools.command.easy_install.main", "ensurepip.bootstrap", "conda.cli.main")
)  # fmt: skip
_DECODING: Final = (
    "base64.", "zlib.decompress", "gzip.decompress", "bz2.decompress", "lzma.decompress", "codecs.decode",
    "marshal.loads", "binascii.", "bytes.fromhex", "bytearray.fromhex", "urllib.request.urlopen",
    "requests.get", "httpx.get", "rot13", "chr",
)  # fmt: skip
_DECODING_ENDS: Final = (
    "b64decode",
    "b85decode",
    "b32decode",
    "fromhex",
    "decompress",
    "unhexlify",
    "a85decode",
)
_TAKING_OUT: Final = frozenset(
    ("bytes", "bytearray", "chr", "torch.load", "safetensors.safe_open", "safetensors.torch.load_file",
     "numpy.load", "numpy.fromfile", "PIL.Image.open", "numpy.frombuffer", "gguf.GGUFReader", "struct.unpack")
)  # fmt: skip
_TAKING_OUT_ENDS: Final = (".decode", ".tolist", ".tobytes", ".metadata", ".get_tensor", ".translate")
_DOWNLOADING: Final = ("hf_hub_download", "snapshot_download", "cached_download", "urlopen", "urlretrieve",
                       "requests.get", "httpx.get", "download_url_to_file", "load_state_dict_from_url",
                       "gdown.download", "wget.download", "cached_file", "get_file")  # fmt: skip
_KNOWN_TOOLS: Final = frozenset(
    ("git", "nvidia-smi", "which", "uname", "pip", "hg", "rocm-smi", "nvcc", "lscpu", "python", "gcc",
     "ldconfig", "ffmpeg", "ffprobe", "rocminfo", "rocm_agent_enumerator", "sysctl", "hostname", "where",
     "c++", "g++", "clang")
)  # fmt: skip
_SHELLS: Final = frozenset(
    ("sh", "bash", "zsh", "dash", "cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh", "curl", "wget",
     "nc", "ncat", "netcat", "crontab", "ssh", "/bin/sh", "/bin/bash", "xmrig", "chmod", "rm", "perl",
     "ruby", "php")
)  # fmt: skip
_HOSTILE_WORDS: Final = (
    "/dev/tcp/", "bash -i", "sh -i", "nc -e", "| sh", "|sh", "| bash", "|bash", "rm -rf /", "crontab",
    "authorized_keys", "powershell -e", "mkfifo /tmp", "chmod +x /tmp", "stratum+tcp", "base64 -d",
)  # fmt: skip
_STARTUP: Final = re.compile(
    r"\.(?:bashrc|bash_profile|bash_login|profile|zshrc|zprofile|zshenv|cshrc|xinitrc|vimrc|pythonrc)\b|\.ssh/|"
    r"authorized_keys|/etc/(?:cron|passwd|shadow|sudoers|ld\.so|rc\.local|systemd|profile|init\.d|environment)|"
    r"\bcron\.d\b|spool/cron|\.config/(?:autostart|systemd|fish)|LaunchAgents|LaunchDaemons|"
    r"Start Menu.{1,40}Startup|(?:site|user)customize\.py|\.pth$|fish/config"
)
_SECRET_FILES: Final = re.compile(
    r"\.ssh\b|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.aws\b|\.netrc\b|huggingface[/\\](?:token|stored_tokens)|"
    r"\.git-credentials|\.kaggle\b|\.docker[/\\]config|\.npmrc|\.pypirc|\.kube[/\\]config|/etc/shadow|wallet\.dat|"
    r"Login Data|cookies\.sqlite|\.gnupg|gcloud[/\\]|\.config[/\\]gh\b|\.azure\b|/proc/self/environ"
)
_OPENING: Final = frozenset(
    ("open", "io.open", "os.open", "codecs.open", "pathlib.Path().open", "builtins.open")
)
_WRITING: Final = frozenset(
    ("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.move", "os.rename", "os.replace", "os.symlink",
     "os.link")
)  # fmt: skip
_WRITING_ENDS: Final = (".write_text", ".write_bytes", ".symlink_to", ".hardlink_to")
_ENVIRONMENTS: Final = ("environ", "environb")
_WHOLE_VIEWS: Final = frozenset(("items", "copy", "values", "data"))
_RESOLVING: Final = frozenset(
    ("__import__", "builtins.__import__", "importlib.import_module", "importlib.__import__", "getattr",
     "builtins.getattr", "pkgutil.resolve_name", "operator.attrgetter", "operator.methodcaller",
     "pydoc.locate")
)  # fmt: skip
_TELLING: Final = frozenset(
    ("exec", "eval", "compile", "__import__", "system", "popen", "Popen", "check_output", "execv", "execve",
     "spawn", "loads", "getoutput", "import_module", "run_path", "__subclasses__", "__globals__",
     "__builtins__", "__class__", "__base__", "__mro__", "os", "subprocess", "posix", "pty", "socket",
     "ctypes", "builtins")
)  # fmt: skip
_TELLING_ALONE: Final = frozenset(("exec", "eval", "__import__", "system", "popen"))
"""Names by which no table of a program calls its own functions."""
_WAYS_UP: Final = frozenset(("__base__", "__bases__", "__mro__", "mro"))


def is_acting(path: str) -> bool:
    """Whether it starts programs when it is called, by whomever."""
    plain = _plain(path)
    return plain in _SHELL or plain in _PROGRAMS or plain.startswith(_REPLACING)


def _plain(path: str) -> str:
    """The same function under its usual name."""
    for prefix in ("posix.", "nt.", "builtins.os."):
        path = f"os.{path.removeprefix(prefix)}" if path.startswith(prefix) else path
    return path


class Calls:
    """The calls of one program."""

    def __init__(self, nodes: list[ast.AST], names: Names) -> None:
        self._names = names
        self._environments = _whole_environments(nodes, names)

    def rule_of(self, node: ast.Call, moment: Moment) -> tuple[Rule, str] | None:
        """What is wrong with a call, and what is called; None where nothing is."""
        method = f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else ""
        for told in self._names.paths(node.func) if self._names.path(node.func) else (method,):
            path = _plain(told)
            rule = self._of_path(path, node, moment)
            if rule is not None:
                return rule, path
        if isinstance(node.func, ast.Subscript):
            looked_up = self._names.text(node.func.slice)
            built = not isinstance(node.func.slice, ast.Constant)
            if looked_up in _TELLING and (built or looked_up in _TELLING_ALONE):
                return HIDDEN_CODE, f"[{looked_up!r}]"
        if moment is not Moment.LATER and _climbs(node):
            return HIDDEN_CODE, "__subclasses__"
        return None

    def _of_path(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:  # noqa: PLR0911  # one line a kind
        now = moment is not Moment.LATER
        if path in EVALUATING or path in TEXT_RUNNERS:
            return self._evaluates(path, node, moment)
        if path in _LOADING:
            return self._loads(path, node, moment)
        if path in _SHELL or path.startswith(_REPLACING):
            return self._shell(node, now=now)
        if path in _PROGRAMS:
            return self._program(node, moment)
        if _NATIVE_CALL.search(path) or path in _RAW_CODE:
            return ACTS_AT_IMPORT if now else RUNS_COMMANDS
        if path in _FILE_LOADERS or path in _LIBRARIES or path in _BUILDING:
            return self._loads_file(path, node, moment)
        if path in _INSTALLING:
            return ACTS_AT_IMPORT if now else RUNS_COMMANDS
        if path == "torch.hub.load" and self._is_keyword(node, "trust_repo", value=True):
            return HIDDEN_CODE if now else LOADS_FOREIGN_CODE
        if path in _RESOLVING:
            return HIDDEN_CODE if now and self._is_built_name(node) else None
        if path.startswith(_WATCHING) or path == "os.fork":
            return ACTS_AT_IMPORT if moment is Moment.IMPORT else None
        return self._reaches(path, node, moment)

    def _evaluates(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:
        if self._unpacks(node) or (path in EVALUATING and _is_roundabout(node.func)):
            return HIDDEN_CODE
        if moment is Moment.LATER or path.endswith("compile") or _reads_version(node):
            return HIDDEN_CODE if moment is not Moment.LATER and self._takes_out(node) else None
        if self._takes_out(node):
            return HIDDEN_CODE
        return MAY_ACT_AT_IMPORT if moment is Moment.IMPORT else None

    def _loads(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:
        now = moment is not Moment.LATER
        written = self._names.text(node.args[0]) if node.args else None
        if path in _LITERALLY and (written or self._unpacks(node)):
            return HIDDEN_CODE
        if path == "numpy.load" and not self._is_keyword(node, "allow_pickle", value=True):
            return None
        if path == "torch.load" and not self._is_keyword(node, "weights_only", value=False):
            return None
        if self._is_downloaded(node):
            return HIDDEN_CODE if now else LOADS_FOREIGN_CODE
        return MAY_ACT_AT_IMPORT if moment is Moment.IMPORT and path != "numpy.load" else None

    def _shell(self, node: ast.Call, *, now: bool) -> Rule | None:
        command = self._names.text(node.args[0]) if node.args else ""
        if command in {"", "cls", "clear", "color"}:
            return None  # how programs wake up the colours of a Windows console
        return ACTS_AT_IMPORT if now else RUNS_COMMANDS

    def _program(self, node: ast.Call, moment: Moment) -> Rule | None:
        command = self._command(node)
        program = (command.split() or [""])[0]
        hostile = any(word in command for word in _HOSTILE_WORDS)
        if moment is Moment.IMPORT:
            return MAY_ACT_AT_IMPORT if program in _KNOWN_TOOLS and not hostile else ACTS_AT_IMPORT
        if moment is Moment.LOAD and (hostile or program in _SHELLS):
            return ACTS_AT_IMPORT
        return RUNS_COMMANDS if hostile else None

    def _command(self, node: ast.Call) -> str:
        """The command line, as far as it is written there."""
        first = node.args[0] if node.args else None
        if isinstance(first, (ast.List, ast.Tuple)):
            return " ".join(self._names.text(item) or "" for item in first.elts)
        return (self._names.text(first) or "") if first is not None else ""

    def _loads_file(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:
        texts = [text for argument in _arguments(node) for text in self._texts(argument)]
        named = [text for text in texts if _SUFFIX.search(text) and "\n" not in text]
        if path not in _BUILDING and any(not _CODE_SUFFIX.search(text) for text in named):
            return HIDDEN_CODE
        if moment is not Moment.LATER and path in _BUILDING and any(map(_C_ACTION.search, texts)):
            return ACTS_AT_IMPORT
        known = path in _FILE_LOADERS or path in _BUILDING or named
        return MAY_ACT_AT_IMPORT if moment is Moment.IMPORT and known else None

    def _reaches(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:
        """Connections, and files that matter to more than the program."""
        now = moment is not Moment.LATER
        if _NETWORK.fullmatch(path) and self._is_secret(node, follow=now):
            return SENDS_SECRETS
        if path in _SOCKETS:
            at_import = moment is Moment.IMPORT
            return ACTS_AT_IMPORT if at_import else RUNS_COMMANDS if path == "socket.fromfd" else None
        if path in _FETCHING:
            return MAY_ACT_AT_IMPORT if moment is Moment.IMPORT else None
        if path in _DELETING:
            return ACTS_AT_IMPORT if moment is Moment.IMPORT else None
        return self._files(path, node, moment)

    def _files(self, path: str, node: ast.Call, moment: Moment) -> Rule | None:
        writes = path in _WRITING or path.endswith(_WRITING_ENDS)
        if not writes and path not in _OPENING:
            return None
        parts = [*_arguments(node), node.func]
        texts = [text for part in parts for text in self._texts(part, follow=moment is not Moment.LATER)]
        mode = next((text for text in (self._names.text(part) for part in _arguments(node)[1:]) if text), "")
        if any(map(_STARTUP.search, texts)) and (writes or set(mode[:4]) & set("wax+")):
            return WRITES_STARTUP if moment is Moment.LATER else ACTS_AT_IMPORT
        if moment is Moment.IMPORT and (writes or set(mode[:4]) & set("wax+")):
            first = next((text for text in texts if text), "")
            if first.startswith(("/", "~", "../..")) and not first.startswith(
                ("/dev/null", "/content", "/kaggle")
            ):
                return MAY_ACT_AT_IMPORT
        secret = moment is Moment.IMPORT and any(map(_SECRET_FILES.search, texts))
        return MAY_ACT_AT_IMPORT if secret else None

    # --- where arguments come from ----------------------------------------------------------------------

    def _texts(self, node: ast.AST, *, follow: bool = True) -> list[str]:
        parts = self._names.origins(node) if follow else ast.walk(node)
        return [
            part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)
        ]

    def _called_in(self, node: ast.AST, *, follow: bool) -> list[str]:
        parts = self._names.origins(node) if follow else ast.walk(node)
        found = []
        for part in parts:
            if isinstance(part, ast.Call):
                attribute = part.func.attr if isinstance(part.func, ast.Attribute) else ""
                found.append(self._names.path(part.func) or f".{attribute}")
        return found

    def _unpacks(self, node: ast.Call) -> bool:
        """Whether an argument is made by decoding, decompressing or downloading."""
        return any(
            path.startswith(_DECODING) or path.endswith(_DECODING_ENDS)
            for argument in node.args
            for path in self._called_in(argument, follow=False)
        )

    def _takes_out(self, node: ast.Call) -> bool:
        """Whether it is made of bytes or of parts of other files; names are followed."""
        for argument in node.args[:1]:
            for path in self._called_in(argument, follow=True):
                if path in _TAKING_OUT or path.endswith(_TAKING_OUT_ENDS) or path.startswith(_DECODING):
                    return True
        return False

    def _is_downloaded(self, node: ast.Call) -> bool:
        return any(
            path.endswith(_DOWNLOADING)
            for argument in node.args[:1]
            for path in self._called_in(argument, follow=True)
        )

    def _is_secret(self, node: ast.Call, *, follow: bool) -> bool:
        for argument in (*_arguments(node), node.func):
            for part in self._names.origins(argument) if follow else ast.walk(argument):
                if id(part) in self._environments:
                    return True
                if (
                    isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and _SECRET_FILES.search(part.value)
                ):
                    return True
        return False

    def _is_built_name(self, node: ast.Call) -> bool:
        """Whether a telling name is put together, or any name is made of numbers or bytes."""
        for argument in node.args[:2]:
            text = self._names.text(argument)
            if text in _TELLING and self._names.is_built(argument):
                return True
            if any(
                path.startswith(_DECODING) or path.endswith(_DECODING_ENDS)
                for path in self._called_in(argument, follow=False)
            ):
                return True
        return False

    @staticmethod
    def _is_keyword(node: ast.Call, name: str, *, value: bool) -> bool:
        return any(
            keyword.arg == name and isinstance(keyword.value, ast.Constant) and keyword.value.value is value
            for keyword in node.keywords
        )


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _is_roundabout(function: ast.expr) -> bool:
    """Whether a function is looked up by a text, instead of being named."""
    return any(isinstance(part, (ast.Call, ast.Subscript)) for part in ast.walk(function))


def _climbs(node: ast.Call) -> bool:
    """`().__class__.__base__.__subclasses__()`: up to the root of all classes, and down to any other."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "__subclasses__":
        return False
    return any(
        (isinstance(part, ast.Attribute) and part.attr in _WAYS_UP)
        or (isinstance(part, ast.Name) and part.id == "object")
        for part in ast.walk(node.func.value)
    )


def _whole_environments(nodes: list[ast.AST], names: Names) -> set[int]:
    """Places where all of the environment is meant, and not one of its variables."""
    found = {
        id(node)
        for node in nodes
        if (isinstance(node, ast.Attribute) and node.attr in _ENVIRONMENTS)
        or (isinstance(node, ast.Name) and names.meant.get(node.id, "").endswith(_ENVIRONMENTS))
    }
    for node in nodes if found else ():
        if isinstance(node, ast.Subscript) or (
            isinstance(node, ast.Attribute) and node.attr not in _WHOLE_VIEWS
        ):
            found.discard(id(node.value))
        elif isinstance(node, ast.Compare):
            found.difference_update(map(id, node.comparators))
    return found


def _reads_version(node: ast.Call) -> bool:
    """`exec(open("version.py").read())`, as setup scripts have it."""
    reads = any(
        isinstance(inner, ast.Attribute) and inner.attr in {"read", "read_text"}
        for argument in node.args
        for inner in ast.walk(argument)
    )
    names = [
        inner.value
        for argument in node.args
        for inner in ast.walk(argument)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    ]
    return reads and all(name.endswith(".py") or not _SUFFIX.search(name) for name in names)
