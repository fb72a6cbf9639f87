"""`allmende admin relineage`: measuring where all models come from anew."""

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json

__all__ = ["begin_relineage"]


def begin_relineage(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Measure again where every model comes from, in the background; what is up to date is not read again."""
    from allmende.flows import start_relineage

    with opened(place) as services:
        run_id = start_relineage(services)
    if as_json:
        say_json("allmende.admin-relineage/1", {"run": run_id})
    else:
        say(f"run {run_id} will look at every model")
