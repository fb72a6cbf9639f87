"""Path patterns as git understands them (gitignore(5), wildmatch), matched in bounded time.

A pattern is split at its slashes. A part of it becomes a regular expression in which every `*` is an atomic
group, so that nothing is tried twice; `**` is matched over the parts, going back to the last one only. Both
rest on the same fact: the leftmost fit of what follows a star is as good as any later one.
"""

import re
from dataclasses import dataclass

from allmende.formats.errors import MalformedPathRules

__all__ = ["MAX_PATH_CHARS", "Glob", "MatchBudget", "compile_glob", "split_path"]

MAX_PATH_CHARS = 4096
_MAX_PARTS = 256
_STEPS_PER_PATH = 50_000
_CHARS_PER_STEP = 2048
_POSIX = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "\\x21-\\x7e", "lower": "a-z", "print": "\\x20-\\x7e", "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\v", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STARS = re.compile(r"\*{2,}")
_NOTHING = re.compile(r"(?!)")
_ANY_DEPTH = None


class MatchBudget:
    """The work that rules may cause for one path; a thousand sound rules need a tenth of it."""

    def __init__(self, steps: int = _STEPS_PER_PATH) -> None:
        self._left = steps

    def fits(self, pattern: re.Pattern[str], part: str) -> bool:
        """Whether `part` fits; raises MalformedPathRules when the work for this path is used up."""
        self._left -= 1 + len(part) * len(pattern.pattern) // _CHARS_PER_STEP
        if self._left < 0:
            raise MalformedPathRules(
                "Matching this path against the rules takes too long.",
                hint="Use fewer patterns with ** in .gitattributes and .gitignore.",
                code="path_rules_beyond_limits",
            )
        return pattern.fullmatch(part) is not None


@dataclass(frozen=True, slots=True)
class Glob:
    """One compiled pattern. `parts` holds None for `**`."""

    parts: tuple[re.Pattern[str] | None, ...]
    anchored: bool
    """Whether the pattern is compared with the whole path and not with its last part alone."""

    def matches(self, path: tuple[str, ...], budget: MatchBudget) -> bool:
        """Whether the path (its parts, from the root of the repo) fits the pattern."""
        if self.anchored:
            return self._matches_parts(path, budget)
        only = self.parts[0]
        return bool(path) and (only is None or budget.fits(only, path[-1]))

    def _matches_parts(self, path: tuple[str, ...], budget: MatchBudget) -> bool:
        at = part = 0
        resume_at, resume_part = 0, -1
        while at < len(path):
            pattern = self.parts[part] if part < len(self.parts) else _NOTHING
            if pattern is _ANY_DEPTH:
                if part == len(self.parts) - 1:
                    return True
                resume_at, resume_part = at, part
                part += 1
            elif budget.fits(pattern, path[at]):
                at += 1
                part += 1
            elif resume_part >= 0:
                resume_at += 1
                at, part = resume_at, resume_part + 1
            else:
                return False
        # `**` at the end stands for something inside: the folder itself does not fit.
        return part == len(self.parts)


def split_path(path: str) -> tuple[str, ...]:
    """The parts of a repo path; raises MalformedPathRules for one that no rule is asked about."""
    if len(path) > MAX_PATH_CHARS or path.count("/") >= _MAX_PARTS:
        raise MalformedPathRules(
            f"The path has {len(path)} characters in {path.count('/') + 1} parts; "
            f"at most {MAX_PATH_CHARS} in {_MAX_PARTS} are matched.",
            code="path_rules_beyond_limits",
        )
    return tuple(part for part in path.split("/") if part)


def compile_glob(pattern: str) -> Glob:
    """Compiles a git pattern without its leading `!` and its trailing slash.

    A slash at the beginning or in the middle anchors it; one that cannot be understood (an open bracket, a
    lone backslash) matches nothing, as in git. Brackets do not reach over a slash, which git would allow.
    """
    anchored = "/" in pattern
    plain = _ESCAPED.sub(lambda escape: "/" if escape[1] == "/" else escape[0], pattern.removeprefix("/"))
    texts = ["**" if _STARS.fullmatch(text) else text for text in plain.split("/")]
    # Two `**` in a row say what one says.
    kept = [text for i, text in enumerate(texts) if not (i and text == "**" == texts[i - 1])]
    if len(kept) > _MAX_PARTS:
        return Glob((_NOTHING,), anchored=False)
    parts = tuple(_ANY_DEPTH if text == "**" and anchored else _compile_part(text) for text in kept)
    return Glob(parts, anchored)


def _compile_part(text: str) -> re.Pattern[str]:
    pieces: list[str] = [""]
    at = 0
    while at < len(text):
        piece, at = _token(text, at)
        if piece is None:
            return _NOTHING
        if piece != "*":
            pieces[-1] += piece
        elif pieces[-1] or len(pieces) == 1:
            pieces.append("")
    return re.compile(_assembled(pieces), re.DOTALL)


def _assembled(pieces: list[str]) -> str:
    """First piece fixed at the start, last at the end, each between at its leftmost fit and never again."""
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last


def _token(text: str, at: int) -> tuple[str | None, int]:
    """The expression for the token at `at` (`*` for a run of stars, None for none) and where it ends."""
    char = text[at]
    if char == "*":
        return "*", at + 1
    if char == "?":
        return ".", at + 1
    if char == "[":
        return _bracket(text, at + 1)
    if char == "\\":
        return (re.escape(text[at + 1]), at + 2) if at + 1 < len(text) else (None, at)
    return re.escape(char), at + 1


def _bracket(text: str, at: int) -> tuple[str | None, int]:
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    ranges: list[str] = []
    first = True
    while at < len(text) and (first or text[at] != "]"):
        first = False
        if text.startswith("[:", at):
            end = text.find(":]", at + 2)
            name = text[at + 2 : end] if end >= 0 else ""
            if name not in _POSIX:
                return None, at
            ranges.append(_POSIX[name])
            at = end + 2
            continue
        low, at = _member(text, at)
        high = low
        if text[at : at + 1] == "-" and at + 1 < len(text) and text[at + 1] != "]":
            high, at = _member(text, at + 1)
        if low <= high:
            ranges.append(f"{_escaped(low)}-{_escaped(high)}")
    if at >= len(text):
        return None, at
    if not ranges:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _member(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\" and at + 1 < len(text):
        at += 1
    return text[at], at + 1


def _escaped(char: str) -> str:
    return f"\\U{ord(char):08x}"
