"""Walking back through commits."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import event

from allmende.git import Signature, commit_object, history, recent, tree_object, write_objects
from allmende.ids import GitOid, RepoId
from allmende.storage import Database, UnitOfWork

REPO = RepoId(1)
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def commit(uow: UnitOfWork, title: str, minute: int, *parents: GitOid) -> GitOid:
    tree = tree_object([])
    author = Signature("alice", "alice@example.org", START + timedelta(minutes=minute))
    made = commit_object(tree.oid, parents, author, title, "")
    write_objects(uow, REPO, [tree, made])
    return made.oid


def test_recent_and_history_agree_where_branches_were_merged(database: Database) -> None:
    with database.write() as uow:
        first = commit(uow, "first", 0)
        left, right = commit(uow, "left", 1, first), commit(uow, "right", 2, first)
        older = commit(uow, "left again", 3, left)
        merged = commit(uow, "merged", 4, older, right)
    with database.read() as uow:
        titles = [found.title for found in recent(uow, merged, 10)]
        assert titles == ["merged", "left again", "right", "left", "first"]
        assert titles == [found.title for found in history(uow, merged)]
        assert [found.title for found in recent(uow, merged, 2)] == titles[:2]


def test_recent_does_not_read_the_rest_of_a_long_history(database: Database) -> None:
    with database.write() as uow:
        head = commit(uow, "0", 0)
        for number in range(1, 200):
            head = commit(uow, str(number), number, head)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    with database.read() as uow:
        assert [found.title for found in islice(recent(uow, head, 20), 3)] == ["199", "198", "197"]
    assert len(statements) < 10
    assert not any("RECURSIVE" in statement for statement in statements)
