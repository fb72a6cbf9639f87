"""Why a file is no table that can be shown."""

from allmende.errors import AllmendeError

__all__ = ["NoTable"]


class NoTable(AllmendeError):
    """The file cannot be read as the kind of table that its name says."""

    code = "no_table"
