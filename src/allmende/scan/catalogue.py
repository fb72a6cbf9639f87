"""The catalogue of rules as a page, made from the rules themselves."""

from collections.abc import Iterable

from allmende.scan.findings import Rule, Severity

__all__ = ["catalogue_page"]

_HEAD = """# What the scanner looks for

Made from the code by `python -m tools.scan_rules`; do not edit. Rule set {version}. What a severity leads
to is the policy's to say: by default critical blocks, high quarantines, medium warns, low notes. How it all
works, and what to do about a finding: [scanning.md](scanning.md).
"""


def catalogue_page(rules: Iterable[Rule], version: str) -> str:
    """The page in Markdown: a section for each severity, the worst first, the rules by id."""
    parts = [_HEAD.format(version=version)]
    ordered = sorted(rules, key=lambda rule: rule.id)
    for severity in sorted(Severity, reverse=True):
        of_it = [rule for rule in ordered if rule.severity is severity]
        if of_it:
            parts.append(f"## {severity.word.capitalize()}\n")
            parts += [_entry(rule) for rule in of_it]
    return "\n".join(parts)


def _entry(rule: Rule) -> str:
    return (
        f"### `{rule.id}`\n\n{rule.title[:1].upper()}{rule.title[1:]}. {rule.explanation}\n\n"
        f"*What to do:* {rule.remedy} *Reference:* {rule.reference}\n"
    )
