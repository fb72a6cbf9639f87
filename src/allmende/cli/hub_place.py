"""Where the hub lies that a command works on: its settings, its data folder, and how they are made ready."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from allmende.cli.data_lock import DataInUse, data_lock
from allmende.errors import BadRequest, NotFound, NotOffered

if TYPE_CHECKING:
    from allmende.flows import Services
    from allmende.settings import Settings

__all__ = ["HubAbsent", "HubPlace", "make_data_folder", "make_ready", "opened", "read_settings"]

_SQLITE = "sqlite:///"
_MIGRATION_WAIT_S = 60.0
_POLL_S = 0.1


class HubAbsent(NotFound):
    """There is no hub at the place that was named."""

    code = "hub_absent"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class HubPlace:
    """Which hub an `admin` command works on; the server may be running or not."""

    data: Annotated[Path | None, Parameter(name="--data", help="The hub's data folder.")] = None
    database: Annotated[str | None, Parameter(name="--database", help="The hub's database, as a URL.")] = None
    storage: Annotated[str | None, Parameter(name="--storage", help="The folder of the hub's contents.")] = (
        None
    )


def read_settings(given: Mapping[str, Any]) -> "Settings":
    """The settings with what the command line gave. Raises SettingsInvalid, NotOffered."""
    from allmende.settings import load_settings

    settings = load_settings(given)
    settings = settings.model_copy(update={"data": settings.data.absolute()})
    if settings.database is not None and not settings.database.startswith("sqlite"):
        raise NotOffered(
            "This version keeps its database in SQLite; other databases are not offered yet.",
            hint=f"Leave --database out, or give {_SQLITE}PATH.",
            code="database_not_offered",
        )
    if not settings.database_url.startswith(_SQLITE) or _database_path(settings).name in ("", ":memory:"):
        raise BadRequest(
            f"The database {settings.database!r} does not name a file.",
            hint=f"Give {_SQLITE}PATH.",
            code="database_invalid",
        )
    if settings.storage is not None and "://" in settings.storage:
        raise NotOffered(
            "This version keeps contents in a folder; other stores are not offered yet.",
            hint="Give --storage the path of a folder.",
            code="storage_not_offered",
        )
    return settings


@contextmanager
def opened(place: HubPlace | None, *, create: bool = False) -> Iterator["Services"]:
    """The services of a hub for one command.

    With `create` the hub is made if it is not there; else raises HubAbsent, so that a mistyped folder does
    not become a new hub. Raises DataInUse when a server of an older version is running.
    """
    from allmende.flows import open_services

    named = place or HubPlace()
    settings = read_settings({"data": named.data, "database": named.database, "storage": named.storage})
    if not create and not _database_path(settings).exists():
        raise HubAbsent(
            f"There is no hub in {settings.data}.", hint="Name its data folder with --data, or ALLMENDE_DATA."
        )
    _await_ready(settings)
    services = open_services(settings)
    try:
        yield services
    finally:
        services.close()


def make_ready(settings: "Settings", *, serving: bool = False) -> None:
    """Make folder, key and stores if they are missing, and bring the schema up to date. The lock is held.

    With `serving` it is the start of a server: whether the folder is a restored copy is looked at too, and
    whether the rules of the scan are new to it, and its peers are made those of the settings.
    """
    from allmende.flows import (
        apply_peer_settings,
        notice_new_law,
        notice_new_lineage,
        notice_new_rules,
        open_services,
    )
    from allmende.storage import migrate, settle_epoch

    services = open_services(settings)
    try:
        migrate(services.database)
        if serving:
            settle_epoch(services.database, settings.data)
            notice_new_rules(services)
            notice_new_lineage(services)
            notice_new_law(services)
            apply_peer_settings(services)
    finally:
        services.close()


def make_data_folder(settings: "Settings") -> None:
    """Make the data folder, and the database's if that is another: durable, a new one for its owner alone."""
    from allmende.storage import make_durable_directory

    # The database and its journals hold what is private too, and the folder may be an older one.
    os.umask(0o077)
    make_durable_directory(settings.data)
    make_durable_directory(_database_path(settings).parent.absolute())


def _await_ready(settings: "Settings") -> None:
    """Make the hub ready, or wait for the process that is doing so."""
    make_data_folder(settings)
    deadline = time.monotonic() + _MIGRATION_WAIT_S
    while not _is_ready(settings):
        try:
            with data_lock(settings.data, wait_s=0):
                make_ready(settings)
        except DataInUse:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)


def _is_ready(settings: "Settings") -> bool:
    from allmende.storage import Database, pending_migrations

    if not _database_path(settings).exists() or not (settings.data / "secret.key").exists():
        return False
    database = Database(settings.database_url)
    try:
        return not pending_migrations(database)
    finally:
        database.close()


def _database_path(settings: "Settings") -> Path:
    return Path(settings.database_url.removeprefix(_SQLITE).partition("?")[0])
