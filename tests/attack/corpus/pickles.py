"""Bare pickles: every way to import, call and build, every kind of gadget, and ordinary ones beside them."""

import collections
import datetime as dt
import pickle
import struct
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases", "global_call", "text"]

GADGETS = """
" os.system os.popen os.execv os.spawnl os.remove posix.system nt.system subprocess.Popen
subprocess.run subprocess.check_output subprocess.getoutput builtins.eval builtins.exec
builtins.compile builtins.open builtins.__import__ builtins.getattr builtins.breakpoint builtins.map
builtins.filter builtins.globals builtins.input builtins.vars builtins.setattr builtins.delattr
builtins.memoryview importlib.import_module importlib.__import__ importlib._bootstrap._load
pkgutil.resolve_name pkgutil.get_data runpy.run_path runpy._run_code operator.attrgetter
operator.methodcaller operator.call functools.reduce functools.partialmethod types.FunctionType
types.MethodType types.new_class marshal.loads pickle.loads pickle.load _pickle.loads cPickle.loads
shelve.open dbm.open sqlite3.connect logging.config.dictConfig logging.config.listen socket.socket
socket.create_connection http.client.HTTPConnection urllib.request.urlopen
urllib.request.urlretrieve ftplib.FTP smtplib.SMTP telnetlib.Telnet webbrowser.open shutil.rmtree
shutil.copyfile tempfile.mktemp io.open io.FileIO _io.FileIO codecs.open codecs.lookup
fileinput.input linecache.getlines atexit.register signal.signal threading.Thread
_thread.start_new_thread multiprocessing.Process concurrent.futures.ProcessPoolExecutor sys.settrace
sys.exit sys.modules gc.get_objects inspect.getsource dis.dis trace.Trace site.addsitedir
sysconfig.get_config_var platform.popen platform._syscmd_ver cgitb.enable xmlrpc.client.ServerProxy
xml.etree.ElementTree.parse timeit.timeit timeit.main profile.run cProfile.run cProfile.runctx
pdb.run pdb.Pdb bdb.Bdb doctest.debug_script code.interact code.InteractiveInterpreter
codeop.compile_command pty.spawn idlelib.pyshell.ModifiedInterpreter idlelib.run.Executive
lib2to3.pgen2.grammar.Grammar asyncio.run asyncio.unix_events._UnixSubprocessTransport.\u200bx
ctypes.CDLL ctypes.cdll ctypes.pythonapi distutils.spawn.spawn distutils.file_util.write_file
ensurepip._run_pip ensurepip.bootstrap pip.main pip._internal.main venv.create zipimport.zipimporter
imp.load_source imp.load_dynamic commands.getoutput test.support.script_helper.assert_python_ok
uuid._get_command_stdout turtledemo.main antigravity.geohash this.s crypt.crypt mailcap.findmatch
pipes.Template _interpreters.run_string _xxsubinterpreters.run_string _posixsubprocess.fork_exec
_winapi.CreateProcess numpy.load numpy.fromfile numpy.memmap numpy.savetxt
numpy.testing._private.utils.runstring numpy.f2py.compile numpy.distutils.exec_command.exec_command
numpy.core._multiarray_umath.load_thing torch.load torch.hub.load torch.hub.load_state_dict_from_url
torch.jit.load torch.utils.cpp_extension.load_inline torch.serialization.load
torch.utils.bottleneck.__main__.run_cprofile torch.utils.collect_env.run
torch._dynamo.guards.GuardBuilder.get torch.utils._config_module.load_config
torch.distributed.rpc.init_rpc torch.package.package_importer.load pandas.read_pickle pandas.eval
pandas.io.common.get_handle sklearn.datasets.fetch_openml joblib.load sklearn.externals.joblib.load
cloudpickle.loads cloudpickle.cloudpickle.subimport dill.loads dill._dill._import_module
dill._dill._eval_repr keras.models.load_model keras.utils.get_file
keras.src.saving.pickle_utils.deserialize_model_from_bytecode tensorflow.io.read_file
transformers.pipeline transformers.dynamic_module_utils.get_class_from_dynamic_module yaml.load
yaml.unsafe_load jinja2.Template requests.get aiohttp.request httpx.get paramiko.SSHClient
fabric.Connection pexpect.spawn sh.Command docker.from_env IPython.start_ipython cffi.FFI numba.jit
psutil.Popen nltk.download setuptools.sandbox.run_setup django.core.management.call_command
flask.cli.main hydra.utils.instantiate fsspec.open huggingface_hub.snapshot_download
""".split()  # noqa: SIM905  # a list of two hundred texts is no easier to read


