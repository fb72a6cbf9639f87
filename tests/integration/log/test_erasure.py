"""After a person and a private repo are gone, nothing of them is left in database, log and tiles."""

from pathlib import Path

from allmende.flows import Services, collect_garbage, erase_person, remove_repo, run_log
from allmende.log import check_log, entries_of_repo
from allmende.merkle import leaf_hash, read_policy
from allmende.registry import (
    Actor,
    account_by_id,
    authenticate,
    create_account,
    create_repo,
    grant_access,
    issue_token,
    local_operator,
    lookup_repo,
    move_repo,
    set_member,
    update_repo,
)
from tests.integration.conftest import new_user
from tests.integration.log.conftest import ReadLog

NAME = "zebediah"
REPO = "quaggafile"


def remains(folder: Path, word: str) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and (word.encode() in path.read_bytes() or word in path.name):
            found.append(path)
    return found


def test_a_person_is_forgotten_and_every_proof_still_holds(
    services: Services, alice: Actor, integrated: ReadLog, tmp_path: Path
):
    zebediah = new_user(services.database, NAME)
    assert zebediah.account is not None
    with services.database.write() as uow:
        lab = create_account(uow, "lab", "org")
        set_member(uow, lab, zebediah.account, "write")
        own = create_repo(uow, services.queue, zebediah, "model", NAME, REPO, private=True)
        moved = create_repo(uow, services.queue, zebediah, "model", NAME, "moved")
        gated = create_repo(uow, services.queue, alice, "model", "alice", "gated")
        update_repo(uow, alice, gated, gated="manual")
    with services.database.write() as uow:
        gated_now = lookup_repo(uow, "model", "alice/gated")
        assert gated_now is not None
        grant_access(uow, alice, gated_now, zebediah.account)
        again = authenticate(uow, issue_token(uow, zebediah.account, "other", "write"))
        move_repo(uow, again, moved, "lab/moved")
    before = integrated()
    policy = read_policy(f"log {services.log.log_keys[0]}\nquorum none\n".encode())
    proofs = [services.log.prove(number) for number in range(before.checkpoint.size)]
    leaves = [leaf_hash(entry) for entry in before.entries(0, before.checkpoint.size)]
    with services.database.read() as uow:
        owner = account_by_id(uow, zebediah.account.id)
        assert entries_of_repo(uow, own.id)
    assert remains(tmp_path, NAME)

    assert erase_person(services, owner) == 1
    run_log(services)

    # The moved repo is the organisation's: its first commit keeps the name of its author.
    with services.database.write() as uow:
        left = lookup_repo(uow, "model", "lab/moved")
        assert left is not None
        remove_repo(services, uow, local_operator(lab, uow), left)
    run_log(services)
    collect_garbage(services, dry_run=False)
    services.database.compact()
    assert remains(tmp_path, NAME) == []
    assert remains(tmp_path, REPO) == []
    after = integrated()
    after.check_extends(before.checkpoint)
    for proof, leaf in zip(proofs, leaves, strict=True):
        proof.check(leaf, policy)
    assert check_log(services.database, services.log).problems == []


def test_a_deleted_repo_leaves_entries_that_say_nothing(
    services: Services, alice: Actor, integrated: ReadLog
):
    with services.database.write() as uow:
        repo = create_repo(uow, services.queue, alice, "model", "alice", "m", private=True)
    integrated()
    with services.database.write() as uow:
        remove_repo(services, uow, alice, repo)
    run_log(services)
    with services.database.read() as uow:
        published, deleted = entries_of_repo(uow, repo.id)
    assert (published.kind, published.statement, published.salt) == ("publish", None, None)
    assert deleted.kind == "delete"
    assert deleted.veiled
    assert b'"subject"' in deleted.entry
