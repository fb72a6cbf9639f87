"""`allmende log check FILE`: evidence against a log is checked with its key alone, without hub or network."""

from pathlib import Path

import pytest

from allmende.cli.entry import run
from allmende.merkle import (
    Checkpoint,
    KeyKind,
    MemoryTree,
    find_equivocation,
    generate_key,
    leaf_hash,
    signed_checkpoint,
)

ORIGIN = "other.example.org/log"
KEY = generate_key(ORIGIN, KeyKind.ED25519)


def checked(folder: Path, data: bytes, key: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "fork.equivocation").write_bytes(data)
    (folder / "believed").write_text(f"log {key}\nquorum none\n")
    code = run(("log", "check", str(folder / "fork.equivocation"), "--policy", str(folder / "believed")))
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize("sizes", [(5, 5), (5, 9), (4, 9)])
def test_two_histories_are_proven_to_whoever_has_the_key(
    tmp_path: Path, sizes: tuple[int, int], capsys: pytest.CaptureFixture[str]
):
    trees = [MemoryTree([leaf_hash(b"%d %d" % (at, n)) for n in range(sizes[at])]) for at in range(2)]
    one, two = (signed_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), [KEY]) for tree in trees)
    evidence = find_equivocation(one, two, trees[1])
    assert evidence is not None
    data = bytes(evidence)
    code, said = checked(tmp_path, data, KEY.verifier.text, capsys)
    assert (code, f"{ORIGIN} has signed two histories" in said) == (0, True), said
    stranger = generate_key(ORIGIN, KeyKind.ED25519).verifier.text
    for changed, key in ((data, stranger), (data[:-9] + b"AAAAAAA=\n", KEY.verifier.text)):
        code, said = checked(tmp_path, changed, key, capsys)
        assert code != 0, said
        assert "two histories" not in said
