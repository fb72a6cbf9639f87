"""What `allmende diff` prints for people: findings, a table of layers or tensors, how texts differ."""

import json
from typing import TYPE_CHECKING

from allmende.cli.output import printable, say, say_table

if TYPE_CHECKING:
    from allmende.formats import JsonValue
    from allmende.weights import Figures, ModelDiff, TemplateDiff, TensorDiff, TextsDiff, VocabularyDiff

__all__ = ["say_diff"]

_MAX_KEYS = 30
_MAX_TOKENS = 10
_MAX_TEMPLATE_LINES = 40
_MAX_VALUE_CHARS = 60
_MAX_NAME_CHARS = 200


def say_diff(diff: "ModelDiff", texts: "TextsDiff", *, with_tensors: bool) -> None:
    """All of it."""
    from allmende.weights import findings

    for sentence in findings(diff):
        say(printable(sentence))
    for problem in (*diff.a.problems, *diff.b.problems, *texts.problems):
        say(f"not read: {printable(problem)}")
    say()
    if with_tensors:
        _say_tensors(diff)
    else:
        _say_layers(diff)
    _say_texts(texts)


def _say_layers(diff: "ModelDiff") -> None:
    from allmende.weights import rows_of, share_text

    lines = []
    for row in rows_of(diff):
        same = sum(tensor.status == "same" for tensor in row.tensors)
        rank = "" if row.rank_share is None else share_text(row.rank_share)
        counts = f"{len(row.tensors) - same}/{len(row.tensors)}"
        lines.append([row.label, *_numbers(row.figures), rank, counts])
    lines.append(["all", *_numbers(diff.total), "", ""])
    say_table(
        ("layer", "change", "weights changed", "cosine", "largest", "rank used", "tensors changed"), lines
    )


def _say_tensors(diff: "ModelDiff") -> None:
    from allmende.weights import shape_text

    lines = [
        [tensor.name[:_MAX_NAME_CHARS], *_forms(tensor), *_tensor_numbers(tensor)] for tensor in diff.tensors
    ]
    for word, only in (("only in A", diff.removed), ("only in B", diff.added)):
        lines += [
            [tensor.name[:_MAX_NAME_CHARS], shape_text(tensor.shape), tensor.dtype, word, "", "", "", "", ""]
            for tensor in only
        ]
    heads = ("tensor", "shape", "type", "change", "changed", "cosine", "largest", "effective rank", "rank")
    say_table(heads, lines)


def _forms(tensor: "TensorDiff") -> list[str]:
    from allmende.weights import shape_text

    shapes = shape_text(tensor.shape_a), shape_text(tensor.shape_b)
    types = tensor.dtype_a, tensor.dtype_b
    return [old if old == new else f"{old} → {new}" for old, new in (shapes, types)]


def _tensor_numbers(tensor: "TensorDiff") -> list[str]:
    if tensor.figures is None:
        return ["other shape", "", "", "", "", ""]
    change, changed, cosine, largest = _numbers(tensor.figures)
    if tensor.exact:
        change, cosine = "integers", ""
    spectrum = tensor.spectrum
    if spectrum is None:
        return [change, changed, cosine, largest, "", ""]
    star = "*" if spectrum.sampled else ""
    effective = f"{spectrum.effective_rank:.1f} of {spectrum.of}{star}"
    return [
        change,
        changed,
        cosine,
        largest,
        effective,
        "" if spectrum.rank is None else f"{spectrum.rank}{star}",
    ]


def _numbers(figures: "Figures") -> list[str]:
    from allmende.weights import number_text, share_text

    if not figures.elements:
        return ["", "", "", ""]
    cosine = "" if figures.cosine is None else f"{figures.cosine:.6f}"
    return [
        number_text(figures.relative),
        share_text(figures.share_changed),
        cosine,
        number_text(figures.largest),
    ]


# --- texts ---------------------------------------------------------------------------------------------


def _say_texts(texts: "TextsDiff") -> None:
    for name, diffs in texts.keys.items():
        say()
        say(f"{name}: {texts.key_counts[name]} differences")
        for diff in diffs[:_MAX_KEYS]:
            old = "(absent)" if diff.change == "added" else _value(diff.a)
            new = "(absent)" if diff.change == "removed" else _value(diff.b)
            say(f"    {printable(diff.key)}: {old} → {new}")
        if texts.key_counts[name] > _MAX_KEYS:
            say(f"    and {texts.key_counts[name] - _MAX_KEYS} more")
    if texts.vocabulary is not None and texts.vocabulary.differs:
        _say_vocabulary(texts.vocabulary)
    for template in texts.templates:
        _say_template(template)


def _value(value: "JsonValue") -> str:
    text = json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS] + "…")


def _say_vocabulary(found: "VocabularyDiff") -> None:
    say()
    say(f"vocabulary: {found.tokens_a} tokens in A, {found.tokens_b} in B")
    moved = [f"{token.token} {token.a}→{token.b}" for token in found.moved]
    for what, count, tokens in (
        ("added", found.added_count, found.added),
        ("removed", found.removed_count, found.removed),
        ("moved", found.moved_count, moved),
        ("now special", len(found.special_added), found.special_added),
        ("no longer special", len(found.special_removed), found.special_removed),
    ):
        if count:
            listed = ", ".join(repr(token) for token in tokens[:_MAX_TOKENS])
            say(f"    {count} {what}: {printable(listed)}{', …' if count > _MAX_TOKENS else ''}")
    if found.merges_added or found.merges_removed:
        say(f"    merges: {found.merges_added} added, {found.merges_removed} removed")
    if found.merges_reordered:
        say("    merges: in another order")


def _say_template(template: "TemplateDiff") -> None:
    say()
    say(f"chat template {printable(template.name)}:")
    if not template.whole:
        say("    another one, too long to be compared line by line")
    for line in template.lines[:_MAX_TEMPLATE_LINES]:
        say(f"    {printable(line)}")
    more = len(template.lines) + template.left_out - _MAX_TEMPLATE_LINES
    if more > 0:
        say(f"    and {more} more lines")
