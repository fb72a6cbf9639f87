"""The report of a kind of job: the newest stays, with its times."""

from allmende.jobs import keep_report, last_report
from allmende.storage import Database
from tests.integration.conftest import HeldClock


def test_the_newest_takes_the_place_of_the_former(database: Database, clock: HeldClock) -> None:
    began_at = database.clock()
    clock.advance(seconds=5)
    with database.write() as uow:
        assert last_report(uow, "check") is None
        keep_report(uow, "check", began_at, {"problems": [], "contents": 2})
        keep_report(uow, "count", began_at, {})
    clock.advance(seconds=5)
    with database.write() as uow:
        keep_report(uow, "check", began_at, {"problems": ["one"], "contents": 3})
    with database.read() as uow:
        report = last_report(uow, "check")
        other = last_report(uow, "count")
    assert report is not None
    assert report.found == {"problems": ["one"], "contents": 3}
    assert (report.ended_at - report.began_at).total_seconds() == 10
    assert other is not None
    assert other.found == {}
