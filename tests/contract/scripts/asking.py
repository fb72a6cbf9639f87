"""How a script hears what to do and says what it saw; works with every client version."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def given() -> dict[str, Any]:
    """What the test asks for: a JSON object on standard input."""
    asked: dict[str, Any] = json.load(sys.stdin)
    return asked


def answer(value: Any) -> None:
    """What the test gets back: the last line of standard output."""
    print(json.dumps(value))


def refused(kind: type[Exception], call: Callable[[], Any]) -> str:
    """The text of the error that `call` must raise, which must be of exactly this kind."""
    try:
        call()
    except Exception as error:
        if type(error) is not kind:
            raise
        return str(error)
    raise AssertionError(f"nothing was refused, {kind.__name__} was expected")


def digests(path: str) -> dict[str, str]:
    """The SHA-256 of each file below a folder; what the client keeps for itself there does not count."""
    folder = Path(path)
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".cache" not in file.relative_to(folder).parts
    }
