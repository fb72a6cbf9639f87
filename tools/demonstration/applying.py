"""What an application owes that uses a model of the hub, and the papers of the model, with their gaps."""

import json
from typing import Any

from tools.demonstration.commands import command, run
from tools.demonstration.scene import BASE, STRANGER, TRAINED, DemoFailed, Scene

__all__ = ["assess_application", "write_papers"]

_APPLICATION = f"{STRANGER}/repair-answers"
_DESCRIPTION = f"""\
schema: allmende.application/1
name: Answers at the repair desk
operator: {{roles: [deployer], established: union, size: micro, nature: private_body, own_name_on_system: no,
  substantial_modification: no, changed_purpose: no}}
system: {{infers: yes, on_union_market: yes, output_used_in_union: yes, exclusively_military: no,
  sole_purpose_research: no, stage: market, purposes: [], practices: [], profiling: no}}
product: {{annex_i: none}}
use: {{scores_natural_persons: no, at_workplace: no}}
models:
  - {{name: {TRAINED}, role: uses}}
"""
_DRAFT = 1
_KINDS = ("summary", "annex-xii", "annex-xi")


def assess_application(scene: Scene) -> str:
    """Register an application that uses the fine-tune, read what follows, and see that others do not."""
    file = scene.work_folder("application") / "APPLICATION.yaml"
    file.write_text(_DESCRIPTION, "utf-8")
    token = scene.token(STRANGER)
    command(scene, "applications", "put", _APPLICATION, str(file), token=token)
    told = json.loads(command(scene, "applications", "show", _APPLICATION, "--json", token=token))
    assessment: dict[str, Any] = told.get("assessment", told)
    answers = {line["rule"]: line["answer"] for line in assessment["lines"]}
    if answers.get("is-ai-system") != "yes" or "undetermined" not in answers.values():
        raise DemoFailed(f"the assessment of {_APPLICATION} says {answers}")
    asked = assessment["open"]
    if run(scene, "applications", "show", _APPLICATION).returncode == 0:
        raise DemoFailed(f"somebody without an account reads the private {_APPLICATION}")
    counts = {answer: list(answers.values()).count(answer) for answer in ("yes", "no", "undetermined")}
    said = ", ".join(f"{count} {answer}" for answer, count in counts.items())
    return (
        f"{_APPLICATION}, which uses {TRAINED}, is registered and assessed: {len(answers)} lines ({said}), "
        f"and {len(asked)} questions that would decide more. Nobody else sees it."
    )


def write_papers(scene: Scene) -> str:
    """Papers of the base model out of its record: what is filled, what is missing, and that it is a draft."""
    said = []
    for kind in _KINDS:
        done = run(scene, "document", BASE, "--kind", kind, "--format", "json")
        if done.returncode != _DRAFT:
            raise DemoFailed(f"allmende document {kind} ended with {done.returncode}: {done.stderr}")
        made = json.loads(done.stdout)
        filled = sum(field["state"] != "missing" for field in made["fields"])
        if not (made["draft"] and made["gaps"] and filled):
            raise DemoFailed(f"the {kind} of {BASE} has {filled} fields and {len(made['gaps'])} gaps")
        said.append(f"{kind} {filled} of {len(made['fields'])} fields")
    return (
        f"Papers of {BASE} from its record alone: {', '.join(said)}; the gaps are named, and each is a draft."
    )
