"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from allmende.archive import Archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def archive(folder: Path) -> Iterator[Archive]:
    with Archive.create(folder, wait_s=0) as made:
        yield made


@pytest.fixture
def random() -> Random:
    return Random(20261128)
