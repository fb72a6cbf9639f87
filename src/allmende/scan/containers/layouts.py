"""What members of known archives are for: which of them are code, which are bare numbers.

An archive is told by the names in it. The roles only choose how a member is read; a member that is something
else than its role says is still found out by its content.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = ["RULES", "SHORT_STORAGE", "Layout", "Role", "layout_of"]

SERVED_CODE = Rule(
    "archive-served-code",
    Severity.MEDIUM,
    "brings a program for the model server",
    "The archive is made for a model server, which runs the Python file that its manifest names.",
    "Publish the weights alone, and the handler as source code beside them.",
    "TorchServe documentation, model archives.",
)
NATIVE_MODEL = Rule(
    "archive-native-model",
    Severity.MEDIUM,
    "holds a compiled model",
    "The model was compiled to machine code, which is loaded into the reader's process.",
    "Publish the exported program without compiled parts.",
    "PyTorch documentation, AOTInductor.",
)
SHORT_STORAGE = Rule(
    "torch-short-storage",
    Severity.HIGH,
    "a storage is shorter than it is told to be",
    "The object asks for more bytes of a storage than the archive holds: loading it fails, or takes memory "
    "that is not there.",
    "Save the file again.",
    "torch.serialization; CWE-130: inconsistent length.",
)
PACKAGED_CODE = Rule(
    "archive-packaged-code",
    Severity.MEDIUM,
    "a package of a model and its code",
    "The archive was made by torch.package: taking an object out of it imports the Python modules that lie "
    "beside it, which run.",
    "Publish the weights alone, and the code beside them.",
    "PyTorch documentation, torch.package: PackageImporter.",
)
RULES = (SERVED_CODE, NATIVE_MODEL, SHORT_STORAGE, PACKAGED_CODE)


@dataclass(frozen=True, slots=True)
class Role:
    """How a member is read: `raw` where unknown bytes are right; `hint` in place of its name's."""

    raw: bool = False
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of archive and the roles of its members."""

    name: str
    role: Callable[[str], Role]


_PLAIN: Final = Role()
_RAW: Final = Role(raw=True)
_TORCH_ROLES: Final = (
    (re.compile(r"(?:.*/)?(?:data|constants|attributes|version|ts_code|shapes|types)\.pkl"),
     Role(hint="torch-pickle")),
    (re.compile(r".*\.debug_pkl"), Role(raw=True, hint="torch-pickle")),
    (re.compile(r"(?:[^/]+/)*code/.*\.py"), Role(hint="torchscript")),
    (re.compile(r"(?:[^/]+/)*(?:data|constants|tensors|weights|xl_model_weights)/[^/.]+"), _RAW),
    (re.compile(r"(?:[^/]+/)?data/weights/[^/.]+"), _RAW),
    (re.compile(r"(?:[^/]+/)*(?:version|byteorder|archive_version|archive_format|\.format_version|\.storage_alignment"
                r"|\.data/serialization_id|serialization_id)"), _RAW),
)  # fmt: skip


def _torch_role(name: str) -> Role:
    return next((role for pattern, role in _TORCH_ROLES if pattern.fullmatch(name)), _PLAIN)


def _keras_role(name: str) -> Role:
    return Role(hint="keras-config") if name == "config.json" else _PLAIN


def _skops_role(name: str) -> Role:
    return Role(hint="skops-schema") if name == "schema.json" else _PLAIN


def _plain_role(_name: str) -> Role:
    return _PLAIN


def layout_of(names: Sequence[str], scan: Scan) -> Layout:
    """The layout that these names make; what follows from it alone is found at once."""
    known = set(names)
    packaged = any(name.endswith((".data/extern_modules", ".data/python_version")) for name in names)
    modules = [name for name in names if name.endswith(".py")] if packaged else []
    if modules:
        scan.found(PACKAGED_CODE, modules[0])
    for name in names:
        if name.endswith("MAR-INF/MANIFEST.json"):
            scan.found(SERVED_CODE, name)
        elif "aotinductor/" in name and name.endswith((".so", ".cubin", ".cpp", ".o", ".pyd", ".dll")):
            scan.found(NATIVE_MODEL, name)
    if any(
        name.endswith(("/data.pkl", "/archive_format", "/constants.pkl")) or name == "data.pkl"
        for name in names
    ):
        return Layout("torch", _torch_role)
    if "config.json" in known and ("metadata.json" in known or "model.weights.h5" in known):
        return Layout("keras", _keras_role)
    if "schema.json" in known:
        return Layout("skops", _skops_role)
    return Layout("zip", _plain_role)
