"""`allmende serve`: one command, one folder, one hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter

from allmende.cli.data_lock import data_lock
from allmende.cli.hub_place import make_data_folder, make_ready, read_settings
from allmende.cli.output import say
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from allmende.settings import Settings

__all__ = ["serve"]

_LOCK_WAIT_S = 5.0
"""A server that was just told to end, or to be killed, may take a moment."""


def serve(
    *,
    data: Annotated[Path | None, Parameter(help="Folder for database, contents and keys.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one.")] = None,
    public_url: Annotated[
        str | None, Parameter(help="Address under which clients reach the hub, if it is another.")
    ] = None,
    database: Annotated[str | None, Parameter(help="Database URL; sqlite:///PATH.")] = None,
    storage: Annotated[str | None, Parameter(help="Folder for contents, if it is another.")] = None,
    workers: Annotated[int | None, Parameter(help="Background workers.")] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(help="Least severe line logged.")
    ] = None,
) -> None:
    """Run the hub until it is told to stop (Ctrl-C, SIGTERM).

    Makes the data folder if it is missing, and brings its database up to date. The first start makes the
    administrator `admin` and prints its token, this once.
    """
    from allmende.cli.supervision import supervise

    given = {
        "data": data,
        "host": host,
        "port": port,
        "public_url": public_url,
        "database": database,
        "storage": storage,
        "workers": workers,
        "log_level": log_level,
    }
    settings = read_settings(given)
    _check_public_url(settings.public_url)
    make_data_folder(settings)
    with data_lock(settings.data, _LOCK_WAIT_S):
        make_ready(settings, serving=True)
        _welcome(settings)
        supervise(settings)


def _welcome(settings: "Settings") -> None:
    from allmende import __version__
    from allmende.flows import create_first_administrator
    from allmende.storage import Database

    say(f"Allmende {__version__}, data in {settings.data}")
    database = Database(settings.database_url)
    try:
        with database.write() as uow:
            token = create_first_administrator(uow)
    finally:
        database.close()
    if token is not None:
        say("This hub is new. Its administrator is called admin and has this token, shown only now:")
        say()
        say(f"    {token}")
        say()


def _check_public_url(address: str | None) -> None:
    if address is None:
        return
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadRequest(
            f"The public address {address!r} is not possible.",
            hint="Give scheme and host, and a port if need be: https://hub.example.org",
            code="settings_invalid",
        )