def text(value: str) -> bytes:
    """A short text in protocol 4."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def global_call(module: str, name: str, argument: str = "echo inert") -> bytes:
    """The usual form: import by GLOBAL, one argument, REDUCE."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


def stack_global(module: bytes, name: bytes, rest: bytes = b"(tR.") -> bytes:
    """Import by STACK_GLOBAL in protocol 4, with whatever makes the names."""
    return b"\x80\x04" + module + name + b"\x93" + rest


def _gadgets() -> Iterator[tuple[str, bytes]]:
    for gadget in GADGETS:
        path = gadget.replace("\u200b", "")
        module, _, name = path.rpartition(".")
        yield f"{path}-0", global_call(module, name)
        yield f"{path}-4", stack_global(text(module), text(name), b"\x8c\x01x\x85R.")


def _forms() -> Iterator[tuple[str, bytes]]:
    call = b"cos\nsystem\n(S'true'\ntR."
    harmless = pickle.dumps({"weights": list(range(50))}, 4)
    body = b"cos\nsystem\n(S'true'\ntR"
    yield "inst", b"(S'true'\nios\nsystem\n."
    yield "inst-protocol-2", b"\x80\x02(U\x04trueios\nsystem\n."
    yield "obj", b"(cos\nsystem\nS'true'\no."
    yield "newobj", b"\x80\x02csubprocess\nPopen\nU\x04true\x85\x81."
    yield "newobj-ex", b"\x80\x04csubprocess\nPopen\n\x8c\x04true\x85}\x92."
    yield "result-popped", body + b"0N."
    yield "result-popped-by-mark", b"(" + body + b"1N."
    yield "result-in-a-list", b"](" + body + b"e."
    yield "result-as-a-key", b"}(" + body + b"NuN."
    yield "result-as-an-argument", b"cbuiltins\nset\n((" + body + b"ltR."
    yield "build-on-a-module-object", b"cos\nenviron\n}(S'PATH'\nS'/tmp'\nub."
    yield "build-on-a-class", b"ccollections\nOrderedDict\n}(S'__init__'\nN0N0S'x'\nub."
    yield "import-alone", b"cantigravity\nfly\n."
    yield "protocol-1-in-a-text", b"(dp0\nS'a'\np1\n" + body + b"p2\ns."
    yield "after-a-harmless-stream", harmless + call
    yield "after-many-streams", harmless * 20 + call
    yield "after-padding", harmless + b"\0" * 4096 + call
    yield "before-a-break", call[:-1] + b"\xff\xfe\xfd broken"
    yield "before-the-end-is-missing", b"\x80\x04" + call[:-1]
    yield "behind-much-padding", b"\x80\x04" + b"N0" * 200_000 + call
    yield (
        "names-on-the-stack-by-memo",
        b"\x80\x04"
        + text("os")
        + b"\x94"
        + text("system")
        + b"\x94N0h\x00h\x01\x93"
        + text("true")
        + b"\x85R.",
    )
    yield (
        "memo-overwritten",
        b"\x80\x04" + text("json") + b"q\x00" + text("os") + b"q\x000h\x00" + text("system") + b"\x93(tR.",
    )
    yield "memo-by-number-in-text", b"Vos\np7\n0Vsystem\np8\n0g7\ng8\n\x93(tR."
    yield "escaped-text", b"\x80\x02(S'o\\x73'\nS'\\x73ystem'\n\x93(tR."
    yield "unicode-escapes", b"V\\u006fs\nVsyst\\u0065m\n\x93(tR."
    yield (
        "long-opcodes",
        b"\x80\x04\x8d" + struct.pack("<Q", 2) + b"osX" + struct.pack("<I", 6) + b"system\x93(tR.",
    )
    yield "frames-that-lie", b"\x80\x04\x95" + struct.pack("<Q", 3) + b"cos\nsystem\n(tR."
    yield "dup", b"cos\nsystem\n2(S'true'\ntR0."
    yield "extension-1", b"\x80\x02\x82\x01(tR."
    yield "extension-2", b"\x80\x02\x83\x01\x01(tR."
    yield "extension-4", b"\x80\x02\x84\x01\x00\x00\x00(tR."
    yield "dotted-name", stack_global(text("collections"), text("abc.sys.modules"))
    yield "dotted-through-numpy", stack_global(text("numpy"), text("__builtins__.eval"))
    yield "dunder", stack_global(text("builtins"), text("__build_class__"))
    yield (
        "dunder-of-a-known-class",
        stack_global(text("collections"), text("OrderedDict.__init__.__globals__")),
    )
    yield "submodule-of-a-known-package", global_call("torch.utils._pytree_evil", "run")
    yield "known-class-lower-case", global_call("collections", "namedtuple")
    yield "old-name-of-builtins", b"\x80\x02c__builtin__\neval\n(U\x011tR."
    yield "old-name-reduce", b"\x80\x02c__builtin__\nreduce\n(U\x011tR."
    yield "exceptions-module", b"\x80\x02cexceptions\neval\n(U\x011tR."
    yield "getattr-of-a-class", b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'fromkeys'\ntR."
    yield "getattr-of-a-dunder", b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'__SUBCLASSES__'\ntR."
    yield "codec-hex", b"c_codecs\nencode\n(S'x'\nS'hex'\ntR."
    yield "codec-zip", b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR."
    yield "partial-called", b"cfunctools\npartial\n(cbuiltins\nlist\ntR(tR."
    yield "type-made", b"cbuiltins\ntype\n(S'X'\n(cbuiltins\nobject\nt}tR."
    yield "call-of-a-call", b"cbuiltins\ntype\n(NtR(tR."
    yield "reconstructor-of-a-function", b"ccopyreg\n_reconstructor\n(cos\nsystem\ncbuiltins\nobject\nNtR."
    yield "reconstructor-with-a-value", b"ccopyreg\n_reconstructor\n(cnumpy\nfloat64\ncbuiltins\nobject\nNtR."
    yield (
        "torch-bytes-nested",
        b"\x80\x04ctorch.storage\n_load_from_bytes\nC" + bytes([len(call)]) + call + b"\x85R.",
    )
    yield "whole-in-protocol-5-buffer", b"\x80\x05\x96" + struct.pack("<Q", 4) + b"data0" + call
    yield "booster-with-a-path", b"\x80\x02cxgboost.core\nBooster\nNU\x0b/etc/passwd\x86R."
    for protocol in range(6):
        yield f"reduce-protocol-{protocol}", pickle.dumps(_Reduces(), protocol)
        yield f"reduce-ex-protocol-{protocol}", pickle.dumps({"a": [_Reduces()]}, protocol)


