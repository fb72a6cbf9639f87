"""Evidence for auditors holds for good, whatever becomes of the hub's keys."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.client import first_policy
from allmende.flows import Services, open_services, run_log
from allmende.merkle import read_verifier_key
from allmende.proof import EvidenceVerdict, judge_evidence
from allmende.registry import create_account, issue_token
from allmende.settings import Settings
from allmende.storage import migrate
from tests.integration.api.test_lineage import API, BASE, Family
from tests.integration.flows.families import safetensors_of
from tests.scanners import scanner_in_process


@pytest.fixture
def hub(tmp_path) -> Iterator[Family]:
    opened = open_services(Settings(data=tmp_path / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    migrate(services.database)
    with services.database.write() as uow:
        issue_token(uow, create_account(uow, "alice", "user"), "t", "write", secret="token-of-alice")
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        made = Family(client, services)
        made.publish("alice/base", "model.safetensors", safetensors_of(BASE), {"language": "en"})
        made.work()
        yield made


def policy(services: Services) -> bytes:
    """What somebody who meets the hub now believes from then on."""
    return first_policy([read_verifier_key(services.log.log_keys[0])])


def settle(services: Services) -> None:
    """Have the log say and sign by the keys of now; the hub's own thread may be at it, by those of before."""
    publisher = services.log.publisher
    with publisher.exclusive(wait=True):
        pass
    run_log(services)
    with publisher.exclusive(wait=True):
        pass


def archive(hub: Family) -> bytes:
    settle(hub.services)
    answer = hub(f"{API}/models/alice/base/evidence", "alice")
    assert answer.status_code == 200, answer.text
    return answer.content


def judged(data: bytes, believed: bytes) -> EvidenceVerdict:
    return judge_evidence(io.BytesIO(data), believed)


def rotate(services: Services) -> None:
    """Both keys: the old key of the log signs beside the new one for a while, and then no more."""
    services.log.keys.add_log_key()
    services.log.keys.rotate_statement_key()
    settle(services)
    services.log.keys.drop_old_log_keys()
    settle(services)


def test_evidence_outlives_two_changes_of_all_keys(hub: Family) -> None:
    services = hub.services
    settle(services)
    met_first = policy(services)
    before = archive(hub)
    assert judged(before, met_first).verdict.state == "verified"
    rotate(services)
    met_between = policy(services)
    rotate(services)
    after, met_last = archive(hub), policy(services)
    assert len({met_first, met_between, met_last}) == 3
    # The archive of that day needs nothing but the policy of that day.
    assert judged(before, met_first).verdict.state == "verified"
    # What is made now, with a record that the first key signed, holds by the key of now alone.
    found = judged(after, met_last)
    assert (found.verdict.state, len(found.revisions), found.without_proof) == ("verified", 1, 0)
    for data, believed in ((after, met_first), (after, met_between), (before, met_last)):
        assert judged(data, believed).verdict.state == "refused"
