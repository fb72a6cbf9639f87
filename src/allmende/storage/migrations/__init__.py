"""Schema migrations: Alembic scripts in `versions`, run in order, each in one transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from allmende.storage.engine import Database

__all__ = ["migrate", "pending_migrations"]

_HERE = Path(__file__).parent


def migrate(database: Database) -> None:
    """Bring the database to the newest schema; does nothing when it is there already."""
    with database.write() as uow:
        command.upgrade(_config(uow.connection), "head")


def pending_migrations(database: Database) -> bool:
    """Whether `migrate` has something to do."""
    with database.read() as uow:
        current = MigrationContext.configure(uow.connection).get_current_revision()
    return current != ScriptDirectory(str(_HERE)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
