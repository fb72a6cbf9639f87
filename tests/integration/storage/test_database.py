"""Transactions, pragmas, migrations and the outbox on a real SQLite file."""

import threading
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

import allmende
from allmende.ids import Sha256
from allmende.storage import (
    Database,
    SchemaUnknown,
    UnitOfWork,
    add_content,
    content,
    find_content,
    metadata,
    migrate,
    migrations,
    outbox,
    pending_migrations,
)

SHA = Sha256("ab" * 32)


def test_migrations_give_exactly_the_tables_of_the_code(database: Database) -> None:
    _import_all_tables()
    with database.read() as uow:
        # A full-text table, which the search makes with SQL of its own, consists of several inside.
        context = MigrationContext.configure(
            uow.connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _parents: (
                    not (kind == "table" and str(name).startswith("search_words"))
                ),
            },
        )
        assert compare_metadata(context, metadata) == []


def _import_all_tables() -> None:
    """Every room's tables are known only where its module was imported."""
    root = Path(allmende.__file__).parent
    modules = [file.relative_to(root) for file in root.glob("*/*tables.py")]
    assert len(modules) > 8
    for module in modules:
        import_module(f"allmende.{module.parent}.{module.stem}")


def test_migrate_twice_changes_nothing(database: Database) -> None:
    assert not pending_migrations(database)
    migrate(database)
    assert not pending_migrations(database)


def test_an_empty_database_has_pending_migrations(tmp_path: Path) -> None:
    assert pending_migrations(Database(f"sqlite:///{tmp_path / 'empty.db'}"))


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    with database.write() as uow:
        uow.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaUnknown, match="9999"):
        migrate(database)


def test_scripts_are_named_in_the_order_of_their_revisions() -> None:
    """Which schema is the newest is read from these names."""
    scripts = list(ScriptDirectory(migrations.__path__[0]).walk_revisions())
    named = [Path(script.path).name.partition("_")[0] for script in scripts]
    assert named == [script.revision for script in scripts] == sorted(named, reverse=True)


def test_words_of_a_search_outlive_the_making_of_their_table_anew(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with database.write() as uow:
        command.upgrade(migrations._config(uow.connection), "0014")
        row = {"id": 7, "tags": "birds", "card": "Zugv\N{LATIN SMALL LETTER O WITH DIAERESIS}gel"}
        uow.execute(text("INSERT INTO search_words (rowid, tags, card) VALUES (:id, :tags, :card)"), row)
    migrate(database)
    with database.read() as uow:
        for asked in ('"z" *', '"zugvog" *', 'tags : "b" *'):
            found = text("SELECT rowid FROM search_words WHERE search_words MATCH :asked")
            assert uow.execute(found, {"asked": asked}).scalars().all() == [7], asked
    database.close()


def test_commits_survive_a_power_cut_by_their_pragmas(database: Database) -> None:
    with database.read() as uow:
        assert uow.connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert uow.connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert uow.connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_a_turn_is_given_back_and_nobody_waits_for_one_forever(database: Database) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), database.read_in_turn():
        raise RuntimeError("in the middle")
    with (
        database.read_in_turn() as first,
        database.read_in_turn() as second,
        database.read_in_turn() as third,
    ):
        for uow in (first, second, third):
            assert uow.execute(text("SELECT 1")).scalar_one() == 1
    assert database._turn.acquire(blocking=False), "one who had no turn gave back another's"


def test_a_failed_unit_leaves_neither_act_nor_event_nor_callback(database: Database) -> None:
    called: list[str] = []
    with pytest.raises(RuntimeError, match="in the middle"), database.write() as uow:
        add_content(uow, SHA, 3, "ab")
        uow.emit("test.done", {"n": 1})
        uow.after_commit(lambda: called.append("ran"))
        raise RuntimeError("in the middle")
    with database.read() as uow:
        assert find_content(uow, SHA) is None
        assert uow.all(select(outbox)) == []
    assert called == []


def test_an_act_and_its_event_are_committed_together(database: Database, clock: object) -> None:
    called: list[str] = []
    with database.write() as uow:
        add_content(uow, SHA, 3, "ab")
        first = uow.emit("test.done", {"n": 1})
        second = uow.emit("test.done", {"n": 2})
        uow.after_commit(lambda: called.append("ran"))
        assert called == []
    assert called == ["ran"]
    assert second == first + 1
    with database.read() as uow:
        rows = uow.all(select(outbox).order_by(outbox.c.id))
        assert [row.payload for row in rows] == [{"n": 1}, {"n": 2}]
        assert {len(row.salt) for row in rows} == {32}
        assert rows[0].salt != rows[1].salt


def test_a_reading_unit_sees_one_state(database: Database) -> None:
    with database.read() as reader:
        assert find_content(reader, SHA) is None
        with database.write() as writer:
            add_content(writer, SHA, 3, "ab")
        assert find_content(reader, SHA) is None
    with database.read() as reader:
        assert find_content(reader, SHA) is not None


def test_writers_of_many_threads_lose_nothing(database: Database) -> None:
    def count(worker: int) -> None:
        for n in range(25):
            with database.write() as uow:
                uow.emit("test.count", {"worker": worker, "n": n})

    threads = [threading.Thread(target=count, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as uow:
        assert len(uow.all(select(outbox))) == 200


def test_writers_of_two_processes_wait_for_each_other(database: Database) -> None:
    # A second Database on the same file stands for another process: it does not share the writers' lock.
    other = Database(str(database.url), database.clock)
    entered = threading.Event()
    order: list[str] = []

    def hold() -> None:
        with database.write() as uow:
            entered.set()
            uow.emit("first", {})
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(5)
    with other.write() as uow:
        uow.emit("second", {})
        order.append("second")
    thread.join()
    other.close()
    assert order == ["first", "second"]


def test_moments_are_aware_and_exact(database: Database) -> None:
    moment = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
    with database.write() as uow:
        add_content(uow, SHA, 3, "ab")
        uow.execute(content.update().values(created_at=moment))
        found = find_content(uow, SHA)
        assert found is not None
        assert found.created_at == moment
    with pytest.raises(StatementError, match="naive"), database.write() as uow:
        uow.execute(content.update().values(created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_foreign_keys_are_enforced(database: Database) -> None:
    from allmende.storage import take_possession

    def take(uow: UnitOfWork) -> None:
        take_possession(uow, 1, SHA)  # type: ignore[arg-type]

    with pytest.raises(IntegrityError), database.write() as uow:
        take(uow)
