"""Judge a lineage measurer: `python -m tests.families.score OUT [--all] [--json FILE] [-- COMMAND…]`.

Each model is asked about among those made before it (or, with --all, among all others, where naming a
descendant is wrong). COMMAND is what is started in place of `allmende`. It needs no torch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SAME_VALUES = frozenset({"identical", "renamed"})
UNRELATED = "unrelated"
LIMIT_S = 300
Manifest = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is right in one answer; the errors are None where nothing is to be compared."""

    name: str
    expected: str
    expected_parents: list[str]
    answered: str
    answered_parents: list[str]
    relation_right: bool
    parents_right: bool
    weight_error: float | None
    rank_error: int | None
    grade: str
    disguise: bool
    seconds: float
    problem: str = ""


def originals(manifest: Manifest) -> dict[str, str]:
    """For each model the first one that holds the same values; it may stand for every copy."""
    first: dict[str, str] = {}
    for name, truth in manifest.items():
        copy = truth["relation"] in SAME_VALUES and "cast" not in truth["chain"]
        first[name] = first[truth["parents"][0]["name"]] if copy and truth["parents"] else name
    return first


def expected(manifest: Manifest, name: str, candidates: set[str]) -> tuple[set[str], list[frozenset[str]]]:
    """The relations and the sets of parents that are right for a model among these candidates."""
    truth = manifest[name]
    relations = {truth["relation"], *truth["also"]}
    parents = frozenset(parent["name"] for parent in truth["parents"])
    choices = [parents, *map(frozenset, truth.get("also_parents", []))]
    if "withheld" in truth:
        kin = [n for n in candidates if manifest[n].get("withheld") == truth["withheld"]]
        chosen = [frozenset({one}) for one in kin] + [frozenset(kin)]
        return ({"sibling"}, chosen) if kin else ({UNRELATED, "root"}, [frozenset()])
    if not parents:
        return {UNRELATED, "root"}, [frozenset()]
    return relations, choices


def twins(manifest: Manifest, name: str, candidates: set[str], first: dict[str, str]) -> set[str]:
    """Candidates with the very same values, made before or after: which came first is not in the weights."""
    return {other for other in candidates if first[other] == first[name]}


def judge(
    manifest: Manifest, name: str, candidates: set[str], answer: dict[str, Any], seconds: float
) -> Verdict:
    """Compare the best edge of an answer with the truth."""
    first = originals(manifest)
    truth = manifest[name]
    edges = answer.get("edges") or [{"parents": [], "relation": UNRELATED}]
    best = edges[0]
    named = [model_of(parent["path"], manifest) for parent in best["parents"]]
    relations, choices = expected(manifest, name, candidates)
    chain = best.get("chain") or []
    relation_right = best["relation"] in relations or bool(
        truth["chain"]
        and UNRELATED not in relations
        and without_names(chain) == without_names(truth["chain"])
    )
    found = frozenset(first.get(parent, parent) for parent in named)
    parents_right = any(found == frozenset(first[p] for p in choice) for choice in choices)
    if best["relation"] in SAME_VALUES and named and set(named) <= twins(manifest, name, candidates, first):
        relation_right, parents_right = True, True
    return Verdict(
        name=name,
        expected="/".join(sorted(relations)),
        expected_parents=sorted(choices[0]),
        answered=best["relation"],
        answered_parents=named,
        relation_right=relation_right,
        parents_right=parents_right,
        weight_error=weight_error(manifest, truth, best) if parents_right else None,
        rank_error=rank_error(truth, best) if relation_right else None,
        grade=str(best.get("grade", "")),
        disguise=bool(truth["disguise"]),
        seconds=seconds,
    )


def without_names(chain: list[str]) -> list[str]:
    """A chain without the other names, which a change of file format always brings and nobody need say."""
    return [relation for relation in chain if relation != "renamed"]


def model_of(path: str, manifest: Manifest) -> str:
    """The model that a path in an answer means, be it of the folder or of a file in it."""
    parts = Path(path).parts
    return next((part for part in reversed(parts) if part in manifest), path)


def weight_error(manifest: Manifest, truth: dict[str, Any], edge: dict[str, Any]) -> float | None:
    """The largest error of a weight over the parents for which both sides know one."""
    first = originals(manifest)
    known = {first[p["name"]]: p["weight"] for p in truth["parents"] if p["weight"] is not None}
    said = {first.get(model_of(p["path"], manifest)): p.get("weight") for p in edge["parents"]}
    errors = [abs(weight - said[name]) for name, weight in known.items() if said.get(name) is not None]
    return max(errors) if errors else None


def rank_error(truth: dict[str, Any], edge: dict[str, Any]) -> int | None:
    if truth["rank"] is None or edge.get("rank") is None:
        return None
    return abs(int(edge["rank"]) - int(truth["rank"]))


def candidates_of(manifest: Manifest, name: str, *, everything: bool) -> set[str]:
    order = manifest[name]["order"]
    return {
        other for other, truth in manifest.items() if other != name and (everything or truth["order"] < order)
    }


def place(model: Path, link: Path, *, hard: bool) -> None:
    """Put a model among the candidates: a link to its folder, or a folder of hard links to its files."""
    if not hard:
        link.symlink_to(model.resolve(), target_is_directory=True)
        return
    link.mkdir()
    for file in model.iterdir():
        (link / file.name).hardlink_to(file)


