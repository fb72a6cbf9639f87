"""The part of the report that tells of configuration, tokenizer and chat template."""

import json
from collections.abc import Iterable
from html import escape

from allmende.formats import JsonValue
from allmende.weights.diff_texts import KeyDiff, TemplateDiff, TextsDiff
from allmende.weights.vocabularies import VocabularyDiff

__all__ = ["texts_section"]

_MAX_VALUE_CHARS = 300


def texts_section(texts: TextsDiff) -> str:
    """The section; a sentence where nothing differs. All text is escaped."""
    parts = [_problems(texts.problems)]
    parts += [_keys(name, diffs, texts.key_counts[name]) for name, diffs in texts.keys.items()]
    if texts.vocabulary is not None and texts.vocabulary.differs:
        parts.append(_vocabulary(texts.vocabulary))
    parts += [_template(template) for template in texts.templates]
    body = "".join(parts) or "<p>Configuration, tokenizer and chat template are the same.</p>"
    return (
        '<section aria-labelledby="texts"><h2 id="texts">Configuration, tokenizer and chat template</h2>'
        f"{body}</section>"
    )


def _problems(problems: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f"<p>Could not be read:</p><ul>{items}</ul>" if items else ""


def _keys(name: str, diffs: tuple[KeyDiff, ...], count: int) -> str:
    lines = "".join(
        f'<tr><th scope="row" class="mono">{escape(diff.key[:_MAX_VALUE_CHARS])}</th>'
        f"<td>{'' if diff.change == 'added' else _value(diff.a)}</td>"
        f"<td>{'' if diff.change == 'removed' else _value(diff.b)}</td><td>{diff.change}</td></tr>"
        for diff in diffs
    )
    cut = f"<caption>The first {len(diffs)} of {count:,}.</caption>" if count > len(diffs) else ""
    return (
        f'<h3 class="mono">{escape(name)}</h3><div class="sheet"><table class="keyed">{cut}'
        '<thead><tr><th scope="col">key</th>'
        '<th scope="col">A</th><th scope="col">B</th><th scope="col">change</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _value(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"<code>{escape(text[:_MAX_VALUE_CHARS])}{'…' if len(text) > _MAX_VALUE_CHARS else ''}</code>"


def _vocabulary(found: VocabularyDiff) -> str:
    moved = [f"{token.token} {token.a}→{token.b}" for token in found.moved]
    merges = (
        f"<p>Merges: {found.merges_added:,} added, {found.merges_removed:,} removed"
        f"{', others in another order' if found.merges_reordered else ''}.</p>"
        if found.merges_added or found.merges_removed or found.merges_reordered
        else ""
    )
    return (
        f"<h3>Vocabulary</h3><p>{found.tokens_a:,} tokens in A, {found.tokens_b:,} in B.</p>"
        + _tokens("added", found.added, found.added_count)
        + _tokens("removed", found.removed, found.removed_count)
        + _tokens("moved to another number", moved, found.moved_count)
        + _tokens("now special", found.special_added, len(found.special_added))
        + _tokens("no longer special", found.special_removed, len(found.special_removed))
        + merges
    )


def _tokens(what: str, tokens: Iterable[str], count: int) -> str:
    listed = list(tokens)
    if not listed:
        return ""
    cut = f", the first {len(listed)} of them" if count > len(listed) else ""
    items = "".join(f"<li>{escape(token)}</li>" for token in listed)
    return f'<p>{count:,} {what}{cut}:</p><ul class="tokens">{items}</ul>'


def _template(template: TemplateDiff) -> str:
    head = f"<h3>Chat template <code>{escape(template.name)}</code></h3>"
    if not template.whole:
        return f"{head}<p>It is another, and too long to be compared line by line.</p>"
    lines = "".join(f'<span class="{_side(line)}">{escape(line) or " "}</span>' for line in template.lines)
    cut = f"<p>And {template.left_out:,} more lines.</p>" if template.left_out else ""
    return f"{head}<pre>{lines}</pre>{cut}"


def _side(line: str) -> str:
    if line.startswith(("---", "+++", "@@")):
        return "at"
    return {"+": "plus", "-": "minus"}.get(line[:1], "same")
