"""Texts in configurations that somebody else evaluates: code, command lines, look-ups, slow patterns."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from allmende.formats import JsonValue
from allmende.scan.code.code_texts import code_in, gadget_in
from allmende.scan.code.commands import examine_commands, has_commands
from allmende.scan.configs.config_pickles import SERIALIZED_KEY
from allmende.scan.configs.config_rules import (
    CODE_TEXT,
    EVALUATED_CODE,
    LOOKED_UP,
    OBJECT_TAG,
    PICKLED_DATA,
    SLOW_PATTERN,
)
from allmende.scan.scanning import Scan
from allmende.scan.source import Source
from allmende.scan.templates import is_template_key

__all__ = ["examine_texts"]

_MIN_CHARS: Final = 9
_MAX_FOUND: Final = 40
_MAX_PATH_CHARS: Final = 300
_MAX_COMMAND_CHARS: Final = 20_000
_WORD: Final = r"(?:^|[_.\-\s]|(?<=[a-z])(?=[A-Z]))"
_EVALUATED: Final = re.compile(
    _WORD + r"(?i:expr\w*|code|eval\w*|lambda\w*|exec\w*|formula|functions?|func|fn|callbacks?|hooks?|"
        r"condition|predicate|"
    r"transforms?|preprocess\w*|postprocess\w*|init\w*|setup|python\w*|scripts?|globals|locals|filters?|"
    r"template|prompt|macro|"
    r"callable|handler|run|entry\w*|tool|loader|factory|target|metric|reward\w*|compute\w*|map\w*|when|if|"
    r"resolver|kernel|"
    r"plugin|module|import\w*|statement|snippet|program|body|action|on_\w+|before\w*|after\w*|pre|"
    r"post)(?:[_.\-\s]|$|(?=[A-Z]))"
)  # fmt: skip
_SAID: Final = re.compile(
    r"(?i)^(?:text|content|description|readme|question|answer|instruction|input|output|completion|response|"
    r"docstring|comment|explanation|hint|note|reason|message|error|warning|doc|license|citation|title|"
    r"summary|abstract|context|chosen|rejected|conversations?|value|"
    r"document|passage|label|name|example|widget|help|message|reasoning|solution|canonical_solution|"
    r"reference)s?$"
)
"""Keys of what people say to each other and to models; code in it is talk."""
_RUN: Final = re.compile(
    _WORD + r"(?i:cmd|commands?|scripts?|run|entry\w*|entrypoint|args?|argv|exec\w*|shell|hooks?|on\w*|"
        r"pre\w*|post\w*|before\w*|"
    r"after\w*|install\w*|build\w*|setup\w*|init\w*|start\w*|test\w*|prepare|deploy|lifecycle|program|"
    r"launcher|tasks?|steps?|"
    r"download\w*|healthcheck)(?:[_.\-\s]|$|(?=[A-Z]))"
)  # fmt: skip
_RESOLVER: Final = re.compile(
    r"\$\{\s{0,3}(?:oc\.)?env\s{0,3}:\s{0,3}([^}]{1,100})\}|\$\{\{?\s{0,3}secrets\.([^}]{1,60})\}"
)
_SECRET_NAME: Final = re.compile(r"(?i)secret|token|key|passw|credential|auth|cookie|session")
_RUNNING_RESOLVER: Final = re.compile(
    r"\$\{\s{0,3}(?:oc\.)?(?:py|python|eval|exec|sh|shell|cmd|bash|import|lambda|script)\s{0,3}:[^}]{1,200}\}"
)
_REMOTE: Final = re.compile(r"(?i)(?:https?|ftp|wss?|s3|gs|ldaps?)://")
_JAVA: Final = re.compile(r"\s{0,20}rO0AB[A-Za-z0-9+/=\s]{20,}")
_DOTNET: Final = re.compile(r"\s{0,20}AAEAAAD/////[A-Za-z0-9+/=\s]{20,}")
_PICKLE: Final = re.compile(r"\s{0,20}gA[SVRNJF][A-Za-z0-9+/_=\s-]{20,}")
_TEXT_PICKLE: Final = re.compile(
    r"c(?:os|posix|nt|builtins|__builtin__|subprocess|sys|importlib|runpy|pty|commands)\n\w{1,40}\n"
)
_PATTERN_KEYS: Final = frozenset(("regex", "pattern", "split_regex", "pat_str", "pretokenizer_regex"))
_SLOW: Final = re.compile(
    r"(?<!\\)\((?:\?:)?(?:\\?[^()\[\]\\|?*+{}]|\\[wdsSWD]|\.|\[[^\]]{1,60}\])[+*]\)(?:[+*]|"
    r"\{\d{2,},?\d{0,9}\})"
    r"|(?<!\\)\((?:\?:)?(\\?[^()\[\]|])\|\1\??\)[+*]"
    r"|(?<!\\)\((?:\?:)?\([^()]{1,40}[+*]\)[+*]\)[+*]"
)


def examine_texts(value: JsonValue, scan: Scan) -> None:
    """Look at every text of a configuration. Bounded by its size; what is found is bounded, too."""
    found = 0
    for path, key, text in _texts(value):
        if _examine(path, key, text, scan):
            found += 1
            if found >= _MAX_FOUND:
                return


def _texts(value: JsonValue) -> Iterator[tuple[str, str, str]]:
    """Every text that is long enough, with its path and the key that it stands under."""
    if isinstance(value, dict) and "cells" in value and ("nbformat" in value or "metadata" in value):
        return  # a notebook, which has a reader of its own
    waiting: list[tuple[str, str, JsonValue]] = [("", "", value)]
    while waiting:
        path, key, inner = waiting.pop()
        if isinstance(inner, dict):
            waiting += [
                (f"{path}.{name}"[-_MAX_PATH_CHARS:] if path else name, name, item)
                for name, item in inner.items()
                if isinstance(item, (dict, list))
                or (isinstance(item, str) and (len(item) >= _MIN_CHARS or name.lower() in _PATTERN_KEYS))
            ]
        elif isinstance(inner, list):
            for item in inner:
                if isinstance(item, str):
                    if len(item) >= _MIN_CHARS:
                        yield path, key, item
                elif isinstance(item, (dict, list)):
                    waiting.append((path, key, item))
            if key and _RUN.search(key):
                joined = [item for item in inner if isinstance(item, str)]
                if 1 < len(joined) < 100:
                    yield path, key, " ".join(joined)
        elif isinstance(inner, str):
            yield path, key, inner


def _examine(path: str, key: str, text: str, scan: Scan) -> bool:
    """Whether there was something to tell of a text."""
    if key == SERIALIZED_KEY or is_template_key(key):
        return False  # both have readers of their own
    if _SAID.match(key):
        return _examine_data(path, text, scan)
    told = False
    gadget = gadget_in(text)
    if gadget:
        scan.found(OBJECT_TAG, gadget, inside=path)
        told = True
    call = code_in(text)
    if call:
        evaluated = _EVALUATED.search(key) or _RUNNING_RESOLVER.search(text)
        scan.found(EVALUATED_CODE if evaluated else CODE_TEXT, f"{key}: {call}", inside=path)
        told = True
    if len(text) < _MAX_COMMAND_CHARS and has_commands(text):
        examine_commands(text, scan, path)
    return _examine_lookups(path, key, text, scan) or _examine_data(path, text, scan) or told


def _examine_lookups(path: str, key: str, text: str, scan: Scan) -> bool:
    runs = _RUNNING_RESOLVER.search(text)
    if runs is not None:
        scan.found(LOOKED_UP, runs[0], inside=path)
        return True
    env = _RESOLVER.search(text)
    if env is not None and _REMOTE.search(text):
        name = env[1] or env[2]
        if _SECRET_NAME.search(name):
            scan.found(LOOKED_UP, text[:200], inside=path)
            return True
    if key.lower() in _PATTERN_KEYS and len(text) < 5000:
        slow = _SLOW.search(text)
        if slow is not None:
            scan.found(SLOW_PATTERN, slow[0], inside=path)
            return True
    return False


def _examine_data(path: str, text: str, scan: Scan) -> bool:
    """Objects of other languages and pickles, as base64 or plain."""
    for pattern in (_JAVA, _DOTNET, _PICKLE):
        if pattern.match(text):
            try:
                plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
                data = base64.b64decode(plain[: len(plain) // 4 * 4])
            except (binascii.Error, ValueError):
                return False
            if pattern is _PICKLE:
                scan.found(PICKLED_DATA, text[:60], inside=path)
            scan.inside(path, Source.of_bytes(data), raw=True)
            return True
    if _TEXT_PICKLE.search(text[:500]):
        scan.found(PICKLED_DATA, text[:60], inside=path)
        scan.inside(path, Source.of_bytes(text.encode("utf-8", "replace")), hint="pickle")
        return True
    return False
