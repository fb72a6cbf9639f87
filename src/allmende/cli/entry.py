"""The edge of commands: arguments in, exit code out, and every error said in a sentence."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from allmende.cli.exits import (
    BROKEN_PIPE,
    INTERRUPTED,
    IO_FAILED,
    OK,
    SCAN_FAILED,
    SOFTWARE,
    USAGE,
    exit_code,
)
from allmende.cli.output import complain
from allmende.errors import AllmendeError

__all__ = ["main", "run"]

_log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    # Jobs and requests run side by side already, and the matrices are small. Threads that share one out wait
    # for each other by spinning: beside other work that takes up to a hundred times the processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] == ["scan"]:
        # Its process loads while the rest of the command does.
        from allmende.cli.scan_server import begin

        begin()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code, as docs/commands.md lists them.

    What a command raises ends here.
    """
    # Only here: what `main` begins is begun before all this is loaded.
    from cyclopts import CycloptsError

    from allmende.cli.application import build

    try:
        result = build()(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        complain(str(error), "Say `allmende --help`, or --help behind the command.")
        return SCAN_FAILED if list(arguments[:1]) == ["scan"] else USAGE
    except AllmendeError as error:
        complain(error.message, error.hint)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has read enough. Python would complain at its own last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        return IO_FAILED
    except Exception:  # noqa: BLE001 (the edge of commands: logged with its traceback)
        _log.exception("the command failed")
        complain("Allmende itself failed at this; the lines above are for its developers.")
        return SOFTWARE
    return result if isinstance(result, int) else OK
