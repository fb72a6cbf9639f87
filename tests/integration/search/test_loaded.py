"""What a process keeps of all repos in memory: it follows the database, whoever changes that."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import text, update

from allmende.ids import RepoId
from allmende.registry import (
    ANONYMOUS,
    Actor,
    Scope,
    authenticate,
    create_account,
    delete_repo,
    index_measured,
    issue_token,
    move_repo,
    set_member,
    update_repo,
    visible_repos,
)
from allmende.registry.tables import repo as repo_table
from allmende.search import LoadedRepos, SearchEntry, forget_repo, put_entry
from allmende.search.columns import RepoColumns
from allmende.storage import Database, UnitOfWork
from tests.integration.registry.conftest import MakeRepo


def said(columns: RepoColumns) -> dict[int, tuple[object, ...]]:
    """All that the columns say of each repo, by its id."""
    lines = list(columns.facets.places)
    return {
        int(columns.ids[place]): (
            columns.types[place],
            columns.namespaces[place],
            columns.names[place],
            columns.private[place],
            columns.created[place],
            columns.updated[place],
            columns.downloads[place],
            lines[columns.lines[place]],
            columns.text[columns.starts[place] :].split("\n")[1],
        )
        for place in range(len(columns.ids))
    }


def _set(**values: object) -> Callable[[UnitOfWork, Actor, RepoId], None]:
    def change(uow: UnitOfWork, _actor: Actor, repo_id: RepoId) -> None:
        uow.execute(update(repo_table).where(repo_table.c.id == repo_id).values(**values))

    return change


def _entered(uow: UnitOfWork, _actor: Actor, repo_id: RepoId) -> None:
    put_entry(uow, repo_id, SearchEntry([], "", {"licence": ["mit"]}))


def _measured(uow: UnitOfWork, _actor: Actor, repo_id: RepoId) -> None:
    index_measured(uow, repo_id, [("finetune", f"alice/{'b' * 90}")])


CHANGES: dict[str, Callable[[UnitOfWork, Actor, RepoId], None]] = {
    "private": _set(private=True),
    "disabled": _set(disabled=True),
    "downloads": _set(downloads=7),
    "updated": lambda uow, _actor, repo_id: _set(updated_at=uow.now.replace(year=2031))(uow, _actor, repo_id),
    "name": _set(full_name_key="alice/other"),
    "type": _set(type="space"),
    "entry": _entered,
    "base": _measured,
    "forgotten": lambda uow, _actor, repo_id: forget_repo(uow, repo_id),
    "base forgotten": lambda uow, _actor, repo_id: index_measured(uow, repo_id, []),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_seen_by_every_process(
    database: Database, alice: Actor, make_repo: MakeRepo, change: str
) -> None:
    first, second, third = (make_repo(alice, name) for name in ("first", "second", "third"))
    with database.write() as uow:
        if change == "forgotten":
            _entered(uow, alice, second.id)
        if change == "base forgotten":
            _measured(uow, alice, second.id)
    here = LoadedRepos()
    with database.read() as uow:
        before = here.at(uow)
        assert sorted(said(before)) == [first.id, second.id, third.id]
        told = said(before)
    with database.write() as uow:
        CHANGES[change](uow, alice, second.id)
    with database.read() as uow:
        after, anew = said(here.at(uow)), said(LoadedRepos().at(uow))
    assert after == anew != told
    assert {one: told[one] for one in (first.id, third.id)} == {
        one: after[one] for one in (first.id, third.id)
    }
    # Who asks at this moment goes on with what it has: columns never change.
    assert said(before) == told


def test_new_moved_and_deleted_repos_are_followed(
    database: Database, alice: Actor, make_repo: MakeRepo
) -> None:
    here = LoadedRepos()
    with database.read() as uow:
        assert said(here.at(uow)) == {}
    gone, stays = make_repo(alice, "gone"), make_repo(alice, "stays")
    with database.read() as uow:
        assert sorted(said(here.at(uow))) == [gone.id, stays.id]
    with database.write() as uow:
        delete_repo(uow, alice, gone)
        move_repo(uow, alice, stays, "alice/moved")
    late = make_repo(alice, "late", kind="dataset")
    with database.read() as uow:
        columns = here.at(uow)
        assert said(columns) == said(LoadedRepos().at(uow))
    assert sorted(said(columns)) == [stays.id, late.id]
    assert np.flatnonzero(columns.with_word("moved")).tolist() == [0]
    assert np.flatnonzero(columns.of_type("dataset")).tolist() == [1]
    assert not columns.with_ids([gone.id]).any()


def test_what_is_rolled_back_was_never_kept(database: Database, alice: Actor, make_repo: MakeRepo) -> None:
    make_repo(alice, "first")
    here = LoadedRepos()
    with pytest.raises(ZeroDivisionError), database.write() as uow:
        uow.execute(update(repo_table).values(downloads=9))
        assert here.at(uow).downloads.tolist() == [9]
        raise ZeroDivisionError
    with database.read() as uow:
        assert here.at(uow).downloads.tolist() == [0]


def test_an_older_view_does_not_take_the_columns_back(
    database: Database, alice: Actor, make_repo: MakeRepo
) -> None:
    make_repo(alice, "first")
    here = LoadedRepos()
    with database.read() as older:
        assert len(here.at(older).ids) == 1
        done = threading.Thread(target=make_repo, args=(alice, "second"))
        done.start()
        done.join()
        with database.read() as newer:
            assert len(here.at(newer).ids) == 2
        assert len(here.at(older).ids) == 2


def test_the_rule_of_visibility_is_that_of_the_registry(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    assert alice.account is not None
    assert bob.account is not None
    with database.write() as uow:
        for name in ("lab", "club"):
            org = create_account(uow, name, "org")
            set_member(uow, org, alice.account, "admin")
            if name == "lab":
                set_member(uow, org, bob.account, "read")
        scopes = (Scope("model/lab/hidden-1", "read"), Scope("club", "write"))
        secrets = [
            issue_token(uow, alice.account, "broad", "write"),
            issue_token(uow, alice.account, "reads", "read"),
            issue_token(uow, alice.account, "narrow", "fine_grained", scopes=scopes),
            issue_token(uow, bob.account, "other", "read"),
        ]
        actors = [ANONYMOUS, *(authenticate(uow, secret) for secret in secrets)]
    for number in range(3):
        for owner in ("lab", "club", "alice"):
            for kind in ("model", "dataset"):
                actor = actors[1]
                made = make_repo(actor, f"{owner}/hidden-{number}", private=number > 0, kind=kind)
                if number == 2 and kind == "model":
                    with database.write() as uow:
                        _set(disabled=True)(uow, actor, made.id)
    loaded = LoadedRepos()
    totals = []
    for actor in actors:
        with database.read() as uow:
            columns = loaded.at(uow)
            seen = columns.ids[columns.visible(actor)].tolist()
            listed = visible_repos(actor)
            assert seen == sorted(row.id for row in uow.all(listed.select()))
        totals.append(len(seen))
    assert totals == [6, 15, 15, 10, 9]


def test_every_trigger_is_there(database: Database) -> None:
    with database.read() as uow:
        rows = uow.all(text("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"))
    assert {(row.name, row.tbl_name) for row in rows} >= {
        ("search_repo_made", "repo"),
        ("search_repo_changed", "repo"),
        ("search_repo_deleted", "repo"),
        ("search_entry_made", "search_entry"),
        ("search_entry_changed", "search_entry"),
        ("search_entry_deleted", "search_entry"),
        ("search_repo_renamed", "repo"),
        ("search_vector_made", "search_vector"),
        ("search_vector_deleted", "search_vector"),
        ("search_base_measured", "repo_tag"),
        ("search_base_forgotten", "repo_tag"),
    }


def test_a_repo_turned_private_is_hidden_at_once(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    repo = make_repo(alice, "first")
    here = LoadedRepos()
    with database.read() as uow:
        assert here.at(uow).visible(bob).tolist() == [True]
    with database.write() as uow:
        update_repo(uow, alice, repo, private=True)
    with database.read() as uow:
        assert here.at(uow).visible(bob).tolist() == [False]
        assert here.at(uow).visible(alice).tolist() == [True]