class _Reduces:
    """What an attacker writes first."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.getpid, ()


def _computed() -> Iterator[tuple[str, bytes]]:
    joined = b"c_codecs\nencode\n(S'os'\nS'latin1'\ntR"
    yield "name-from-a-call", b"\x80\x04" + joined + text("system") + b"\x93(tR."
    yield "module-from-a-call", b"\x80\x04" + text("os") + joined + b"\x93(tR."
    yield "name-from-a-list", b"\x80\x04" + text("os") + b"](" + text("system") + b"e\x93(tR."
    yield (
        "name-too-long",
        b"\x80\x04" + text("os") + b"X" + struct.pack("<I", 5000) + b"s" * 5000 + b"\x93(tR.",
    )


def _growth() -> Iterator[tuple[str, bytes]]:
    doubled = b"\x80\x04]\x94"
    for level in range(60):
        doubled += b"](" + b"h" + bytes([level]) + b"h" + bytes([level]) + b"e\x94"
    yield "lists-doubled", doubled + b"."
    yield "tuples-doubled", b"\x80\x02)" + b"2\x86" * 60 + b"."
    yield "memo-index", b"\x80\x02Nr\xff\xff\xff\x7f."
    yield "bytearray-of-gigabytes", b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    yield "bytearray-of-terabytes", b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R."
    yield "nested", b"(" * 20_000 + b"l" * 20_000 + b"."
    yield "nested-lists", b"\x80\x02" + b"](" * 20_000 + b"e" * 20_000 + b"."


def _unreadable() -> Iterator[tuple[str, bytes]]:
    yield "length-beyond-the-end", b"\x80\x04X\xff\xff\xff\x7fabc"
    yield "bytes-beyond-the-end", b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"abc."
    yield "frame-beyond-the-end", b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N."
    yield "unknown-opcode", b"\x80\x04]\x94\xf0."
    yield "memo-entry-missing", b"\x80\x04]\x94h\x07."
    yield "stack-too-short", b"\x80\x04]\x94aaa."


def _policy() -> Iterator[tuple[str, bytes]]:
    yield (
        "own-class",
        b"\x80\x04" + text("my_project.models") + text("Model") + b"\x93)\x81}" + text("x") + b"K\x01sb.",
    )
    yield "class-of-main", b"c__main__\nNet\n)\x81."
    yield "class-by-inst", b"(imymodels\nNetwork\np0\n."
    yield "ultralytics", b"\x80\x02cultralytics.nn.tasks\nDetectionModel\n)\x81}b."
    yield (
        "cloudpickle-function",
        b"\x80\x05" + text("cloudpickle.cloudpickle") + text("_make_function") + b"\x93(NNNNNtR.",
    )
    yield "dill-code", b"\x80\x04" + text("dill._dill") + text("_create_code") + b"\x93(K\x00C\x02d\x00tR."


def _benign() -> Iterator[tuple[str, bytes]]:
    values: dict[str, Any] = {
        "numbers": {"a": 1, "b": 2.5, "c": -(2**70), "d": [True, None]},
        "texts": ["os.system", "eval(x)", "cos\nsystem\n", "__import__", "\u00e4\u4e2d"],
        "containers": collections.OrderedDict(
            a=collections.deque([1]), b=collections.Counter("aab"), c={1, 2}
        ),
        "times": [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.timedelta(1)],
        "shared": [[1, 2]] * 500,
        "bytes": [b"cos\nsystem\n", bytes(5000)],
        "deep": [[[[[[[[[[1]]]]]]]]]],
        "types": [int, dict, frozenset({3})],
    }
    for name, value in values.items():
        for protocol in range(6):
            yield f"{name}-{protocol}", pickle.dumps(value, protocol)


def cases() -> Iterator[Case]:
    """All of them; those that are caught by how they import must be so whatever they are called."""
    groups: tuple[tuple[str, Label, Iterator[tuple[str, bytes]], str], ...] = (
        ("pickle-gadgets", "malicious", _gadgets(), "model.pkl"),
        ("pickle-forms", "malicious", _forms(), "weights.bin"),
        ("pickle-computed-names", "malicious", _computed(), "data"),
        ("pickle-growth", "malicious", _growth(), "model.pkl"),
        ("pickle-unreadable", "malicious", _unreadable(), "model.pkl"),
        ("pickle-policy", "policy", _policy(), "model.pkl"),
        ("pickle-benign", "benign", _benign(), "model.pkl"),
    )
    for family, label, made, file_name in groups:
        for name, data in made:
            yield Case(family, name, file_name, label, fixed(data))
    for name in ("model.safetensors", "README.md", "notes.txt", "a.json", "picture.png", "x.npy", "noext"):
        yield Case(
            "pickle-names",
            f"padded-{name}",
            name,
            "malicious",
            fixed(b"I1\n" * 5_000 + global_call("os", "system")),
        )
        yield Case("pickle-names", name, name, "malicious", lambda: global_call("os", "system"))
