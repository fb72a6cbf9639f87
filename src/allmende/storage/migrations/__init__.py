"""Schema migrations: Alembic scripts in `versions`, run in order, each in one transaction."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from allmende.errors import AllmendeError
from allmende.storage.engine import Database

__all__ = ["SchemaUnknown", "migrate", "pending_migrations"]

_HERE = Path(__file__).parent


class SchemaUnknown(AllmendeError):
    """The database has a schema that this version does not know: a newer version made it."""

    code = "schema_unknown"


def migrate(database: Database) -> None:
    """Bring the database to the newest schema; nothing happens when it is there. Raises SchemaUnknown."""
    scripts = _scripts()
    with database.write() as uow:
        current = MigrationContext.configure(uow.connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise SchemaUnknown(
                f"The database has the schema {current}, which this version of Allmende does not know.",
                hint="Run the version that made it, or a newer one; or restore a backup of the older data.",
            )
        command.upgrade(_config(uow.connection), "head")


def pending_migrations(database: Database) -> bool:
    """Whether `migrate` has something to do."""
    with database.read() as uow:
        current = MigrationContext.configure(uow.connection).get_current_revision()
    return current != _scripts().get_current_head()


@cache
def _scripts() -> ScriptDirectory:
    """The migrations that this version has, read once."""
    return ScriptDirectory(str(_HERE))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
