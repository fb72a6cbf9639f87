"""The record of a model, what two revisions say otherwise, and bills of materials that follow from it."""

import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.demonstration.commands import command, run
from tools.demonstration.scene import BASE, MERGED, PUBLISHER, SIGNED, DemoFailed, Scene

__all__ = ["tell_record"]

_RECORD_S = 90.0
_ROOT = Path(__file__).resolve().parents[2]
_JUDGE = _ROOT / ".venvs" / "bom-judge" / "bin" / "python"
_NOT_READY = 3
_FORMS = ("cyclonedx-1.6", "spdx-3.0.1")


def tell_record(scene: Scene, published: Path) -> str:
    """Read the record of the merge, compare two revisions of the signed model, check two documents."""
    facts = _record(scene, f"{MERGED}@{scene.commits[MERGED]}", lambda found: BASE in _parents(found))
    known = [name for name, fact in facts.items() if fact["source"] != "unknown"]
    changed = _difference(scene)
    judged = _documents(scene, published)
    return (
        f"The signed record of {MERGED} has {len(known)} facts with their sources, and says of "
        f"{len(facts) - len(known)} that they are not known. Between two revisions of {SIGNED} it tells what "
        f"changed: {', '.join(changed)}. CycloneDX and SPDX made of it list each file by its SHA-256 as it "
        f"was published; {judged}."
    )


def _record(scene: Scene, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The facts of the record of a revision; waits for a version of which something holds."""
    deadline = time.monotonic() + _RECORD_S
    while time.monotonic() < deadline:
        done = run(scene, "record", what, "--json")
        if done.returncode not in (0, _NOT_READY):
            raise DemoFailed(f"allmende record ended with {done.returncode}: {done.stderr}")
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)["facts"]
            if holds(found):
                return found
        time.sleep(0.3)
    raise DemoFailed(f"the record of {what} does not say after {_RECORD_S:.0f} s what it should")


def _parents(facts: dict[str, Any]) -> set[str]:
    """The repos that the weights were found to come from."""
    edges = facts["lineage"].get("value", {}).get("edges", [])
    return {str(parent["repo"]) for edge in edges for parent in edge["parents"]}


def _is_signed(facts: dict[str, Any]) -> bool:
    return str(facts["signatures"]["source"]) == "attested"


def _difference(scene: Scene) -> list[str]:
    """The facts that differ between the revision of the signed model as signed, and as edited."""
    edited, signed = (one.commit_id for one in scene.client(PUBLISHER).list_repo_commits(SIGNED)[:2])
    for commit in (signed, edited):
        _record(scene, f"{SIGNED}@{commit}", _is_signed)
    told = json.loads(
        command(scene, "record", f"{SIGNED}@{edited}", "--against", f"{SIGNED}@{signed}", "--json")
    )
    changed = {row["name"]: row for row in told["changed"]}
    if not {"files", "signatures"} <= changed.keys():
        raise DemoFailed(f"the card was edited, and what changed is said to be {sorted(changed)}")
    if changed["files"]["paths"]["changed"] != ["README.md"]:
        raise DemoFailed(f"the card was edited, and these files: {changed['files']['paths']}")
    return sorted(changed)


def _documents(scene: Scene, published: Path) -> str:
    """Both kinds of document: every file of them as it was published, and what the validators say."""
    folder = scene.work_folder("documents")
    name = MERGED.partition("/")[2]
    what = f"{MERGED}@{scene.commits[MERGED]}"
    for form in _FORMS:
        command(scene, "bom", what, "--format", form, "-o", str(folder / f"{name}.{form}"))
    for form in _FORMS:
        text = (folder / f"{name}.{form}").read_text("utf-8")
        for path in published.iterdir():
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() not in text:
                raise DemoFailed(f"the {form} of {MERGED} does not list {path.name} as it was published")
    if not _JUDGE.exists():
        return "`make sample` has the strict validators judge such documents"
    script = _ROOT / "tests" / "contract" / "scripts" / "judge_bom.py"
    judging = [str(_JUDGE), str(script), str(folder), str(_ROOT / "tests" / "assets")]
    done = subprocess.run(judging, capture_output=True, text=True, timeout=180, check=False)
    wrong = json.loads(done.stdout) if done.returncode == 0 else {"judge": [done.stderr[-500:]]}
    if any(wrong.values()) or len(wrong) < 2:
        raise DemoFailed(f"the validators find fault with the documents of {MERGED}: {wrong}")
    return "the strict validators of both accept them"
