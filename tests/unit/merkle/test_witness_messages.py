"""Bodies of requests to witnesses, in the one way that they may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.merkle import AddCheckpoint, Malformed, monitoring_path, read_add_checkpoint
from tests.unit.merkle.made_logs import note_of, tree_of

NOTE = note_of(tree_of(5))
HASH = "A" * 43 + "="


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_what_is_written_is_read(old_size, proof):
    request = AddCheckpoint(old_size, tuple(proof), NOTE)
    assert read_add_checkpoint(bytes(request)) == request


def test_the_lines_are_those_of_the_norm():
    assert bytes(AddCheckpoint(3, (bytes(32),), NOTE)) == f"old 3\n{HASH}\n\n{NOTE}".encode()
    assert bytes(AddCheckpoint(0, (), NOTE)) == f"old 0\n\n{NOTE}".encode()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0\n",
        "old 0\n\n",
        f"old 0\n{NOTE}",
        f"\nold 0\n\n{NOTE}",
        f"old 00\n\n{NOTE}",
        f"old -1\n\n{NOTE}",
        f"old  1\n\n{NOTE}",
        f"old 1\r\n\r\n{NOTE}",
        f"OLD 1\n\n{NOTE}",
        f"old 9223372036854775808\n\n{NOTE}",
        f"old \u0661\n\n{NOTE}",
        f"old 1\nAAAA\n\n{NOTE}",
        f"old 1\n{HASH[:-1]}\n\n{NOTE}",
        f"old 1\n{HASH} \n\n{NOTE}",
        "old 1\n" + f"{HASH}\n" * 64 + f"\n{NOTE}",
        "old 1\n" + f"{HASH}\n" * 100_000 + f"\n{NOTE}",
        f"old 1\n\n{NOTE}" + "x" * 600_000,
        f"old 1\n\n\n{NOTE}",
    ],
)
def test_what_is_no_request_is_refused(body):
    with pytest.raises(Malformed):
        read_add_checkpoint(body.encode())


def test_where_a_witness_shows_what_it_cosigned():
    assert monitoring_path("hub.example/log") == (
        "d62da5c75e43d656227e60a98bbedd81e8970b6877dc7288c21c24f7c42648c5/checkpoint"
    )
