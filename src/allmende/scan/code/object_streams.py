"""Objects as Java, .NET, PHP and Ruby write them: loading makes objects of whatever classes the file names.

Such a file is what a pickle is elsewhere. Classes by which loaders are known to be made to run programs are
told by name; a file without them still decides which classes are made.
"""

import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.code.code_texts import gadget_in
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

GADGET = Rule(
    "object-gadget",
    Severity.CRITICAL,
    "objects that run programs when they are made",
    "The file names classes that no model needs, by which a loader of objects is made to run commands, load "
    "code or open connections.",
    "Do not load it.",
    "CWE-502: deserialization of untrusted data; ysoserial, ysoserial.net.",
)
OBJECTS = Rule(
    "object-stream",
    Severity.MEDIUM,
    "serialised objects of another language",
    "Loading the file makes objects of the classes that it names; what that does is decided by the "
    "libraries that its reader has.",
    "Publish the model in a format without objects, such as ONNX, PMML or safetensors.",
    "Java Object Serialization Specification; MS-NRBF; CWE-502.",
)
RULES = (GADGET, OBJECTS)

_JAVA: Final = b"\xac\xed\x00\x05"
_DOTNET: Final = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00"
_PHP: Final = re.compile(rb"\s{0,10}(?:O|C):\d{1,6}:\"[\w\\]{1,200}\":\d{1,6}:\{|\s{0,10}a:\d{1,8}:\{[is]:")
_RUBY: Final = re.compile(rb"\x04\x08[\[\{oIcuUeCmS\":]")
_CLASS_WORDS: Final = re.compile(
    rb"Invoker?Transformer|InstantiateTransformer|ChainedTransformer|TemplatesImpl|ysoserial|AnnotationInvocationHandler|"
    rb"BadAttributeValueExpException|JdbcRowSetImpl|ProcessBuilder|java\.lang\.Runtime|ScriptEngineManager|URLClassLoader|"
    rb"MethodClosure|ConvertedClosure|BeanComparator|java\.net\.URL\b|java/net/URL;|JRMPClient|UnicastRef|RemoteObjectInvocationHandler|"
    rb"javax\.management|MLet|EventHandler|SignedObject|bsh\.|org\.python\.core|c3p0|JNDI|BasicDataSource|"
    rb"ObjectDataProvider|TypeConfuseDelegate|System\.Diagnostics|PSObject|WindowsIdentity|ActivitySurrogate|TextFormattingRunProperties|"
    rb"SessionSecurityToken|RolePrincipal|AxHostState|DataSetTypeSpoof|Gem::(?:Requirement|Installer|Package|SpecFetcher|Source|Resolver)|"
    rb"Gem::StubSpecification|Net::BufferedIO|ActiveSupport::Deprecation|Kernel|"
    rb"Monolog|GuzzleHttp|Illuminate\\|SwiftMailer|Symfony\\|PendingBroadcast|phpggc|__destruct|Zend_"
)
_BLOCK_BYTES: Final = 1024 * 1024
_MAX_BYTES: Final = 512 * 1024 * 1024
_KEPT: Final = 200


def _kind(head: bytes, hint: str) -> str:
    if head.startswith(_JAVA):
        return "Java"
    if head.startswith(_DOTNET):
        return ".NET"
    if hint in {"", "data", "object", "text"} and _PHP.match(head):
        return "PHP"
    return "Ruby" if hint in {"", "object"} and _RUBY.match(head) else ""


def _claims(probe: Probe) -> Claim:
    kind = _kind(probe.head, probe.hint)
    if kind in {"Java", ".NET"}:
        return Claim.CONTENT
    return Claim.NAME if kind else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Look for classes that act, block by block; and say what the file is."""
    kind = _kind(source.read_at(0, 4096), scan.hint)
    scan.found(OBJECTS, kind, offset=0)
    for block in _blocks(source):
        match = _CLASS_WORDS.search(block)
        told = match[0].decode("latin-1") if match is not None else gadget_in(block.decode("latin-1"))
        if told:
            scan.found(GADGET, told)
            return


def _blocks(source: Source) -> Iterator[bytes]:
    kept = b""
    for offset in range(0, min(source.size_bytes, _MAX_BYTES), _BLOCK_BYTES):
        block = kept + source.read_at(offset, _BLOCK_BYTES)
        yield block
        kept = block[-_KEPT:]


READER = Reader("object stream", "objects", _claims, _read)
