"""What only the files of a repository together show: missing parts, names that collide, needless pickles.

A pure function of the reports, the sizes and the links. What leaves the repository was found in the file that
names it; here the targets inside are looked for.
"""

import posixpath
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.evidence import quoted
from allmende.scan.findings import Finding, Rule, Severity
from allmende.scan.verdicts import FileReport

__all__ = ["RULES", "RepositoryFinding", "awaits_others", "examine_repository"]

OUTSIDE_LINK = Rule(
    "repository-outside-link",
    Severity.CRITICAL,
    "a link out of the repository",
    "Whoever loads the file reads or writes another file of their own machine.",
    "Replace the link by the file.",
    "CWE-59: link following.",
)
SHORT_TARGET = Rule(
    "repository-short-target",
    Severity.HIGH,
    "refers beyond the end of another file",
    "The file says that its data lie in another file of the repository, which is shorter than that.",
    "Save the model again, with all of its files.",
    "ONNX, external data: CVE-2026-34445.",
)
MISSING_TARGET = Rule(
    "repository-missing-target",
    Severity.LOW,
    "a part is missing",
    "The file refers to another one that is not in the repository.",
    "Add the missing file, or save the model again.",
    "Completeness: what is missing was not looked into.",
)
COLLIDING_PATHS = Rule(
    "repository-colliding-paths",
    Severity.LOW,
    "names that differ only in case or form",
    "On file systems that do not tell upper from lower case, one of the files replaces the other.",
    "Rename one of the files.",
    "CWE-178: improper handling of case sensitivity.",
)
RESERVED_NAME = Rule(
    "repository-reserved-name",
    Severity.LOW,
    "a name that Windows reserves",
    "On Windows the name means a device, and the repository cannot be checked out.",
    "Rename the file.",
    "Microsoft, Naming Files, Paths, and Namespaces.",
)
NEEDLESS_PICKLE = Rule(
    "repository-needless-pickle",
    Severity.LOW,
    "a pickle beside safetensors",
    "The same weights are there in a format without code; older programs may still load the pickle.",
    "Delete the pickle.",
    "Hugging Face documentation, pickle scanning.",
)
RULES = (OUTSIDE_LINK, SHORT_TARGET, MISSING_TARGET, COLLIDING_PATHS, RESERVED_NAME, NEEDLESS_PICKLE)

_RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
)
_WEIGHTS_OF_TORCH = ("pytorch_model", "adapter_model", "diffusion_pytorch_model")
_MAX_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class RepositoryFinding:
    """A finding about the file at `path`."""

    path: str
    finding: Finding


def examine_repository(
    files: Mapping[str, FileReport], sizes: Mapping[str, int], links: Mapping[str, str] | None = None
) -> list[RepositoryFinding]:
    """Look at all files together: their reports and sizes (in bytes) by path, and links with their targets.

    `sizes` may name files that have no report. The result is ordered by path and bounded.
    """
    found = [
        *_outside_links(links or {}),
        *_targets(files, sizes),
        *_names(sizes),
        *_needless_pickles(files),
    ]
    return sorted(found, key=lambda found: (found.path, found.finding.rule.id, found.finding.evidence))[
        :_MAX_FINDINGS
    ]


def awaits_others(path: str, report: FileReport) -> bool:
    """Whether the reports on other files can show more about this one.

    What links and names show follows from the list of files alone, and is not asked for here.
    """
    return bool(report.references) or _is_torch_pickle(path, report)


def _outside_links(links: Mapping[str, str]) -> Iterator[RepositoryFinding]:
    for path, target in links.items():
        joined = posixpath.join(posixpath.dirname(path), target)
        if target.startswith("/") or is_outside(joined):
            yield RepositoryFinding(path, Finding(OUTSIDE_LINK, evidence=quoted(target)))


def _targets(files: Mapping[str, FileReport], sizes: Mapping[str, int]) -> Iterator[RepositoryFinding]:
    for path, report in files.items():
        folder = posixpath.dirname(path)
        for reference in report.references:
            target = posixpath.normpath(posixpath.join(folder, reference.target))
            evidence = quoted(reference.target)
            if is_outside(reference.target):
                continue  # found in the file itself
            if target not in sizes:
                detail = f"It is needed as {reference.kind.replace('_', ' ')}."
                yield RepositoryFinding(path, Finding(MISSING_TARGET, evidence=evidence, detail=detail))
            elif reference.needs_bytes is not None and sizes[target] < reference.needs_bytes:
                detail = f"{reference.needs_bytes} bytes are needed, {sizes[target]} are there."
                yield RepositoryFinding(path, Finding(SHORT_TARGET, evidence=evidence, detail=detail))


def _names(sizes: Mapping[str, int]) -> Iterator[RepositoryFinding]:
    seen: dict[str, str] = {}
    for path in sorted(sizes):
        folded = unicodedata.normalize("NFKC", path).casefold()
        if folded in seen:
            yield RepositoryFinding(path, Finding(COLLIDING_PATHS, evidence=quoted(seen[folded])))
        seen.setdefault(folded, path)
        for part in path.split("/"):
            if part.split(".", 1)[0].strip().lower() in _RESERVED:
                yield RepositoryFinding(path, Finding(RESERVED_NAME, evidence=quoted(part)))


def _needless_pickles(files: Mapping[str, FileReport]) -> Iterator[RepositoryFinding]:
    folders = {posixpath.dirname(path) for path, report in files.items() if "safetensors" in report.formats}
    for path, report in files.items():
        if _is_torch_pickle(path, report) and posixpath.dirname(path) in folders:
            yield RepositoryFinding(path, Finding(NEEDLESS_PICKLE))


def _is_torch_pickle(path: str, report: FileReport) -> bool:
    return "pickle" in report.formats and posixpath.basename(path).startswith(_WEIGHTS_OF_TORCH)
