"""What pictures show beside the examples of `tests.integration.web.filled`: rows, and a model with a base."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pyarrow as pa
from pyarrow import parquet

from allmende.flows import Services
from allmende.registry import find_account, set_password, update_account
from tests.integration.flows.families import finetuned, fresh, safetensors_of
from tests.integration.web.filled import commit, examine_all, new_repo

__all__ = ["OWNER", "PASSWORD", "furnish_examples"]

OWNER, PASSWORD = "alice", "herons eat at dusk"
"""Whose the models are; administers the hub."""

_ROWS = 5000
_BIRDS = ("grey heron", "bittern", "egret", "coot", "water rail", "reed warbler", "kingfisher")
_DEEDS = (
    "stood still for {n} minutes, then took a frog",
    "called {n} times from the reeds and was not seen",
    "flew over the marsh, {n} metres high",
    "fed {n} young at the nest by the old willow",
)
_CARD = """---
license: apache-2.0
language: [en]
pipeline_tag: text-classification
datasets: [lab/marsh-notes]
{base}---

# {title}

Tells which water bird a field note is about. It has never seen notes from the southern hemisphere.
"""


def furnish_examples(services: Services) -> None:
    """Field notes in a data set, with gaps, and a model that was tuned on them; all is examined."""
    with services.database.write() as uow:
        owner = find_account(uow, OWNER)
        assert owner is not None
        set_password(uow, owner, PASSWORD)
        update_account(uow, owner, {"is_admin": True})
    examine_all(services)
    notes = {"data/train.parquet": _notes()}
    commit(services, "alice", "dataset", "lab/marsh-notes", {}, "Add the notes of a season", large=notes)
    base = fresh(70)
    for name, weights, said in (
        ("heron-base", base, ""),
        ("heron-field", finetuned(base, 71), "base_model: lab/heron-base\n"),
    ):
        new_repo(services, "alice", f"lab/{name}")
        card = _CARD.format(base=said, title=name.replace("-", " ").capitalize()).encode()
        large = {"model.safetensors": safetensors_of(weights)}
        commit(services, "alice", "model", f"lab/{name}", {"README.md": card}, "Add the model", large=large)
        examine_all(services)


def _notes() -> bytes:
    birds = [_BIRDS[(row * 3 + row // 5) % len(_BIRDS)] for row in range(_ROWS)]
    notes = [
        f"A {bird} {_DEEDS[row * 7 % len(_DEEDS)].format(n=row * 13 % 59 + 2)}."
        for row, bird in enumerate(birds)
    ]
    first = datetime(2026, 3, 1, 5, tzinfo=UTC)
    table = pa.table(
        {
            "id": range(_ROWS),
            "bird": birds,
            "note": notes,
            "at": [first + timedelta(minutes=37 * row) for row in range(_ROWS)],
            "temperature": [None if row % 9 == 0 else row * 31 % 180 / 10 + 4 for row in range(_ROWS)],
            "checked": [row % 3 != 1 for row in range(_ROWS)],
        }
    )
    file = BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()
