"""Hubs to attack: one for each test that changes something, one for each file that only looks."""

from collections.abc import Iterator

import pytest

from tests.attack.arena import Arena, build


@pytest.fixture
def arena(tmp_path) -> Iterator[Arena]:
    with build(tmp_path) as built:
        yield built
