"""The entry of an act: what it shows, what it binds, and what a veiled one keeps to itself."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from allmende.ids import RepoId
from allmende.log import VEILED_KIND, Act, Stated
from allmende.log.acts import day_of, second_of
from allmende.log.entries import MAX_ENTRY_BYTES, leaf_and_statement

AT = datetime(2026, 11, 28, 0, 30, 5, tzinfo=timezone(timedelta(hours=2)))
ACT = Act(7, AT, "ref.updated", RepoId(3), {"after": "a" * 40})
SHOWN = {"commit": "a" * 40}
STATED = Stated("publish", {"act": "ref.updated", **SHOWN}, SHOWN, subject="5" * 64)
SALT = bytes(range(32))


def made(stated: Stated = STATED, salt: bytes = SALT) -> tuple[dict[str, object], bytes]:
    leaf, statement = leaf_and_statement(ACT, stated, salt, "hub.example/log")
    return json.loads(leaf), statement


def test_times_are_of_utc() -> None:
    assert second_of(AT) == "2026-11-27T22:30:05Z"
    assert day_of(AT) == "2026-11-27"
    assert second_of(AT.astimezone(UTC)) == second_of(AT)


def test_an_entry_commits_to_its_statement_and_shows_what_it_may() -> None:
    entry, statement = made()
    assert entry == {
        "v": 1,
        "kind": "publish",
        "time": "2026-11-27T22:30:05Z",
        "subject": "5" * 64,
        "commit": "a" * 40,
        "commitment": sha256(SALT + statement).hexdigest(),
    }
    assert json.loads(statement)["hub"] == "hub.example/log"


def test_another_salt_or_another_statement_is_another_commitment() -> None:
    commitments = {
        made()[0]["commitment"],
        made(salt=bytes(32))[0]["commitment"],
        made(replace(STATED, said={"act": "other"}))[0]["commitment"],
    }
    assert len(commitments) == 3


def test_a_veiled_entry_has_the_day_and_no_kind() -> None:
    entry, statement = made(replace(STATED, veiled=True))
    assert entry.keys() == {"v", "kind", "time", "subject", "commitment"}
    assert (entry["kind"], entry["time"]) == (VEILED_KIND, "2026-11-27")
    assert json.loads(statement)["kind"] == "publish"


def test_what_people_do_at_their_accounts_has_the_day() -> None:
    entry, statement = made(Stated("account", {"act": "token.issued"}))
    assert entry["time"] == "2026-11-27"
    assert json.loads(statement)["time"] == "2026-11-27T22:30:05Z"


def test_an_entry_that_is_too_long_is_a_fault_of_the_hub() -> None:
    with pytest.raises(RuntimeError, match="kind publish"):
        made(replace(STATED, shown={"commit": "a" * MAX_ENTRY_BYTES}))
