"""How much longer a tokenizer makes a text, by the replacements that it lists."""

from typing import Final

from allmende.formats import JsonValue

__all__ = ["replaced_growth"]

_CAP: Final = 10**12


def replaced_growth(part: JsonValue) -> int:
    """An upper bound for how many times as long a text becomes, where each step works on the one before."""
    growth, waiting = 1, [part]
    while waiting:
        step = waiting.pop()
        if isinstance(step, list):
            waiting += step
        elif isinstance(step, dict):
            growth = min(_CAP, growth * _of_step(step))
            waiting += [step[key] for key in ("normalizers", "decoders", "pretokenizers") if key in step]
    return growth


def _of_step(step: dict[str, JsonValue]) -> int:
    pattern, content = step.get("pattern"), step.get("content")
    if step.get("type") != "Replace" or not isinstance(content, str):
        return 1
    text = pattern.get("String") if isinstance(pattern, dict) else pattern
    shortest = len(text) if isinstance(text, str) and text else 1
    return max(1, -(-len(content) // shortest))
