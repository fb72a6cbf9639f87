"""Repos: names, rights, privacy, renaming, and what deletion leaves."""

import pytest

from allmende.errors import BadRequest
from allmende.jobs import SqlJobQueue
from allmende.registry import (
    ANONYMOUS,
    AccessDenied,
    Actor,
    NameInvalid,
    RepoExists,
    RepoGated,
    RepoMoved,
    RepoNotFound,
    RepoQuery,
    Scope,
    SignInRequired,
    authenticate,
    changeable_repo,
    check_gate,
    create_account,
    create_repo,
    delete_repo,
    duplicate_repo,
    find_account,
    grant_access,
    issue_token,
    list_repos,
    move_repo,
    readable_repo,
    resolve_revision,
    set_member,
    update_repo,
)
from allmende.storage import Database
from tests.integration.registry.conftest import Commit, MakeRepo, paths_of, text


def member(database: Database, org_name: str, name: str, role: str, token_role: str = "write") -> Actor:
    with database.write() as uow:
        org = find_account(uow, org_name) or create_account(uow, org_name, "org")
        user = create_account(uow, name, "user")
        set_member(uow, org, user, role)  # type: ignore[arg-type]
        return authenticate(uow, issue_token(uow, user, "t", token_role))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["", "-", "-ab", ".ab", "a b", "a/b", "a--b", "a..b", "ab.git", "AB.GIT", "é" * 3, "a" * 97, "ab\n"],
)
def test_impossible_names(database: Database, alice: Actor, make_repo: MakeRepo, name: str) -> None:
    with pytest.raises((NameInvalid, AccessDenied)):
        make_repo(alice, f"alice/{name}")


@pytest.mark.parametrize("name", ["a", "_", "ab", "_x", "__double", "A.b-c_d", "a" * 96, "x.", "x-"])
def test_possible_names(alice: Actor, make_repo: MakeRepo, name: str) -> None:
    assert make_repo(alice, name).full_name == f"alice/{name}"


def test_names_differ_in_more_than_case(database: Database, alice: Actor, make_repo: MakeRepo) -> None:
    make_repo(alice, "Model")
    with pytest.raises(RepoExists, match="A model repository called alice/Model already exists"):
        make_repo(alice, "mODEL")
    make_repo(alice, "mODEL", kind="dataset")
    with database.read() as uow:
        assert readable_repo(uow, ANONYMOUS, "model", "ALICE/model").full_name == "alice/Model"


