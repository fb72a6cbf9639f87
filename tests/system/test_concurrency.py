"""Eight clients at one branch, at the same moment, over and over.

With the same parent exactly one wins; without a parent all of them land. Afterwards the whole history is
walked: linear, with every acknowledged commit in it, and with the tree of each the one before it plus the one
file that its author changed. A lost update would show as a file that falls back.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from allmende.flows import open_services
from allmende.git import blob_object, list_tree, read_commit
from allmende.ids import GitOid
from allmende.settings import load_settings
from allmende.storage import UnitOfWork
from tests.hubs import RunningHub
from tests.system.publisher import OWN_FILES
from tests.system.wire_client import Answer, Publication, WireClient

CLIENTS = 8
ROUNDS = 20
CAMPAIGN_ROUNDS = 2000
WALKED_AT_ONCE = 500


@dataclass
class Contest:
    """Eight clients with a connection each, and the account of what they were told."""

    clients: list[WireClient]
    pool: ThreadPoolExecutor
    start: threading.Barrier = field(default_factory=lambda: threading.Barrier(CLIENTS))
    landed: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Acknowledged commits, each with the file that it brought."""
    refused: int = 0

    def all_at_once(self, submit: Callable[[WireClient, Publication], Answer], round_: int) -> list[Answer]:
        """Every client submits a file of its own at the same moment; what is acknowledged is noted."""

        def one(number: int) -> tuple[str, bytes, Answer]:
            path, data = f"of-client-{number}.txt", f"round {round_}, client {number}\n".encode()
            publication = Publication(f"{round_}.{number}", {path: data})
            self.start.wait(60)
            return path, data, submit(self.clients[number], publication)

        answers = []
        for path, data, answer in self.pool.map(one, range(CLIENTS)):
            answers.append(answer)
            if answer.status == 200:
                oid = answer.json["commitOid"]
                assert oid not in self.landed, "two clients were told of the same commit"
                self.landed[oid] = (path, data)
        return answers

    def with_the_same_parent(self, round_: int) -> None:
        parent = self.clients[0].head()
        answers = self.all_at_once(lambda client, publication: client.commit(publication, parent), round_)
        assert Counter(answer.status for answer in answers) == {200: 1, 412: CLIENTS - 1}
        (winner,) = (answer.json["commitOid"] for answer in answers if answer.status == 200)
        assert self.clients[0].head() == winner
        self.refused += CLIENTS - 1

    def without_a_parent(self, round_: int) -> None:
        answers = self.all_at_once(lambda client, publication: client.commit(publication), round_)
        assert [answer.status for answer in answers] == [200] * CLIENTS


@pytest.fixture
def hub(tmp_path) -> Iterator[RunningHub]:
    # The examination of thousands of revisions is not what is asked here.
    with RunningHub(tmp_path / "data", options=("--workers", "0", "--log-level", "warning")) as running:
        yield running


def contend(hub: RunningHub, rounds: int) -> Contest:
    """Half of the rounds of each kind, alternating."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        clients = [stack.enter_context(WireClient(hub.url)) for _ in range(CLIENTS)]
        clients[0].create_repo()
        contest = Contest(clients, pool)
        for round_ in range(rounds):
            if round_ % 2:
                contest.with_the_same_parent(round_)
            else:
                contest.without_a_parent(round_)
        check_history(hub, contest, clients[0].head())
    return contest


def check_history(hub: RunningHub, contest: Contest, head: str) -> None:
    """Raises AssertionError unless the branch is the acknowledged commits in a line, none of them undone."""
    services = open_services(load_settings({"data": hub.data}, {}))
    try:
        line = []
        oid: GitOid | None = GitOid(head)
        while oid is not None:
            with services.database.read() as uow:
                for _ in range(WALKED_AT_ONCE):
                    if oid is not None:
                        line.append((oid, files_at(uow, oid)))
                        parents = read_commit(uow, oid).parents
                        assert len(parents) <= 1
                        oid = parents[0] if parents else None
    finally:
        services.database.close()
    line.reverse()
    assert {oid for oid, _files in line[1:]} == set(contest.landed)
    expected = line[0][1]
    for oid, files in line[1:]:
        path, data = contest.landed[oid]
        expected = {**expected, path: blob_object(data).oid}
        assert files == expected, f"commit {oid} is not the one before it and {path}"


def files_at(uow: UnitOfWork, oid: GitOid) -> dict[str, str]:
    entries = list_tree(uow, read_commit(uow, oid).tree_oid, recursive=True)
    return {entry.path: entry.oid for entry in entries if entry.path not in OWN_FILES}


def test_one_of_eight_wins_and_all_eight_land(hub):
    contest = contend(hub, ROUNDS)
    assert len(contest.landed) == ROUNDS // 2 * (CLIENTS + 1)


@pytest.mark.campaign
def test_two_thousand_rounds_without_a_lost_update(hub, record_property):
    contest = contend(hub, CAMPAIGN_ROUNDS)
    assert len(contest.landed) == CAMPAIGN_ROUNDS // 2 * (CLIENTS + 1)
    record_property("landed", len(contest.landed))
    record_property("refused", contest.refused)
    print(f"{CAMPAIGN_ROUNDS} rounds: {len(contest.landed)} landed, {contest.refused} refused with 412")
