"""Names of entries: one spelling, and no way out of the folder that they are written to."""

import pytest

from allmende.archive import UnfitName, entry_name


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "run-7/step 100/model.safetensors",
        "Modelle/größe.bin",
        "...",
        "a/.hidden",
        "-",
        "a" * 255,
        "模型/权重",
    ],
)
def test_a_name_is_taken_as_it_is(text: str) -> None:
    assert entry_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a\x00b", "a\nb",
        "\x1b[2J", "a\u202eb", "\ud800", "a" * 256, "/".join(["a" * 200] * 6), "\u2028",
    ],
)  # fmt: skip
def test_what_could_lead_elsewhere_or_be_shown_wrongly_is_refused(text: str) -> None:
    with pytest.raises(UnfitName) as caught:
        entry_name(text)
    assert caught.value.code == "unfit_name"
    assert caught.value.hint
    caught.value.message.encode()
