"""The walk through one file: which readers could open these bytes, and what is inside what they open.

All readers that could open the bytes read them, because nobody knows which loader will. What none can read
is not clean: a reader that fails, a limit that is reached, two formats in one, all of it is found. Only
what no reader knows at all is told apart, as not scanned.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from allmende.formats import Malformed, identify
from allmende.scan.budget import Budget, LimitReached, Limits
from allmende.scan.evidence import quoted
from allmende.scan.findings import Confidence, Finding, Rule, Severity
from allmende.scan.hints import name_hint
from allmende.scan.provable import proven_by
from allmende.scan.source import Source
from allmende.scan.verdicts import FileReport, Reference

__all__ = [
    "HEAD_BYTES",
    "LIMIT_REACHED",
    "NAME_DISAGREES",
    "POLYGLOT",
    "RULES",
    "UNREADABLE",
    "Claim",
    "Probe",
    "Reader",
    "Scan",
    "Unreadable",
    "scan_with",
]

HEAD_BYTES = 4096
_MAX_PATH_CHARS = 1000
_MAX_UNREAD = 50
_MAX_REFERENCES = 20_000

UNREADABLE = Rule(
    "unreadable",
    Severity.HIGH,
    "cannot be read as what it is",
    "The file is of this format, or its name says so, and it breaks the rules of the format. Loaders differ "
    "in what they make of such a file, so nothing can be said about what it does.",
    "Write the file again with a current version of its library.",
    "Fail closed: a file that cannot be read was never looked into.",
)
LIMIT_REACHED = Rule(
    "limit-reached",
    Severity.HIGH,
    "too much to look at",
    "The file wants more time, memory, depth or members than a scan may spend. Padding is how attackers get "
    "past scanners that stop looking.",
    "Publish smaller files, unpacked, in a format without code such as safetensors.",
    "The limits of a scan: docs/scanning.md.",
)
POLYGLOT = Rule(
    "polyglot",
    Severity.HIGH,
    "two formats in one file",
    "Programs of different kinds open this file and see different things in it. Ordinary writers never make "
    "such files.",
    "Publish each format as a file of its own.",
    "CWE-436: interpretation conflict.",
)
NAME_DISAGREES = Rule(
    "name-disagrees",
    Severity.LOW,
    "not what its name says",
    "The name promises another format than the bytes have. Loaders that go by the name will fail.",
    "Rename the file.",
    "CWE-646: reliance on file name or extension.",
)
RULES = (UNREADABLE, LIMIT_REACHED, POLYGLOT, NAME_DISAGREES)


class Unreadable(Exception):
    """A reader cannot read what it claimed; the sentence says which rule of the format is broken.

    `rule` is set where that is more than a broken file: one of `provable`.
    """

    def __init__(self, message: str, offset: int | None = None, rule: Rule | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.rule = rule


class Claim(IntEnum):
    """How sure a reader is that a loader of its format would open the bytes."""

    NONE = 0
    NAME = 1
    """The name says so, and the bytes do not speak against it."""
    CONTENT = 2
    """The bytes say so."""


@dataclass(frozen=True)
class Probe:
    """What a reader is shown to decide: all bytes at hand, the first `HEAD_BYTES` of them, and the hint.

    `format_name` is what `formats.identify` makes of the bytes alone; several readers ask for it.
    """

    source: Source
    head: bytes
    hint: str
    raw: bool = False
    """Whether the bytes are a part for which unknown bytes are right, such as the storage of a tensor."""

    @cached_property
    def format_name(self) -> str:
        """The name of the format that the first bytes show."""
        return identify(self.head, self.source.size_bytes, "").name


@dataclass(frozen=True, slots=True)
class Reader:
    """One format. `read` raises Unreadable or Malformed where the format is broken.

    Readers of the same `family` may open the same bytes without that being suspicious; the family `text`
    goes with every other. Those of the families that a format `carries` by its own rules may, too.
    """

    name: str
    family: str
    claims: Callable[[Probe], Claim]
    read: "Callable[[Source, Scan], None]"
    carries: frozenset[str] = frozenset()


class _Walk:
    """What all scans inside one file share."""

    def __init__(
        self, readers: tuple[Reader, ...], limits: Limits, size_bytes: int, told: list[Finding]
    ) -> None:
        self.readers = readers
        self.told = told
        self.budget = Budget(limits, size_bytes)
        self.findings: dict[tuple[str, str, str], Finding] = {}
        self.left_out: dict[str, Finding] = {}
        self.left_out_count = 0
        self.references: dict[Reference, None] = {}
        self.formats: dict[str, None] = {}
        self.unread: dict[str, None] = {}


Needs = Callable[[str, int], None]


class Scan:
    """The scan of one stream of bytes: the file itself, or something inside it."""

    def __init__(self, walk: _Walk, path: str, hint: str, depth: int, needs: "Needs | None" = None) -> None:
        self._walk = walk
        self.path = path
        self.hint = hint
        self.depth = depth
        self.needs = needs
        """Whom a reader tells of other parts of its container: the name of each, and the bytes it needs."""

    @property
    def budget(self) -> Budget:
        """What may still be spent, shared by all scans inside the file."""
        return self._walk.budget

    @property
    def is_whole_file(self) -> bool:
        """Whether this is the file itself and not something inside it."""
        return self.depth == 0

    def found(
        self,
        rule: Rule,
        evidence: str | bytes = "",
        *,
        detail: str = "",
        offset: int | None = None,
        inside: str = "",
        confidence: Confidence = "certain",
    ) -> None:
        """Put a finding on record; the same one again at the same place is left out.

        `inside` names a place below this stream (a key, an entry) for which there is no scan of its own.
        """
        path = self._path_of(inside) if inside else self.path
        finding = Finding(rule, quoted(path)[:_MAX_PATH_CHARS], offset, quoted(evidence), detail, confidence)
        walk = self._walk
        key = (rule.id, finding.inside, finding.evidence)
        if key in walk.findings:
            return
        if len(walk.findings) < walk.budget.limits.findings:
            walk.findings[key] = finding
            walk.told.append(finding)
        else:
            # One of each rule is kept whatever comes, so that nothing is hidden by a flood of small things.
            if rule.id not in walk.left_out:
                walk.left_out[rule.id] = finding
                walk.told.append(finding)
            walk.left_out_count += 1

    def refers(self, kind: str, target: str, needs_bytes: int | None = None) -> None:
        """The file asks for another one when it is loaded: `verdicts.Reference`. Raises LimitReached."""
        references = self._walk.references
        if len(references) >= _MAX_REFERENCES:
            raise LimitReached("references", f"It refers to more than {_MAX_REFERENCES} other places.")
        references[Reference(kind, target, needs_bytes)] = None

    def inside(
        self,
        name: str,
        source: Source,
        *,
        raw: bool = False,
        hint: str | None = None,
        needs: "Needs | None" = None,
    ) -> None:
        """Scan what is inside under `name`. With `raw`, bytes that no reader knows are as they should be.

        `hint` replaces what the name promises; `needs` is told what it asks of its neighbours. Limits and
        unreadable parts end up as findings here, so that the next part is still read.
        """
        told = name_hint(name) if hint is None else hint
        child = Scan(self._walk, self._path_of(name), told, self.depth + 1, needs)
        try:
            self.budget.descend(child.depth)
        except LimitReached as limit:
            child.found(proven_by(limit) or LIMIT_REACHED, limit.limit, detail=limit.message)
            return
        _examine(source, child, raw=raw)

    def not_scanned(self, inside: str = "") -> None:
        """No reader knows what this is."""
        if len(self._walk.unread) < _MAX_UNREAD:
            self._walk.unread[quoted(self._path_of(inside) if inside else self.path)] = None

    def _path_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


def scan_with(
    readers: Iterable[Reader],
    source: Source,
    name: str,
    rule_set: str,
    limits: Limits,
    told: list[Finding] | None = None,
) -> FileReport:
    """Scan a file called `name` with these readers. Of the name, only its hint counts.

    What is found is put into `told` at once, for a caller whose scan may be broken off.

    Raises what is wrong with the machine (OSError, MemoryError, EOFError), never what is wrong with the file.
    """
    walk = _Walk(tuple(readers), limits, source.size_bytes, [] if told is None else told)
    _examine(source, Scan(walk, "", name_hint(name), 0), raw=False)
    order = sorted(
        [*walk.findings.values(), *walk.left_out.values()],
        key=lambda finding: (-finding.severity, finding.inside, finding.offset or 0, finding.rule.id),
    )
    return FileReport(
        rule_set,
        tuple(walk.formats),
        tuple(order),
        tuple(walk.references),
        tuple(walk.unread),
        walk.left_out_count - len(walk.left_out),
    )


def _examine(source: Source, scan: Scan, *, raw: bool) -> None:
    if source.size_bytes == 0:
        scan._walk.formats["empty"] = None  # noqa: SLF001  # the walk is this module's own
        return
    probe = Probe(source, source.read_at(0, HEAD_BYTES), "" if raw else scan.hint, raw)
    by_content: list[Reader] = []
    by_name: list[Reader] = []
    for reader in scan._walk.readers:  # noqa: SLF001
        claim = reader.claims(probe)
        if claim is Claim.CONTENT:
            by_content.append(reader)
        elif claim is Claim.NAME:
            by_name.append(reader)
    carried = frozenset().union(*(reader.carries for reader in by_content))
    families = sorted({reader.family for reader in by_content} - {"text"} - carried)
    if len(families) > 1:
        scan.found(POLYGLOT, " + ".join(families))
    for reader in by_content:
        _read(reader, source, scan, UNREADABLE)
    only_text = all(reader.family == "text" for reader in by_content)
    for reader in by_name:
        # What a text is to a loader, its name decides; other bytes speak for themselves.
        if not by_content:
            _read(reader, source, scan, UNREADABLE)
        elif only_text or reader.family == "text":
            _read(reader, source, scan, NAME_DISAGREES)
    if not by_content and not by_name and not raw:
        scan.not_scanned()


def _read(reader: Reader, source: Source, scan: Scan, failure: Rule) -> None:
    scan._walk.formats[reader.name] = None  # noqa: SLF001
    try:
        reader.read(source, scan)
    except Malformed as error:
        scan.found(proven_by(error) or failure, reader.name, detail=error.message)
    except Unreadable as error:
        scan.found(error.rule or failure, reader.name, detail=error.message, offset=error.offset)
    except LimitReached as limit:
        scan.found(proven_by(limit) or LIMIT_REACHED, limit.limit, detail=limit.message)
