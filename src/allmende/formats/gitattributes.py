"""Which paths a repo's `.gitattributes` puts into git-lfs (gitattributes(5)), and the text for a new repo.

Only the attribute `filter` matters here. The last line that matches and speaks of it wins, also where it
takes the filter away again (`-filter`, `!filter`).
"""

import re
from dataclasses import dataclass

from allmende.formats.errors import MalformedPathRules
from allmende.formats.globs import Glob, MatchBudget, compile_glob, split_path

__all__ = ["DEFAULT_GITATTRIBUTES", "GitAttributes", "parse_gitattributes"]

_MAX_BYTES = 256 * 1024
_MAX_LINE_BYTES = 2048
_MAX_GLOBS = 1000
_BLANK = " \t\r"
_PLAIN_SUFFIX = re.compile(r"\*(\.[^*?\[\]\\/]+)")
_PLAIN = re.compile(r"[^*?\[\]\\]+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}

_LFS_PATTERNS = (
    # weights
    "*.safetensors", "*.gguf", "*.ggml", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.keras", "*.msgpack",
    "*.onnx", "*.ot", "*.tflite", "*.mlmodel", "*.pb", "*.model", "*.ftz", "*.nemo", "*.llamafile",
    "saved_model/**/*",
    # serialised objects and arrays
    "*.pickle", "*.pkl", "*.joblib", "*.npy", "*.npz",
    # tables
    "*.parquet", "*.arrow", "*.feather", "*.sqlite",
    # archives
    "*.7z", "*.bz2", "*.gz", "*.rar", "*.tar", "*.tar.*", "*.tgz", "*.xz", "*.zip", "*.zst",
    # others that are large and binary
    "*.lfs.*", "*.wasm", "*tfevents*",
)  # fmt: skip

DEFAULT_GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS
)
"""What a new repo begins with: model weights and other large binaries are kept by git-lfs."""


@dataclass(frozen=True, slots=True)
class GitAttributes:
    """The lines of a `.gitattributes` that speak of `filter`, ready to be asked.

    The frequent shapes (`*.ext`, a plain path, a plain name) are looked up and not tried one by one, so that
    a file with a line for each of thousands of paths, as `git lfs track` leaves it, stays cheap.
    """

    globs: tuple[tuple[int, Glob, bool], ...]
    suffixes: dict[str, tuple[int, bool]]
    paths: dict[str, tuple[int, bool]]
    names: dict[str, tuple[int, bool]]

    def is_lfs(self, path: str) -> bool:
        """Whether the file at `path` is to be kept by git-lfs. Raises MalformedPathRules for absurd paths."""
        parts = split_path(path)
        if not parts:
            return False
        line, lfs = max(self._looked_up(parts), default=(-1, False))
        budget = MatchBudget()
        for glob_line, glob, glob_lfs in reversed(self.globs):
            if glob_line < line:
                break
            if glob.matches(parts, budget):
                return glob_lfs
        return lfs

    def _looked_up(self, parts: tuple[str, ...]) -> list[tuple[int, bool]]:
        name = parts[-1]
        found = [self.paths.get("/".join(parts)), self.names.get(name)]
        found += [self.suffixes.get(name[at:]) for at, char in enumerate(name) if char == "."]
        return [rule for rule in found if rule is not None]


def parse_gitattributes(data: bytes) -> GitAttributes:
    """Reads a `.gitattributes` from the root of a repo.

    Lines that git itself passes over (too long, negated patterns, macros) are passed over. Raises
    MalformedPathRules where the whole is too large.
    """
    if len(data) > _MAX_BYTES:
        raise MalformedPathRules(
            f".gitattributes has {len(data)} bytes; at most {_MAX_BYTES} are read.",
            hint="Use patterns such as *.bin in place of single paths.",
            code="path_rules_beyond_limits",
        )
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    found = ((number, _line(raw)) for number, raw in enumerate(lines))
    return _compiled([(number, *rule) for number, rule in found if rule is not None])


def _line(raw: bytes) -> tuple[str, bool] | None:
    """Pattern and verdict of a line that speaks of the filter."""
    if len(raw) > _MAX_LINE_BYTES:
        return None
    line = raw.decode("utf-8", errors="surrogateescape").strip(_BLANK)
    if not line or line.startswith(("#", "[attr]")):
        return None
    pattern, rest = _quoted(line) if line.startswith('"') else _unquoted(line)
    if not pattern or pattern.startswith("!"):
        return None
    verdict = None
    for attribute in rest.replace("\t", " ").split():
        if attribute.lstrip("-!").split("=", 1)[0] == "filter":
            verdict = attribute == "filter=lfs"
    return None if verdict is None else (pattern, verdict)


def _unquoted(line: str) -> tuple[str, str]:
    pattern, _, rest = line.replace("\t", " ").partition(" ")
    return pattern, rest


def _quoted(line: str) -> tuple[str, str]:
    """A pattern in C quotes; an empty one where the quoting is broken."""
    out = bytearray()
    at = 1
    while at < len(line) and line[at] != '"':
        if line[at] != "\\":
            out += line[at].encode("utf-8", errors="surrogateescape")
            at += 1
            continue
        escape = line[at + 1 : at + 2]
        octal = line[at + 1 : at + 4]
        if escape in _ESCAPES and escape:
            out += _ESCAPES[escape].encode("ascii")
            at += 2
        elif re.fullmatch(r"[0-3][0-7]{2}", octal):
            out.append(int(octal, 8))
            at += 4
        else:
            return "", ""
    if at >= len(line):
        return "", ""
    return out.decode("utf-8", errors="surrogateescape"), line[at + 1 :]


def _compiled(rules: list[tuple[int, str, bool]]) -> GitAttributes:
    """Sorts the lines by the shape of their patterns; of two alike the later one wins."""
    globs: list[tuple[int, str, bool]] = []
    suffixes: dict[str, tuple[int, bool]] = {}
    paths: dict[str, tuple[int, bool]] = {}
    names: dict[str, tuple[int, bool]] = {}
    for number, pattern, lfs in rules:
        suffix = _PLAIN_SUFFIX.fullmatch(pattern)
        if pattern.endswith("/"):
            # Such a pattern means folders, and folders have no attributes.
            continue
        if suffix:
            suffixes[suffix[1]] = (number, lfs)
        elif _PLAIN.fullmatch(pattern):
            # A slash anywhere ties the pattern to the root.
            target = paths if "/" in pattern else names
            target[pattern.removeprefix("/")] = (number, lfs)
        else:
            globs.append((number, pattern, lfs))
    if len(globs) > _MAX_GLOBS:
        raise MalformedPathRules(
            f".gitattributes has {len(globs)} patterns with wildcards; at most {_MAX_GLOBS} are matched.",
            code="path_rules_beyond_limits",
        )
    return GitAttributes(
        tuple((number, compile_glob(pattern), lfs) for number, pattern, lfs in globs), suffixes, paths, names
    )
