"""Core ML models (Model.proto): those that need code of an app."""

from typing import Final

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Field, Message, nested_messages
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

CUSTOM_CODE = Rule(
    "coreml-custom-code",
    Severity.MEDIUM,
    "needs code of an app",
    "The model, or a layer of it, is a class that the app must bring.",
    "Convert the model to built-in layers.",
    "Core ML Tools documentation, custom layers.",
)
OUTSIDE_FILE = Rule(
    "coreml-outside-file",
    Severity.CRITICAL,
    "reads files from outside its folder",
    "The model names a file of weights, or another model, by a path that leads out of the package.",
    "Save the model again, with all its files inside.",
    "Core ML specification: BlobFileValue, LinkedModel.",
)
RULES = (CUSTOM_CODE, OUTSIDE_FILE)

_CUSTOM_MODEL: Final = 555
_CUSTOM_LAYER: Final = 500
_CLASS_NAME: Final = 10
_LINKED_MODEL: Final = 556
_DESCRIPTION: Final = 2
_PACKAGE: Final = "@model_path"
_MAX_PATH_BYTES: Final = 1024


def _claims(probe: Probe) -> Claim:
    """Field 1 is the version, field 2 the description; a model's kind has a number from 200."""
    if probe.hint != "coreml" and probe.head[:1] != b"\x08":
        return Claim.NONE
    message = Message(probe.source)
    numbers = []
    try:
        for field in message.fields():
            numbers.append(field.number)
            wrong = (field.number == 1 and (field.wire != VARINT or not 1 <= field.value < 50)) or (
                field.number == _DESCRIPTION and field.wire != LENGTH
            )
            if wrong or len(numbers) > 8:
                return Claim.NONE
    except Unreadable:
        return Claim.NAME if probe.hint == "coreml" else Claim.NONE
    sound = numbers[:2] == [1, _DESCRIPTION] and any(200 <= number < 3100 for number in numbers)
    if sound:
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "coreml" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """The model's kind, and layers of one's own. Raises Unreadable."""
    outermost = Message(source)
    for field in outermost.fields():
        if field.number == _CUSTOM_MODEL:
            scan.found(CUSTOM_CODE, outermost.inner(field).text(_CLASS_NAME), offset=field.start)
        elif field.number == _LINKED_MODEL and field.wire == LENGTH:
            scan.found(CUSTOM_CODE, "a linked model", offset=field.start)
            _examine_linked(outermost.inner(field), scan)
    for message, fields in nested_messages(Message(source)):
        for field in fields:
            if field.wire == LENGTH and field.number in (1, 2):
                _examine_path(message, field, scan)
            if field.number == _CUSTOM_LAYER and field.wire == LENGTH:
                class_name = _class_name(message.inner(field))
                if class_name:
                    scan.found(CUSTOM_CODE, class_name, offset=field.start, confidence="likely")


def _class_name(parameters: Message) -> str:
    """What a layer of one's own is called; empty where the message is another, such as a whole network."""
    try:
        return parameters.text(_CLASS_NAME)
    except Unreadable:
        return ""


def _examine_linked(linked: Message, scan: Scan) -> None:
    """The file and the folders of a model that is loaded beside this one."""
    for message, fields in nested_messages(linked):
        for field in fields:
            text = message.text_of(field) if 0 < field.size_bytes <= _MAX_PATH_BYTES else ""
            if text.isprintable() and is_outside(text):
                scan.found(OUTSIDE_FILE, text, offset=field.start)


def _examine_path(message: Message, field: Field, scan: Scan) -> None:
    """Files of weights are named from the package on; nothing else that a model says begins so."""
    if not 0 < field.size_bytes <= _MAX_PATH_BYTES:
        return
    start = message.bytes_of(field, len(_PACKAGE)).decode("latin-1")
    path = message.text_of(field) if start == _PACKAGE else ""
    if path and is_outside(path.removeprefix(_PACKAGE).lstrip("/")):
        scan.found(OUTSIDE_FILE, path, offset=field.start)


READER = Reader("coreml", "coreml", _claims, _read)
