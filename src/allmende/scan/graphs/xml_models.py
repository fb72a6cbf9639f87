"""Models in XML: OpenVINO's network descriptions, PMML, and any other; entities and code of one's own."""

import re
from typing import Final
from xml.parsers import expat

from allmende.scan.code.code_texts import gadget_in
from allmende.scan.code.commands import examine_commands
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.provable import IMPOSSIBLE_BYTES, IMPOSSIBLE_SIZE
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

ENTITIES = Rule(
    "xml-entities",
    Severity.CRITICAL,
    "declares entities",
    "A document type makes readers expand texts without end, or fetch files and addresses that it names.",
    "Remove the document type declaration.",
    "CWE-611: XML external entities; CWE-776: entity expansion.",
)
DOCUMENT_TYPE = Rule(
    "xml-document-type",
    Severity.LOW,
    "names a document type",
    "Some readers fetch the document type from the address that it names, to check the document against it.",
    "Remove the document type declaration.",
    "CWE-611: XML external entities.",
)
CUSTOM_LAYER = Rule(
    "xml-custom-layer",
    Severity.MEDIUM,
    "needs layers from outside",
    "The network uses layers that the runtime does not have: an extension library must be loaded for them.",
    "Convert the model to the layers of the runtime.",
    "OpenVINO documentation, extensibility.",
)
FOREIGN_PART = Rule(
    "xml-foreign-part",
    Severity.MEDIUM,
    "holds parts for other programs",
    "The document carries elements that are not of its own format, such as scripts or extensions.",
    "Remove them.",
    "PMML 4.4, extensions.",
)
INCLUDED = Rule(
    "xml-included-file",
    Severity.CRITICAL,
    "takes other files into itself",
    "An element or an instruction makes readers open a file or an address that it names, and put what is in "
    "it, or what it makes of the document, in its place.",
    "Remove the element.",
    "XInclude 1.0; CWE-611; CWE-827.",
)
STYLESHEET = Rule(
    "xml-remote-stylesheet",
    Severity.MEDIUM,
    "is shown by a style sheet from elsewhere",
    "Programs that show the document fetch a style sheet, which may hold code.",
    "Remove the instruction.",
    "W3C, associating style sheets with XML documents.",
)
RUNS = Rule(
    "xml-runs-commands",
    Severity.MEDIUM,
    "a document that starts programs",
    "An element of the document is a command, a script or a task, for a program that builds or starts "
    "things by it.",
    "Say in the card what it is for.",
    "CWE-829.",
)
MADE_OBJECTS = Rule(
    "xml-object-gadget",
    Severity.CRITICAL,
    "objects that run programs when they are made",
    "The document names classes by which readers that make objects of it are made to run programs.",
    "Do not open it.",
    "CWE-502; java.beans.XMLDecoder, XStream, Spring, XAML.",
)
OUTSIDE_FILE = Rule(
    "xml-outside-file",
    Severity.CRITICAL,
    "takes code or data from outside its folder",
    "The network, or the description of its layers, names a file by a path that leads out of the folder.",
    "Name files of the model's own folder.",
    "CWE-22: path traversal; OpenVINO documentation, custom operations.",
)
RULES = (
    ENTITIES, DOCUMENT_TYPE, CUSTOM_LAYER, FOREIGN_PART, INCLUDED, STYLESHEET, RUNS, MADE_OBJECTS,
OUTSIDE_FILE,
)  # fmt: skip

