"""Schema migrations: Alembic scripts in `versions`, run in order, each in one transaction.

Alembic takes a tenth of the start of every command, and most find the schema new: it is imported for a
migration alone, and which schema is there and which is the newest is read without it.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from allmende.errors import AllmendeError
from allmende.storage.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["SchemaUnknown", "migrate", "pending_migrations"]

_HERE = Path(__file__).parent
_VERSION = table("alembic_version", column("version_num"))
"""Where Alembic leaves the schema that a database has."""


class SchemaUnknown(AllmendeError):
    """The database has a schema that this version does not know: a newer version made it."""

    code = "schema_unknown"


def migrate(database: Database) -> None:
    """Bring the database to the newest schema; nothing happens when it is there. Raises SchemaUnknown."""
    with database.write() as uow:
        current = _current(uow.connection)
        if current == _known()[-1]:
            return
        if current is not None and current not in _known():
            raise SchemaUnknown(
                f"The database has the schema {current}, which this version of Allmende does not know.",
                hint="Run the version that made it, or a newer one; or restore a backup of the older data.",
            )
        from alembic import command

        command.upgrade(_config(uow.connection), "head")


def pending_migrations(database: Database) -> bool:
    """Whether `migrate` has something to do."""
    with database.read() as uow:
        return _current(uow.connection) != _known()[-1]


@cache
def _known() -> tuple[str, ...]:
    """The schemas that this version knows, the newest last: scripts are named by revision and purpose."""
    return tuple(sorted(script.stem.partition("_")[0] for script in _HERE.glob("versions/[0-9]*_*.py")))


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
