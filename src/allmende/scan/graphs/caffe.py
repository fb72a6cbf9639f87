"""Networks of Caffe, as text and as protocol buffers: layers in Python, and files that they name."""

import re
from typing import Final

from allmende.scan.code.text_reader import is_text
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.protobuf import LENGTH, Message
from allmende.scan.pickles.allow_list import is_standard_library
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READERS", "RULES"]

PYTHON_LAYER = Rule(
    "caffe-python-layer",
    Severity.MEDIUM,
    "a layer that is a Python module",
    "Making the network imports the module that the layer names, and runs it.",
    "Use layers that Caffe has, or bring the module along and say so in the card.",
    "Caffe documentation, Python layer (caffe.proto, PythonParameter).",
)
ACTING_LAYER = Rule(
    "caffe-acting-layer",
    Severity.CRITICAL,
    "a layer that calls into Python's own library",
    "The layer names a module of Python itself, or a path: making the network calls a function of it that is "
    "no layer.",
    "Remove the layer.",
    "Caffe documentation, Python layer (caffe.proto, PythonParameter).",
)
OUTSIDE_FILE = Rule(
    "caffe-outside-file",
    Severity.CRITICAL,
    "reads or writes files of the machine",
    "The network or its solver names a file that leads out of the folder, to where systems keep their own.",
    "Name files of the model's own folder.",
    "CWE-22: path traversal.",
)
RULES = (PYTHON_LAYER, ACTING_LAYER, OUTSIDE_FILE)

_MAX_BYTES: Final = 16 * 1024 * 1024
_MODULE: Final = re.compile(r"\bmodule\s{0,10}:\s{0,10}[\"']([^\"'\n]{0,300})[\"']")
_LAYER: Final = re.compile(r"\blayer\s{0,10}:\s{0,10}[\"']([^\"'\n]{0,300})[\"']")
_FILE: Final = re.compile(
    r"\b(?:source|mean_file|net|train_net|test_net|snapshot_prefix|weights|root_folder|filename|"
    r"output_\w{1,30}|"
    r"label_map_file|name_size_file|infogain_file|file_name|output_directory|"
    r"save_file)\s{0,10}:\s{0,10}[\"']([^\"'\n]{1,400})[\"']"
)
_SENSITIVE: Final = re.compile(
    r"/etc/|/proc/|/root/|/dev/|/var/|/usr/|/bin/|/sys/|\.ssh|\.aws|\.bashrc|cron|\.\.[/\\]\.\.|"
    r"^[a-z]+://|^\\\\"
)
_LAYERS, _TYPE, _PYTHON, _NAMED_MODULE, _NAMED_LAYER = 100, 2, 130, 1, 2
_MAX_LAYERS: Final = 100_000


def _judge(module: str, layer: str, scan: Scan) -> None:
    plain = all(part.isidentifier() for part in module.split("."))
    acting = not plain or (is_standard_library(module) and module.partition(".")[0] != "layers")
    scan.found(ACTING_LAYER if acting else PYTHON_LAYER, f"{module}.{layer}")


def _text_claims(probe: Probe) -> Claim:
    told = probe.hint == "caffe" or b"python_param" in probe.head
    return Claim.NAME if told and is_text(probe.head, complete=False) else Claim.NONE


def _read_text(source: Source, scan: Scan) -> None:
    """Every block of parameters of Python, and every file."""
    text = source.read_at(0, _MAX_BYTES).decode("utf-8", "replace")
    for start in (match.start() for match in re.finditer(r"\bpython_param\b", text)):
        block = text[start : start + 4000]
        module, layer = _MODULE.search(block), _LAYER.search(block)
        _judge(module[1] if module else "", layer[1] if layer else "", scan)
    for match in _FILE.finditer(text):
        if is_outside(match[1]) and _SENSITIVE.search(match[1]):
            scan.found(OUTSIDE_FILE, match[0])


def _binary_claims(probe: Probe) -> Claim:
    text = is_text(probe.head, complete=False)
    return Claim.NAME if probe.hint == "caffe" and not text else Claim.NONE


def _read_binary(source: Source, scan: Scan) -> None:
    """The layers of a NetParameter. Raises Unreadable where it is none, LimitReached."""
    net = Message(source)
    count = 0
    for field in net.fields():
        if field.number != _LAYERS or field.wire != LENGTH:
            continue
        count += 1
        if count > _MAX_LAYERS:
            raise Unreadable(f"The network has more than {_MAX_LAYERS} layers.")
        layer = net.inner(field)
        for part in layer.fields():
            if part.number == _PYTHON and part.wire == LENGTH:
                parameters = layer.inner(part)
                _judge(parameters.text(_NAMED_MODULE), parameters.text(_NAMED_LAYER), scan)


READERS = (
    Reader("caffe (text)", "text", _text_claims, _read_text),
    Reader("caffe", "caffe", _binary_claims, _read_binary),
)
