"""What was measured between two revisions of a model, and whether it raises the question of Art. 3(23)."""

from allmende.documents.found import Found, FoundFacts
from allmende.documents.wording import Words
from allmende.proof import JsonObject, JsonValue
from allmende.record import Record, difference

__all__ = ["modification_facts"]

_SHOWN = 100
_QUIET = frozenset({"storage", "files", "commit"})
"""Facts that differ between any two revisions, or are told apart."""
_ASKED = (
    ("foreseen", "no", "not_foreseen"),
    ("requirements", "yes", "requirements"),
    ("purpose", "yes", "purpose"),
)
"""Of each question of a publisher: the answer that raises the question, and how the reason is told."""


def modification_facts(
    before: Record, after: Record, weights: JsonObject | None, given: FoundFacts, words: Words
) -> FoundFacts:
    """The facts of a modification; `weights` is what `allmende diff` measured, None where it was not."""
    told = difference(before, after)
    at = str(after.document.get("made_at", ""))[:10]

    def derived(value: JsonValue, formula: str) -> Found:
        return Found(value, "derived", "allmende.documents", at, formula=formula, firm=True)

    files = _files(told, words)
    changed = _weights_changed(before, after, weights)
    found = {
        "modification.before": Found(_revision(before), "measured", "allmende.record", at, firm=True),
        "modification.after": Found(_revision(after), "measured", "allmende.record", at, firm=True),
        "modification.files": derived(files or [words.say("files.none")], "comparison"),
    }
    facts = _facts(told, words)
    if facts:
        found["modification.facts"] = derived(facts, "comparison")
    if changed is not None:
        found["modification.weights"] = derived(_weights(weights, changed=changed, words=words), "weights")
    share = _share(given)
    if share is not None:
        found["modification.share"] = derived(words.say("share.line", share=f"{share:.2g}"), "share")
    question = _question(given, words, changed=changed, any_file=bool(files))
    found["modification.question"] = derived(question, "question")
    return found


def _revision(record: Record) -> str:
    subject = record.subject
    return (
        f"{subject.name}@{subject.commit}"
        if subject.commit
        else f"{subject.name}, dirHash {subject.tree_hash}"
    )


def _files(told: JsonObject, words: Words) -> list[JsonValue]:
    rows = told["changed"] if isinstance(told["changed"], list) else []
    paths = next((row["paths"] for row in rows if isinstance(row, dict) and "paths" in row), {})
    lines: list[JsonValue] = []
    for how in ("added", "removed", "changed"):
        listed = paths.get(how) if isinstance(paths, dict) else None
        lines += [
            words.say(f"files.{how}", path=path) for path in (listed if isinstance(listed, list) else [])
        ]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], words.say("files.more", count=len(lines) - _SHOWN)]
    return lines


def _facts(told: JsonObject, words: Words) -> list[JsonValue]:
    lines: list[JsonValue] = []
    for how in ("added", "removed", "changed"):
        rows = told[how]
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.get("name") not in _QUIET:
                lines.append(words.say(f"facts.{how}", name=row["name"]))
    return lines


def _weights_changed(before: Record, after: Record, weights: JsonObject | None) -> bool | None:
    """Whether the weights differ; None where nobody has compared them and no record names them."""
    if weights is not None:
        counts = weights.get("tensor_counts")
        return (
            any(count for how, count in counts.items() if how != "same") if isinstance(counts, dict) else None
        )
    one, other = before.object("weights").get("id"), after.object("weights").get("id")
    return None if one is None or other is None else one != other


def _weights(weights: JsonObject | None, *, changed: bool, words: Words) -> str:
    if not changed:
        return words.say("weights.same")
    total = weights.get("total") if weights is not None else None
    counts = weights.get("tensor_counts") if weights is not None else None
    if not isinstance(total, dict) or not isinstance(counts, dict):
        return words.say("weights.differ")
    numbers = {how: count for how, count in counts.items() if isinstance(count, int)}
    all_of_them = sum(numbers.values())
    relative = total.get("relative")
    share = f"{relative:.2g}" if isinstance(relative, int | float) else "?"
    return words.say(
        "weights.changed", changed=all_of_them - numbers.get("same", 0), total=all_of_them, share=share
    )


def _share(given: FoundFacts) -> float | None:
    flop, base = given.get("modification.flop"), given.get("modification.base_flop")
    if flop is None or base is None:
        return None
    # Numbers beyond 2^53 are kept as texts.
    numbers = [float(str(one.value)) if one.value is not None else 0.0 for one in (flop, base)]
    return numbers[0] / numbers[1] if numbers[1] > 0 else None


def _question(given: FoundFacts, words: Words, *, changed: bool | None, any_file: bool) -> str:
    raised: list[str] = []
    unsaid: list[str] = []
    for name, answer, reason in _ASKED:
        fact = given.get(f"modification.{name}")
        if fact is None:
            unsaid.append(f"modification.{name}")
        elif fact.value == answer:
            raised.append(words.say(f"reason.{reason}"))
    measured = [words.say("reason.weights")] if changed else [words.say("reason.files")] if any_file else []
    if not measured and changed is not None and not raised:
        return words.say("question.no")
    if raised or (measured and unsaid):
        return words.say("question.yes", reasons="; ".join([*measured, *raised]))
    if unsaid:
        return words.say("question.open", reasons=words.say("reason.unknown", facts=", ".join(unsaid)))
    return words.say("question.no")
