"""Which paths a `.gitignore` leaves out (gitignore(5)).

The last matching line wins, `!` takes a path back in, and what lies in an ignored folder stays ignored
whatever later lines say.
"""

from dataclasses import dataclass

from allmende.formats.errors import MalformedPathRules
from allmende.formats.globs import Glob, MatchBudget, compile_glob, split_path

__all__ = ["GitIgnore", "parse_gitignore"]

_MAX_BYTES = 128 * 1024
_MAX_RULES = 1000
_MAX_LINE_CHARS = 2048


@dataclass(frozen=True, slots=True)
class _Rule:
    glob: Glob
    ignores: bool
    folders_only: bool


@dataclass(frozen=True, slots=True)
class GitIgnore:
    """The rules of one `.gitignore` at the root of a repo."""

    _rules: tuple[_Rule, ...]

    def ignores(self, path: str) -> bool:
        """Whether the file at `path` is left out. Raises MalformedPathRules for absurd paths."""
        parts = split_path(path)
        budget = MatchBudget()
        depths = range(1, len(parts) + 1)
        return any(self._decides(parts[:depth], budget, is_folder=depth < len(parts)) for depth in depths)

    def _decides(self, parts: tuple[str, ...], budget: MatchBudget, *, is_folder: bool) -> bool:
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.glob.matches(parts, budget):
                return rule.ignores
        return False


def parse_gitignore(text: str) -> GitIgnore:
    """Reads a `.gitignore`; raises MalformedPathRules where it is too large."""
    lines = text.removeprefix("\ufeff").split("\n")
    if len(text) > _MAX_BYTES:
        raise MalformedPathRules(
            f".gitignore has {len(text)} characters; at most {_MAX_BYTES} are read.",
            code="path_rules_beyond_limits",
        )
    rules = tuple(rule for rule in map(_rule, lines) if rule is not None)
    if len(rules) > _MAX_RULES:
        raise MalformedPathRules(
            f".gitignore has {len(rules)} patterns; at most {_MAX_RULES} are matched.",
            code="path_rules_beyond_limits",
        )
    return GitIgnore(rules)


def _rule(line: str) -> _Rule | None:
    pattern = _without_trailing_blanks(line.removesuffix("\r"))
    if not pattern or pattern.startswith("#") or len(pattern) > _MAX_LINE_CHARS:
        return None
    ignores = not pattern.startswith("!")
    pattern = pattern if ignores else pattern[1:]
    folders_only = pattern.endswith("/")
    pattern = pattern[:-1] if folders_only else pattern
    if not pattern:
        return None
    return _Rule(compile_glob(pattern), ignores, folders_only)


def _without_trailing_blanks(line: str) -> str:
    """Blanks at the end do not count, unless a backslash holds the first of them."""
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return kept + " " if backslashes % 2 and len(kept) < len(line) else kept
