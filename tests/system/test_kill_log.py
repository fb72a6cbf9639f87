"""kill -9 at every named point between an act and its signed checkpoint, again and again on one log.

Each life is a process that acts and brings the log up to its acts, and dies at the next point. After each
death what is served is read as a stranger does: it never contradicts a checkpoint that was served before,
and every act that was committed becomes an entry in the end.
"""

from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select

from allmende import failpoints
from allmende.failpoints import LOG_POINTS
from allmende.flows import Services, open_services, run_log
from allmende.log import check_log
from allmende.merkle import Checkpoint, KnownLog, TiledLog, read_verifier_key
from allmende.settings import load_settings
from allmende.storage import outbox
from tests.databases import new_schema

SEEDS = (1, 2, 3)
CAMPAIGN_SEEDS = range(4, 34)
_KILLED = -9


def live(data: Path, random: Random, point: str | None) -> int:
    """A life in a process of its own; what it ended with. Forked, since starting anew takes far longer."""
    rounds, acts, nth = 4, random.choice((1, 3, 90, 300)), random.randint(1, 3)
    process = get_context("fork").Process(target=act_and_log, args=(data, rounds, acts, point, nth))
    process.start()
    process.join(100)
    assert process.exitcode is not None, "the life does not end"
    return process.exitcode


def act_and_log(data: Path, rounds: int, acts: int, point: str | None, nth: int) -> None:
    if point is not None:
        failpoints._remaining[point] = nth
    services = services_at(data)
    new_schema(services.database)
    for number in range(rounds):
        with services.database.write() as uow:
            for _ in range(acts):
                uow.emit("repo.gated", {"gated": str(number)})
        run_log(services)


def services_at(data: Path) -> Services:
    return open_services(load_settings({"data": data}, {}))


def served(services: Services) -> TiledLog | None:
    if services.log.checkpoint() is None:
        return None
    known = KnownLog(services.log.origin, tuple(map(read_verifier_key, services.log.log_keys)))

    def fetch(path: str, at_most_bytes: int) -> bytes:
        return bytes(services.log.checkpoint() or b"") if path == "checkpoint" else services.log.file(path)

    return TiledLog.newest(fetch, known)


def die_at_every_point(data: Path, seed: int) -> None:
    random = Random(seed)
    seen: list[Checkpoint] = []
    points = list(LOG_POINTS)
    random.shuffle(points)
    for point in points:
        assert live(data, random, point) == _KILLED, f"{point} was not reached"
        services = services_at(data)
        log = served(services)
        if log is not None:
            for before in seen:
                log.check_extends(before)
            assert sum(1 for _ in log.entries(0, log.checkpoint.size)) == log.checkpoint.size
            seen.append(log.checkpoint)
        services.close()
    assert live(data, random, None) == 0
    services = services_at(data)
    log = served(services)
    assert log is not None
    for before in seen:
        log.check_extends(before)
    with services.database.read() as uow:
        acts = uow.execute(select(func.count()).select_from(outbox)).scalar_one()
    assert log.checkpoint.size == acts
    assert check_log(services.database, services.log).problems == []
    services.log.publisher.clear_leftovers()
    assert list((data / "log").rglob("tile/**/*.part")) == []
    services.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_death_makes_the_log_contradict_itself(tmp_path: Path, seed: int):
    die_at_every_point(tmp_path / "data", seed)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", CAMPAIGN_SEEDS)
def test_no_death_makes_the_log_contradict_itself_again(tmp_path: Path, seed: int):
    die_at_every_point(tmp_path / "data", seed)