def ask(
    out: Path, manifest: Manifest, name: str, command: list[str], *, everything: bool, hard: bool = False
) -> Verdict:
    """Start the command on one model in a folder with links to its candidates."""
    candidates = candidates_of(manifest, name, everything=everything)
    with tempfile.TemporaryDirectory(prefix="among-", dir=out.parent if hard else None) as among:
        for other in sorted(candidates):
            place(out / other, Path(among) / other, hard=hard)
        started = time.monotonic()
        called = [*command, "lineage", str(out / name), "--among", among, "--json"]
        try:
            done = subprocess.run(called, capture_output=True, text=True, timeout=LIMIT_S, check=False)
            answer = json.loads(done.stdout)
            if not isinstance(answer, dict) or "edges" not in answer:
                raise ValueError(f"no edges in the answer of exit code {done.returncode}")
        except (subprocess.TimeoutExpired, ValueError) as problem:
            return failed(manifest, name, candidates, time.monotonic() - started, str(problem))
        return judge(manifest, name, candidates, answer, time.monotonic() - started)


def failed(manifest: Manifest, name: str, candidates: set[str], seconds: float, problem: str) -> Verdict:
    """No answer is a wrong answer, of a root too."""
    relations, choices = expected(manifest, name, candidates)
    return Verdict(
        name,
        "/".join(sorted(relations)),
        sorted(choices[0]),
        "no answer",
        [],
        relation_right=False,
        parents_right=False,
        weight_error=None,
        rank_error=None,
        grade="",
        disguise=bool(manifest[name]["disguise"]),
        seconds=seconds,
        problem=problem,
    )


def total(verdicts: list[Verdict]) -> dict[str, Any]:
    """Counts, and the worst errors."""
    weights = [v.weight_error for v in verdicts if v.weight_error is not None]
    ranks = [v.rank_error for v in verdicts if v.rank_error is not None]
    return {
        "models": len(verdicts),
        "relation_right": sum(v.relation_right for v in verdicts),
        "parents_right": sum(v.parents_right for v in verdicts),
        "both_right": sum(v.relation_right and v.parents_right for v in verdicts),
        "weights_compared": len(weights),
        "weight_error_worst": max(weights, default=None),
        "weight_error_mean": sum(weights) / len(weights) if weights else None,
        "ranks_compared": len(ranks),
        "ranks_right": ranks.count(0),
    }


def totals(verdicts: list[Verdict], manifest: Manifest) -> dict[str, Any]:
    """The whole, without and with disguise alone, by relation, and the false kin of models that have none."""
    relations = sorted({truth["relation"] for truth in manifest.values()})
    alone = [v for v in verdicts if not v.expected_parents]
    return {
        "all": total(verdicts),
        "without_disguise": total([v for v in verdicts if not v.disguise]),
        "disguised": total([v for v in verdicts if v.disguise]),
        "by_relation": {
            r: total([v for v in verdicts if manifest[v.name]["relation"] == r]) for r in relations
        },
        "false_kin": sum(bool(v.answered_parents) for v in alone),
        "without_kin": len(alone),
        "no_answer": sum(bool(v.problem) for v in verdicts),
        "confusions": dict(
            Counter(f"{v.expected} -> {v.answered}" for v in verdicts if not v.relation_right).most_common()
        ),
    }


def table(verdicts: list[Verdict]) -> str:
    """One line a model; a small x where the relation or the parents are wrong."""
    lines = [
        f"{'model':24} {'expected':26} {'answered':18} rel par {'weight':>7} {'rank':>4} {'s':>6}  parents"
    ]
    for v in verdicts:
        weight = "" if v.weight_error is None else f"{v.weight_error:.3f}"
        rank = "" if v.rank_error is None else f"{v.rank_error:+d}"
        marks = f"{'ok' if v.relation_right else 'x':>3} {'ok' if v.parents_right else 'x':>3}"
        parents = ", ".join(v.answered_parents) or "-"
        if not v.parents_right:
            parents += f"  (not {', '.join(v.expected_parents) or '-'})"
        name = f"{v.name}{' *' if v.disguise else ''}"
        lines.append(
            f"{name:24} {v.expected:26} {v.answered:18} {marks} {weight:>7} {rank:>4} {v.seconds:6.1f}  "
            f"{parents}{' ' + v.problem if v.problem else ''}"
        )
    return "\n".join(lines)


def main() -> None:
    own, _, command = " ".join(sys.argv[1:]).partition(" -- ")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--all", action="store_true", help="ask among all others, later ones too")
    parser.add_argument("--json", type=Path, help="write the verdicts and totals here")
    parser.add_argument("--only", default="", help="names to ask about")
    parser.add_argument(
        "--hard", action="store_true", help="hard links to files, in place of links to folders"
    )
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args(own.split())
    manifest: Manifest = json.loads((chosen.out / "manifest.json").read_text())
    for truth in manifest.values():
        truth.update({key: truth.get(key, default) for key, default in DEFAULTS.items()})
    names = chosen.only.split(",") if chosen.only else list(manifest)

    def one(name: str) -> Verdict:
        return ask(
            chosen.out,
            manifest,
            name,
            command.split() or ["allmende"],
            everything=chosen.all,
            hard=chosen.hard,
        )

    with ThreadPoolExecutor(chosen.jobs) as pool:
        verdicts = list(pool.map(one, names))
    found = totals(verdicts, manifest)
    print(table(verdicts))
    print(json.dumps(found, indent=1))
    if chosen.json:
        content = {"all": chosen.all, "totals": found, "verdicts": [asdict(v) for v in verdicts]}
        chosen.json.write_text(json.dumps(content, indent=1))


DEFAULTS: dict[str, Any] = {"chain": [], "also": [], "rank": None, "disguise": False}


if __name__ == "__main__":
    main()