_SETS: Final = frozenset(
    (
        *(f"opset{number}" for number in range(1, 20)),
        "experimental",
        "ie_internal_opset",
        "gpu_opset",
        "type_relaxed_opset",
    )
)
_MAX_DEPTH: Final = 200
_DECLARATION_BYTES: Final = 512
_ENCODING: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,20}=\s{0,20}[\"']([A-Za-z0-9._-]{1,40})[\"']")
_KNOWN_ENCODINGS: Final = frozenset(("utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii"))
_LIKE_ASCII: Final = (
    "ascii", "latin", "iso-8859-", "iso8859-", "windows-125", "cp125", "koi8-", "gb2312", "gbk", "gb18030",
    "big5", "shift_jis", "shift-jis", "euc-", "utf8", "macintosh", "windows-874", "windows-31j",
)  # fmt: skip
_BLOCK_BYTES: Final = 1024 * 1024
_MODELS: Final = frozenset(("net", "pmml"))
_SCRIPTS: Final = frozenset(("script", "x-script"))
_LOCAL: Final = re.compile(
    r"(?i) (?:file:|[/\\~]|[a-z]:[/\\]|\.\.|(?:ftp|jar|netdoc|php|expect|gopher|data):)"
)
_CODE: Final = re.compile(r"(?i)script|runtime|\bexec\b|processbuilder|\bsystem\(|java\.|\beval\b|<")
_INCLUDING: Final = frozenset(("http://www.w3.org/2001/XInclude", "http://www.w3.org/2003/XInclude"))
_RUNNING: Final[dict[str, frozenset[str]]] = {
    "exec": frozenset(("executable", "command", "Command")), "sshexec": frozenset(),
    "apply": frozenset(("executable",)),
    "scriptdef": frozenset(), "objectdataprovider": frozenset(), "runexecutable": frozenset(),
    "postbuildevent": frozenset(), "prebuildevent": frozenset(),
}  # fmt: skip
"""Elements that are commands, of Ant, MSBuild and XAML, with the attributes of which they need one."""
_DRAWN_IN: Final = (
    "/attachedTemplate",
    "/oleObject",
    "/frame",
    "/subDocument",
    "/externalLinkPath",
    "/package",
)
_OWN_ROOTS: Final = frozenset(("net", "customlayer", "customlayers", "pmml"))
_PLACES: Final = ("filename", "library", "file", "path")
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}://")
_ADDRESS_WITHIN: Final = re.compile(
    r"(?i)href\s{0,5}=\s{0,5}[\"'](?:[a-z][a-z0-9+.-]{1,20}:|//|\\\\|/|\.\.|#)"
)
_MAX_ENTITY_CHARS: Final = 200
_REFERRING: Final = re.compile(r"[&%<]")