def test_a_private_repo_is_like_a_missing_one(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    make_repo(alice, "hidden", private=True)
    with database.read() as uow:
        for stranger in (bob, ANONYMOUS):
            for name in ("alice/hidden", "alice/missing"):
                with pytest.raises(RepoNotFound, match=r"^Repository not found$"):
                    readable_repo(uow, stranger, "model", name)
            assert list_repos(uow, stranger, RepoQuery("model")).repos == []
        assert readable_repo(uow, alice, "model", "alice/hidden").private


def test_roles_of_an_organisation(
    database: Database, queue: SqlJobQueue, bob: Actor, make_repo: MakeRepo
) -> None:
    admin = member(database, "lab", "ada", "admin")
    writer = member(database, "lab", "wim", "write")
    reader = member(database, "lab", "rea", "read")
    readonly_token = member(database, "lab", "ron", "admin", "read")
    repo = make_repo(writer, "lab/model", private=True)
    with database.write() as uow:
        for actor in (admin, writer, reader, readonly_token):
            assert readable_repo(uow, actor, "model", "lab/model").id == repo.id
        for actor in (admin, writer):
            assert changeable_repo(uow, actor, "model", "lab/model").id == repo.id
        for actor in (reader, readonly_token):
            with pytest.raises(AccessDenied):
                changeable_repo(uow, actor, "model", "lab/model")
            with pytest.raises(AccessDenied):
                create_repo(uow, queue, actor, "model", "lab", "new")
        with pytest.raises(RepoNotFound):
            changeable_repo(uow, bob, "model", "lab/model")
        with pytest.raises(AccessDenied):
            create_repo(uow, queue, bob, "model", "lab", "new")
        with pytest.raises(SignInRequired):
            create_repo(uow, queue, ANONYMOUS, "model", "lab", "new")


def test_the_default_visibility_of_a_namespace_applies(database: Database, make_repo: MakeRepo) -> None:
    with database.write() as uow:
        create_account(uow, "closed", "org", default_visibility="private")
    writer = member(database, "closed", "wim", "write")
    assert make_repo(writer, "closed/aa").private
    assert not make_repo(writer, "closed/bb", private=False).private


def test_fine_grained_tokens_act_only_in_their_scope(
    database: Database, queue: SqlJobQueue, alice: Actor, make_repo: MakeRepo
) -> None:
    for name in ("mine", "other"):
        make_repo(alice, name, private=True)
    assert alice.account is not None
    with database.write() as uow:
        scopes = (Scope("model/alice/mine", "write"),)
        narrow = authenticate(uow, issue_token(uow, alice.account, "n", "fine_grained", scopes=scopes))
        reading = (Scope("alice", "read"),)
        broad = authenticate(uow, issue_token(uow, alice.account, "b", "fine_grained", scopes=reading))
        changeable_repo(uow, narrow, "model", "alice/mine")
        with pytest.raises(RepoNotFound):
            readable_repo(uow, narrow, "model", "alice/other")
        with pytest.raises(AccessDenied, match="token"):
            create_repo(uow, queue, narrow, "model", "alice", "new")
        readable_repo(uow, broad, "model", "alice/other")
        with pytest.raises(AccessDenied, match="token"):
            changeable_repo(uow, broad, "model", "alice/other")
        assert [repo.name for repo in list_repos(uow, narrow, RepoQuery("model")).repos] == ["mine"]
        assert len(list_repos(uow, broad, RepoQuery("model")).repos) == 2


def test_moving_keeps_the_old_name_for_those_who_may_see(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    repo = make_repo(alice, "old", private=True)
    with database.write() as uow:
        assert move_repo(uow, alice, repo, "alice/new").full_name == "alice/new"
        with pytest.raises(RepoMoved) as moved:
            readable_repo(uow, alice, "model", "alice/old")
        assert moved.value.full_name == "alice/new"
        with pytest.raises(RepoNotFound):
            readable_repo(uow, bob, "model", "alice/old")
        with pytest.raises(AccessDenied):
            move_repo(uow, alice, repo, "bob/taken")
    taken = make_repo(alice, "old")  # the name is free again, and the redirect ends
    with database.read() as uow:
        assert readable_repo(uow, bob, "model", "alice/old").id == taken.id
    with database.write() as uow:
        current = readable_repo(uow, alice, "model", "alice/new")
        with pytest.raises(RepoExists):
            move_repo(uow, alice, current, "alice/old")
        move_repo(uow, alice, current, "alice/NEW")  # only the case changes


def test_a_gate_lets_in_the_owner_and_whom_the_owner_grants(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    repo = make_repo(alice)
    assert bob.account is not None
    with database.write() as uow:
        with pytest.raises(BadRequest):
            grant_access(uow, alice, repo, bob.account)
        update_repo(uow, alice, repo, gated="manual")
        gated = readable_repo(uow, bob, "model", "alice/model")
        check_gate(uow, alice, gated)
        for stranger in (bob, ANONYMOUS):
            with pytest.raises(RepoGated, match="is restricted and you are not in the authorized list"):
                check_gate(uow, stranger, gated)
        with pytest.raises(AccessDenied):
            grant_access(uow, bob, gated, bob.account)
        grant_access(uow, alice, gated, bob.account)
        check_gate(uow, bob, gated)
        with pytest.raises(BadRequest):
            grant_access(uow, alice, gated, bob.account)


def test_deletion_takes_everything_and_frees_the_name(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    received = commit(alice, repo, text("a"))
    with database.write() as uow:
        with pytest.raises(AccessDenied):
            delete_repo(uow, bob, repo)
        delete_repo(uow, alice, repo)
        with pytest.raises(RepoNotFound):
            readable_repo(uow, alice, "model", "alice/model")
    fresh = make_repo(alice)
    with database.read() as uow, pytest.raises(Exception, match="Invalid rev id"):
        resolve_revision(uow, fresh, received.commit_oid)
    assert paths_of(database, fresh) == [".gitattributes"]


def test_a_duplicate_has_everything_but_the_proposals(
    database: Database, queue: SqlJobQueue, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    commit(alice, repo, text("README.md", "---\nlicense: mit\n---\n"), text("a"))
    commit(bob, repo, text("idea"), create_pr=True)
    with database.write() as uow:
        copy = duplicate_repo(uow, queue, bob, repo, "bob", "copy", private=True)
    assert copy.private
    assert paths_of(database, copy) == paths_of(database, repo)
    with database.read() as uow, pytest.raises(Exception, match="Invalid rev id"):
        resolve_revision(uow, copy, "refs/pr/1")


def test_lists_page_without_gaps(
    database: Database, alice: Actor, make_repo: MakeRepo, clock: object
) -> None:
    for n in range(7):
        make_repo(alice, f"m{n}")
        clock.advance(seconds=n % 2)  # type: ignore[attr-defined]
    for order in ("created", "updated", "downloads"):
        for descending in (True, False):
            seen: list[str] = []
            after = None
            while True:
                with database.read() as uow:
                    query = RepoQuery("model", order=order, descending=descending, limit=3, after=after)
                    page = list_repos(uow, ANONYMOUS, query)
                seen += [repo.name for repo in page.repos]
                after = page.next
                if after is None:
                    break
            assert sorted(seen) == [f"m{n}" for n in range(7)]


def test_lists_filter(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    tagged = make_repo(alice, "bert-tiny")
    commit(alice, tagged, text("README.md", "---\ntags: [x, y]\nlicense: mit\n---\n"))
    make_repo(bob, "gpt")

    def names(**conditions: object) -> list[str]:
        with database.read() as uow:
            return [repo.name for repo in list_repos(uow, ANONYMOUS, RepoQuery("model", **conditions)).repos]  # type: ignore[arg-type]

    assert names(author="ALICE") == ["bert-tiny"]
    assert names(search=["BERT", "tiny"]) == ["bert-tiny"]
    assert names(search=["%"]) == []
    assert names(tags=["x", "license:mit"]) == ["bert-tiny"]
    assert names(tags=["x", "z"]) == []
    assert names(gated=False) == ["gpt", "bert-tiny"]
    assert names(gated=True) == []
