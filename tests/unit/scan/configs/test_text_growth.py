"""How much longer a tokenizer makes a text."""

import pytest

from allmende.formats import JsonValue
from allmende.scan.configs.text_growth import replaced_growth


def replace(pattern: JsonValue, content: str) -> dict[str, JsonValue]:
    return {"type": "Replace", "pattern": pattern, "content": content}


@pytest.mark.parametrize(
    ("part", "growth"),
    [
        (None, 1),
        ({"type": "NFC"}, 1),
        (replace({"String": "ab"}, "abcd"), 2),
        (replace({"String": "abc"}, "a"), 1),
        (replace({"Regex": " {2,}"}, "xyz"), 3),
        ({"type": "Sequence", "normalizers": [replace({"String": "a"}, "aa")] * 5}, 32),
        (
            {"type": "Sequence", "decoders": [{"type": "Sequence", "decoders": [replace("a", "aaaa")] * 2}]},
            16,
        ),
        ({"type": "Sequence", "normalizers": [replace({"String": "a"}, "a" * 1000)] * 9}, 10**12),
    ],
)
def test_growth_is_the_product_of_the_steps(part: JsonValue, growth: int) -> None:
    assert replaced_growth(part) == growth
