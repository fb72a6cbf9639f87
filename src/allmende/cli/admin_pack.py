"""`allmende admin pack`: how far the packing of stored files is; pausing it, and having it done now."""

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json, size_text

if TYPE_CHECKING:
    from allmende.flows import PackingStatus, Services

__all__ = ["pack_now", "pause", "resume", "status"]

_LOOK_EVERY_S = 0.2
_MOST_WAIT_S = 60.0


def status(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Say how much is packed, what that saves and by which means, and what waits or runs."""
    from allmende.flows import packing_status

    with opened(place) as services:
        found = packing_status(services)
    _say_status(found, as_json=as_json)


def pause(*, place: HubPlace | None = None, as_json: AsJson = False) -> int:
    """Pause the packing until it is resumed, also across restarts, and wait until what runs has stopped.

    The exit code is 1 where that takes longer than a minute.
    """
    return _switch(place, paused=True, as_json=as_json)


def resume(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Let a paused packing go on."""
    _switch(place, paused=False, as_json=as_json)


def pack_now(
    *,
    wait: Annotated[
        bool, Parameter(help="Do it in this process, and return when all of it is done.")
    ] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Have every stored file packed that is large enough, however young it is."""
    from allmende.flows import enqueue_all_packing, packing_status

    with opened(place) as services:
        count = enqueue_all_packing(services)
        if wait:
            _run_to_the_end(services)
        found = packing_status(services)
    if not as_json:
        say(f"{count} files {'were looked at' if wait else 'are in the queue'}")
    _say_status(found, as_json=as_json)


def _switch(place: HubPlace | None, *, paused: bool, as_json: bool) -> int:
    from allmende.flows import packing_status, set_packing_paused

    give_up = time.monotonic() + _MOST_WAIT_S
    with opened(place) as services:
        set_packing_paused(services, paused=paused)
        while (found := packing_status(services)).running and paused and time.monotonic() < give_up:
            time.sleep(_LOOK_EVERY_S)
    _say_status(found, as_json=as_json)
    return FOUND if paused and found.running else OK


def _run_to_the_end(services: "Services") -> None:
    from allmende.flows import make_packing_worker, packing_is_done

    worker = make_packing_worker(services)
    worker.start()
    try:
        while not packing_is_done(services):
            time.sleep(_LOOK_EVERY_S)
    finally:
        worker.stop()


def _say_status(found: "PackingStatus", *, as_json: bool) -> None:
    figures = found.figures
    if as_json:
        say_json(
            "allmende.admin-pack/1",
            {
                "paused": found.paused,
                "enabled": found.enabled,
                "jobs": dict(found.jobs),
                "running": list(found.running),
                "content_bytes": figures.content_bytes,
                "packed_bytes": figures.packed_bytes,
                "stored_bytes": figures.stored_bytes,
                "pack_bytes": figures.pack_bytes,
                "saved_bytes": {
                    "sharing": figures.saved_by_sharing_bytes,
                    "prediction": figures.saved_by_prediction_bytes,
                    "compression": figures.saved_by_compression_bytes,
                },
            },
        )
        return
    state = "paused" if found.paused else "on" if found.enabled else "off by the settings"
    waiting = found.jobs.get("waiting", 0)
    say(f"packing is {state}; {waiting} files wait, {found.jobs.get('failed', 0)} failed")
    for note in found.running:
        say(f"running: {note}")
    say(
        f"{size_text(figures.content_bytes)} of contents take {size_text(figures.stored_bytes)}; "
        f"{size_text(figures.packed_bytes)} of them are packed"
    )
    say(
        f"saved by sharing {size_text(figures.saved_by_sharing_bytes)}, "
        f"by prediction {size_text(figures.saved_by_prediction_bytes)}, "
        f"by compression {size_text(figures.saved_by_compression_bytes)}"
    )
