"""What the hub measured of where models come from, and what it says to a card that lies about it."""

import time
from collections.abc import Callable
from typing import Any

from tools.demonstration.reading import read_json
from tools.demonstration.scene import BASE, CLAIMED, LIAR, MERGED, TRAINED, DemoFailed, Scene

__all__ = ["contradict_lie", "tell_descent"]

_MEASURED_S = 90.0
_TRAINED = ("finetune", "partly_frozen")


def tell_descent(scene: Scene) -> str:
    """Parent, relation and grade of the two derivatives, against how they were made; and what is alike."""
    trained = _measured(scene, TRAINED, lambda edge: edge["relation"] in _TRAINED)
    merged = _measured(scene, MERGED, lambda edge: (edge["relation"], edge.get("rank")) == ("lora_merged", 4))
    alike = read_json(scene.hub.url, f"/api/allmende/v1/models/{MERGED}/alike/{scene.commits[MERGED]}")
    reasons = {one["repo"]: one["why"] for one in alike["models"]}
    if alike["by"] != "weights" or (reasons.get(BASE), reasons.get(TRAINED)) != ("parent", "sibling"):
        raise DemoFailed(f"as models like {MERGED} the hub lists {alike}")
    return (
        f"By their weights, {TRAINED} comes from {BASE} ({trained['relation']}, {trained['grade']}), "
        f"and so does {MERGED} ({merged['relation']} of rank {merged['rank']}, {merged['grade']}). As models "
        "like the latter its page lists its parent and, beside it, the former."
    )


def contradict_lie(scene: Scene) -> str:
    """The copy in 16 bits says that it comes from another model: the hub names the true parent beside it."""
    edge = _measured(scene, LIAR, lambda edge: edge["relation"] == "cast")
    report = _report(scene, LIAR)
    said = {base["name"]: base["status"] for base in report["declared"]}
    if said.get(CLAIMED) != "contradicted" or said.get(BASE) != "undeclared":
        raise DemoFailed(f"the card of {LIAR} names {CLAIMED}, and the hub says {said}")
    return (
        f"The card of {LIAR} names {CLAIMED} as its base. The weights contradict it: they come from "
        f"{BASE} ({edge['relation']}, {edge['grade']})."
    )


def _measured(scene: Scene, repo: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The edge of a derivative to the base; waits until the hub has measured it, and anew with all others."""
    deadline = time.monotonic() + _MEASURED_S
    while True:
        report = _report(scene, repo)
        for edge in report["edges"][:1]:
            if [parent["repo"] for parent in edge["parents"]] == [BASE] and holds(edge):
                return dict(edge)
        if time.monotonic() > deadline:
            raise DemoFailed(
                f"within {_MEASURED_S:.0f} s the hub did not find that {repo} comes from {BASE}: {report}"
            )
        time.sleep(0.2)


def _report(scene: Scene, repo: str) -> dict[str, Any]:
    return read_json(scene.hub.url, f"/api/allmende/v1/models/{repo}/lineage/{scene.commits[repo]}")