class _Document:
    """What the parser tells, as it reads."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._path: list[str] = []
        self._type = ""
        self._including: set[str] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins. Raises Unreadable for too great a depth."""
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise Unreadable(f"Elements are nested more than {_MAX_DEPTH} deep.")
        root = self._path[0].rpartition(":")[2].lower()
        if len(self._path) == 1 and self._type:
            local_file = _LOCAL.search(self._type) is not None
            self._scan.found(
                ENTITIES if local_file or root in _MODELS else DOCUMENT_TYPE, f"DOCTYPE {self._type}"
            )
        local = name.rpartition(":")[2].lower()
        self._examine_element(name, local, root, attributes)
        if root == "net" and local == "layer":
            version = attributes.get("version")
            if version is not None and version not in _SETS:
                self._scan.found(CUSTOM_LAYER, f"{attributes.get('type')} of {version}")
        if root == "net" and "library" in {key.lower() for key in attributes}:
            self._scan.found(CUSTOM_LAYER, f"library {attributes}")
        if root == "pmml" and self._is_foreign(local, attributes):
            self._scan.found(FOREIGN_PART, f"<{name}> {' '.join(attributes.values())}")

    def _is_foreign(self, local: str, attributes: dict[str, str]) -> bool:
        """A script, or an extension that holds more than the remark which ordinary writers leave."""
        within = any(name.rpartition(":")[2].lower() == "extension" for name in self._path[:-1])
        if local == "extension":
            return within or any(_CODE.search(text) for text in attributes.values())
        return local in _SCRIPTS or within

    def _examine_element(self, name: str, local: str, root: str, attributes: dict[str, str]) -> None:
        """What is told by an element of any document: other files, commands, and objects to be made."""
        for key, told in attributes.items():
            if key.partition(":")[0] == "xmlns" and told in _INCLUDING:
                self._including.add(key.partition(":")[2])
            gadget = gadget_in(told)
            if gadget:
                self._scan.found(MADE_OBJECTS, f"<{name} {key}={told}>")
        prefix = name.rpartition(":")[0]
        if (local in {"include", "fallback"} and prefix in self._including) or (
            local in {"include", "import"} and root in {"stylesheet", "transform"}
        ):
            self._scan.found(INCLUDED, f"<{name} href={attributes.get('href', '')}>")
        command = _RUNNING.get(local)
        if command is not None and (not command or command & attributes.keys()):
            told = " ".join(attributes.values())[:200]
            self._scan.found(RUNS, f"<{name} {told}>")
            examine_commands(told, self._scan)
        if attributes.get("TargetMode") == "External" and attributes.get("Type", "").endswith(_DRAWN_IN):
            self._scan.found(INCLUDED, f"<{name} Target={attributes.get('Target', '')}>")
        if root in _OWN_ROOTS:
            place = next((attributes[key] for key in _PLACES if key in attributes), "")
            if is_outside(place) or _ADDRESS.match(place):
                self._scan.found(OUTSIDE_FILE, f"<{name} {place}>")
            self._examine_range(attributes)

    def _examine_range(self, attributes: dict[str, str]) -> None:
        """Where in the file of weights a constant lies."""
        numbers = [attributes[key] for key in ("offset", "size") if key in attributes]
        sound = len(numbers) == 2 and all(number.isdecimal() and len(number) < 40 for number in numbers)
        if sound and sum(map(int, numbers)) > IMPOSSIBLE_BYTES:
            self._scan.found(IMPOSSIBLE_SIZE, " + ".join(numbers))

    def instruction(self, target: str, data: str) -> None:
        """A processing instruction: style sheets, and code of other languages."""
        if target == "xml-stylesheet" and _ADDRESS_WITHIN.search(data):
            self._scan.found(STYLESHEET, data[:200])
        elif target.lower() in {"php", "eval", "xml-script"}:
            self._scan.found(RUNS, f"<?{target}")

    def end(self, _name: str) -> None:
        """An element ends."""
        self._path.pop()

    def doctype(self, name: str, system: str | None, public: str | None, _subset: int) -> None:
        """A document type is declared; what it means, the outermost element says."""
        self._type = f"{name} {system or public or ''}"

    def entity(self, name: str, parameter: int, value: str | None, *_told: object) -> None:
        """Entities are what attacks are made of: no more than short plain texts, and those not in models."""
        plain = value is not None and len(value) <= _MAX_ENTITY_CHARS and not _REFERRING.search(value)
        if plain and not parameter and self._type.partition(" ")[0].lower() not in _MODELS:
            return
        self._scan.found(ENTITIES, f"ENTITY {name[:100]}")
        raise Unreadable(f"The entity {name[:100]!r} is declared.")


def _claims(probe: Probe) -> Claim:
    start = probe.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256]
    xml = start.startswith((b"<?xml", b"<net ", b"<net>", b"<PMML", b"<!DOCTYPE net", b"<!DOCTYPE PMML"))
    harmless = b"<svg" in probe.head or b"<html" in start.lower() or b"<!DOCTYPE html" in start
    if start.startswith(b"<") and b"<!entity" in probe.head.lower():
        return Claim.NAME
    if xml and (probe.hint == "xml" or not start.startswith(b"<?xml")):
        return Claim.CONTENT
    return Claim.NAME if (xml and not harmless) or probe.hint == "xml" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Parse it, with a refusal of entities. Raises Unreadable."""
    document = _Document(scan)
    parser = expat.ParserCreate(_encoding(source.read_at(0, _DECLARATION_BYTES)))
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.StartDoctypeDeclHandler = document.doctype
    parser.ProcessingInstructionHandler = document.instruction
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.EntityDeclHandler = document.entity
    try:
        for offset in range(0, source.size_bytes, _BLOCK_BYTES):
            parser.Parse(source.read_at(offset, _BLOCK_BYTES), False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Unreadable(f"No XML: {expat.ErrorString(error.code)}.") from None


def _encoding(start: bytes) -> str | None:
    """The encoding to read by; None for what the parser knows itself. Raises Unreadable.

    In the others that are let through, every character of the markup is one byte, the same as in ASCII.
    """
    declared = _ENCODING.search(start)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    if name in _KNOWN_ENCODINGS:
        return None
    if not name.startswith(_LIKE_ASCII):
        raise Unreadable(f"The encoding {name} is not read.")
    return "iso-8859-1"


READER = Reader("xml", "text", _claims, _read)
