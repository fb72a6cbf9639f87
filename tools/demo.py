"""The demonstration: a hub, a real model and two derivatives through the stock client, and what that proves.

    python -m tools.demo [--oneshot] [--fresh] [--data DIR]

Runs in the environment `.venvs/demo`. Data are kept between runs, and a repeat finds what is there already
and changes nothing. `--oneshot` uses a temporary folder and a free port, checks the same, ends within ten
minutes, and exits 0 if all of it held and 1 if not. Ctrl-C ends the hub in order.
"""

import argparse
import fcntl
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.demonstration.page import print_closing, print_heading, print_step
from tools.demonstration.scene import DemoFailed, Scene
from tools.demonstration.steps import STEPS
from tools.serving import HubFailed, HubProcess

PORT = 8080
ONESHOT_LIMIT_S = 600


class Ended(BaseException):
    """A signal asks to end; not an Exception, so that nothing on the way takes it for an error."""


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; 0 when everything held, 1 when something did not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="tools.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--oneshot", action="store_true", help="check everything in a temporary folder, then exit"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the data of former runs first")
    parser.add_argument("--data", type=Path, default=Path("demo-data"), help="where data are kept")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        with _folder(options.data, oneshot=options.oneshot, fresh=options.fresh) as folder:
            return _demonstrate(folder, oneshot=options.oneshot)
    except (DemoFailed, HubFailed) as failure:
        print(f"\nThe demonstration failed: {failure}", file=sys.stderr)
    except (KeyboardInterrupt, Ended):
        print("\nEnded.")
        return 0 if not options.oneshot else 1
    return 1


def _demonstrate(folder: Path, *, oneshot: bool) -> int:
    if oneshot:
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(ONESHOT_LIMIT_S)
    port = 0 if oneshot or not _is_free(PORT) else PORT
    hub = HubProcess(data=folder / "hub", port=port)
    scene = Scene(folder=folder, hub=hub)
    hub.apply(scene.people())
    with hub:
        print_heading(hub.url, folder, port_taken=not oneshot and port != PORT)
        for number, step in enumerate(STEPS, 1):
            started = time.monotonic()
            sentence = step.run(scene)
            print_step(number, step.title, sentence, time.monotonic() - started)
        if not oneshot:
            print_closing(scene)
            _wait_for_end(hub)
    if oneshot:
        print(f"\nAll {len(STEPS)} steps held.")
    return 0


def _wait_for_end(hub: HubProcess) -> None:
    """Until Ctrl-C; raises DemoFailed when the hub ends before."""
    while hub.is_running:
        time.sleep(0.5)
    raise DemoFailed(f"the hub ended by itself; {hub.log_file} may say why")


@contextmanager
def _folder(data: Path, *, oneshot: bool, fresh: bool) -> Iterator[Path]:
    """The folder to work in; nobody else has it meanwhile. The temporary one is removed at the end."""
    if oneshot:
        with tempfile.TemporaryDirectory(prefix="allmende-demo-") as temporary:
            yield Path(temporary)
        return
    data.mkdir(exist_ok=True)
    with (data / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoFailed(f"another demonstration is running on {data}") from error
        if fresh:
            for kept in (path for path in data.iterdir() if path.name != ".lock"):
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        yield data.absolute()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Ended


def _too_long(_number: int, _frame: FrameType | None) -> NoReturn:
    raise DemoFailed(f"not done within {ONESHOT_LIMIT_S} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
