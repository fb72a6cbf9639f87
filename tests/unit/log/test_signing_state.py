"""The signing state: it goes forward only, and a damaged file is said and not taken for a new log."""

from pathlib import Path

import pytest

from allmende.log import KeysDamaged, LogContradicted, LogSetBack, Signed, SigningState

ORIGIN = "hub.example/log"


def state(folder: Path, origin: str = ORIGIN) -> SigningState:
    return SigningState(folder / "signing-state.json", origin)


def test_nothing_was_signed_before_the_first(tmp_path: Path) -> None:
    assert state(tmp_path).read() == Signed()
    state(tmp_path).advance(Signed(3, b"\1" * 32))
    assert state(tmp_path).read() == Signed(3, b"\1" * 32)


@pytest.mark.parametrize(
    ("new", "error"),
    [(Signed(2, b"\1" * 32), LogSetBack), (Signed(), LogSetBack), (Signed(3, b"\2" * 32), LogContradicted)],
)
def test_it_never_goes_back_or_aside(tmp_path: Path, new: Signed, error: type[Exception]) -> None:
    state(tmp_path).advance(Signed(3, b"\1" * 32))
    before = (tmp_path / "signing-state.json").read_bytes()
    with pytest.raises(error):
        state(tmp_path).advance(new)
    assert (tmp_path / "signing-state.json").read_bytes() == before


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema":"x"}', "\x00", '{"size":-1}'])
def test_a_damaged_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "signing-state.json").write_text(text)
    with pytest.raises(KeysDamaged, match="has signed"):
        state(tmp_path).read()


def test_the_state_of_another_log_is_not_taken(tmp_path: Path) -> None:
    state(tmp_path).advance(Signed(3, b"\1" * 32))
    with pytest.raises(KeysDamaged):
        state(tmp_path, "other.example/log").read()
