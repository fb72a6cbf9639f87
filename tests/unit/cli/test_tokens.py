"""Scopes and expiry dates, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from allmende.cli.admin_tokens import _moment, _scope
from allmende.errors import BadRequest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "entity", "allows"),
    [
        ("read:lab", "lab", "read"),
        ("write:model/lab/bert", "model/lab/bert", "write"),
        ("read:dataset/lab/x.y-z", "dataset/lab/x.y-z", "read"),
    ],
)
def test_scopes(text: str, entity: str, allows: str) -> None:
    scope = _scope(text)
    assert (scope.entity, scope.allows) == (entity, allows)


@pytest.mark.parametrize(
    "text", ["lab", "read:", "admin:lab", "read:lab/bert", "write:models/lab/bert", "read:a b"]
)
def test_other_scopes_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        _scope(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("2026-11-22", datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2027-01-01T12:30", datetime(2027, 1, 1, 12, 30, tzinfo=UTC)),
        ("2027-01-01T12:30+02:00", datetime(2027, 1, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert _moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "0d", "-1d", "99999d9", "2026-11-21", "2026-13-01", "20261122T00"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        _moment(text, NOW)
