"""Texts that act where they are opened, programs under the names of weights, and forms of R; and quiet ones."""

import io
import struct
import zipfile
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.programs import ELF
from tests.unit.formats.gguf_files import ARRAY, FLOAT32, STRING

__all__ = ["cases"]

_INT32 = 5
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{}</svg>'
SCRIPT = b"#!/bin/sh\necho x\n"


def _lines(*parts: object) -> bytes:
    """An object of R in the form with lines."""
    return "\n".join(map(str, ("A", 2, 197888, 131840, *parts))).encode() + b"\n"


def _archive(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("__", "/")), content)
    return data.getvalue()


def _texts() -> Iterator[tuple[str, str, Label, str]]:
    for name, part in (
        ("script", "<script>x()</script>"),
        ("onload", '<g onload="x()"/>'),
        ("link", '<a href="javascript:x()">y</a>'),
        ("link-escaped", '<a href="&#106;avascript:x()">y</a>'),
        ("foreign", "<foreignObject><iframe src='x'/></foreignObject>"),
        ("animated", '<set attributeName="onclick" to="x()"/>'),
    ):
        yield f"svg-{name}", "x.svg", "policy", SVG.format(part)
    yield "svg", "x.svg", "benign", SVG.format('<path d="M0 0"/><text>on = 1</text>')
    yield "html-script", "x.html", "policy", "<html><script>x()</script></html>"
    yield "html", "x.html", "benign", "<html><body><p>one = two</p></body></html>"
    yield "card-handler", "README.md", "policy", "# Model\n<img src=x onerror=alert(1)>\n"
    code = "# Model\n```html\n<script src='x.js'></script>\n```\nUse `<script>` with `onload=`.\n"
    yield "card-code", "README.md", "benign", code
    entity = '<?xml version="1.0"?>\n<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    yield "svg-entity", "x.svg", "malicious", entity + SVG.format("&x;")
    plain = '<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]>\n<svg xmlns="&ns;"></svg>'
    yield "svg-plain-entity", "x.svg", "benign", plain
    for file_name in ("x.bat", "x.ps1", "x.vbs", "x.hta", "x.url", "x.desktop", "x.scf", ".Rprofile"):
        yield f"launcher-{file_name}", file_name, "policy", "start me\n"
    yield "rtf-object", "x.rtf", "policy", "{\\rtf1{\\object\\objocx{\\*\\objdata 01}}}"
    yield "rtf", "x.rtf", "benign", "{\\rtf1 text}"
    yield "table-command", "x.csv", "policy", "a,b\n1,=cmd|'/C calc'!A0\n"
    yield "table", "x.csv", "benign", "a,b\n-1,=b\ncmd|x,@user\n"


def _gguf(scores: int) -> bytes:
    tokens = 4

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def listed(key: str, kind: int, items: list[bytes]) -> bytes:
        return text(f"tokenizer.ggml.{key}") + struct.pack("<IIQ", ARRAY, kind, len(items)) + b"".join(items)

    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 4)
    data += text("general.architecture") + struct.pack("<I", STRING) + text("llama")
    data += listed("tokens", STRING, [text(f"t{number}") for number in range(tokens)])
    data += listed("scores", FLOAT32, [struct.pack("<f", 0.5)] * scores)
    data += listed("token_type", _INT32, [struct.pack("<i", 1)] * tokens)
    return data + bytes(-len(data) % 32)


def _bytes() -> Iterator[tuple[str, str, Label, bytes]]:
    for file_name in ("weights.bin", "config.json", "model.safetensors", "a.parquet", "config.yaml"):
        yield f"script-{file_name}", file_name, "malicious", SCRIPT
    yield "script-spaced", "config.json", "malicious", b"#! /bin/sh\necho x\n"
    yield "script-sh", "run.sh", "benign", SCRIPT
    yield "program-readme", "README", "malicious", ELF
    yield "program-license", "LICENSE", "malicious", ELF
    yield "program-tool", "bin/tool", "policy", ELF
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    yield (
        "macros-in-a-document",
        "x.docm",
        "policy",
        _archive(word__vbaProject_bin=ole).replace(b"Project_bin", b"Project.bin"),
    )
    yield "r-lines-promise", "x.rds", "malicious", _lines(5, 254, 254)
    yield "r-lines-in-a-list", "x.rds", "malicious", _lines(19, 1, 5, 254)
    yield "r-lines-text", "x.rds", "benign", _lines(16, 2, 262153, 4, "echo", 262153, -1)
    yield "r-lines-numbers", "x.rds", "benign", _lines(14, 3, "1.5", "NA", "-Inf")
    yield "r-lines-cut-off", "x.rds", "malicious", _lines(14, 3, "1.5")
    yield "r-other-order", "x.rds", "malicious", b"B\n" + struct.pack("<6i", 2, 1, 1, 5, 254, 254)
    yield "gguf-fewer-scores", "m.gguf", "malicious", _gguf(2)
    yield "gguf-more-scores", "m.gguf", "malicious", _gguf(9)
    yield "gguf-scores", "m.gguf", "benign", _gguf(4)
    yield "members", "x.zip", "malicious", _archive(**{f"f{number}": b"x" for number in range(20_001)})


def cases() -> Iterator[Case]:
    """All of them."""
    for name, file_name, label, text in _texts():
        yield Case("active-texts", name, file_name, label, fixed(text.encode()))
    for name, file_name, label, data in _bytes():
        yield Case("odd-files", name, file_name, label, fixed(data))
