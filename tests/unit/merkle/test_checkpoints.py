"""The text of a checkpoint, in the one way that it may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.merkle import MAX_SIZE, Checkpoint, MalformedCheckpoint, read_checkpoint

TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)


def test_the_example_of_the_norm():
    checkpoint = read_checkpoint(TEXT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == TEXT
    assert read_checkpoint(TEXT + "more\n").extensions == ("more",)


@given(LINES, st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32), st.lists(LINES, max_size=3))
def test_what_is_written_is_read(origin, size, root, extensions):
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert read_checkpoint(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a\n1\n",
        TEXT[:-1],
        "\n" + TEXT,
        TEXT + "\n",
        TEXT + "\nmore\n",
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+20852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "2085216\u0663"),
        TEXT.replace("20852163", "20_852_163"),
        TEXT.replace("20852163", " 1"),
        TEXT.replace("20852163", ""),
        TEXT.replace("20852163", str(2**63)),
        TEXT.replace("20852163", "9" * 5000),
        TEXT.replace("q2I=", "q2J="),
        TEXT.replace("q2I=", "q2I"),
        TEXT.replace("q2I=", "q2IA"),
        TEXT.replace("CsUY", ""),
        "o" * 256 + TEXT.removeprefix("example.com/behind-the-sofa"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(MalformedCheckpoint):
        read_checkpoint(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("a\udc80", 1, bytes(32)),
        ("a", -1, bytes(32)),
        ("a", 2**63, bytes(32)),
        ("a", 1, bytes(31)),
        ("a", 1, bytes(32), ("",)),
        ("a", 1, bytes(32), ("x\ny",)),
    ],
)
def test_what_could_not_be_written_is_not_made(arguments):
    with pytest.raises(MalformedCheckpoint):
        Checkpoint(*arguments)
