"""Chat templates: what is found, at which severity, and what is not."""

import pytest

from allmende.scan import Severity, Source, scan_source
from allmende.scan.templates import is_template_key
from tests.attack.corpus.template_routes import REPEATS, ROUTES
from tests.attack.corpus.templates import BENIGN, ESCAPES
from tests.attack.corpus.templates import REPEATS as PLAIN_REPEATS


def rules_of(template: str) -> dict[str, Severity]:
    report = scan_source(Source.of_bytes(template.encode()), "chat_template.jinja")
    return {finding.rule.id: finding.severity for finding in report.findings}


@pytest.mark.parametrize("name", BENIGN)
def test_an_ordinary_template_has_no_findings(name: str) -> None:
    assert rules_of(BENIGN[name]) == {}


# The filter `format` is that of `%`, which reaches no attributes.
@pytest.mark.parametrize(
    "name", [key for key, text in ESCAPES.items() if "__" in text and key != "map-of-format"]
)
def test_names_of_the_interpreter_are_critical(name: str) -> None:
    assert max(rules_of(ESCAPES[name]).values()) is Severity.CRITICAL


@pytest.mark.parametrize("name", ROUTES)
def test_a_name_by_a_detour_is_found(name: str) -> None:
    assert max(rules_of(ROUTES[name]).values()) >= Severity.MEDIUM


@pytest.mark.parametrize("template", [*PLAIN_REPEATS.values(), *REPEATS.values()])
def test_what_runs_for_ever_is_high(template: str) -> None:
    assert max(rules_of(template).values()) >= Severity.HIGH


@pytest.mark.parametrize(
    ("template", "rule"),
    [
        ("{{ x.__class__ }}", "template-escape"),
        ("{{ x._private }}", "template-private-name"),
        ("{{ x[a ~ b] }}", "template-made-name"),
        ("{% include '/etc/passwd' %}", "template-includes"),
        ("{% include '../x' %}", "template-includes"),
        ("{% include x %}", "template-includes"),
        ("{% include 'x.jinja' %}", "template-loads-another"),
        ("{% for i in range(1000000) %}{% endfor %}", "template-repeats"),
        ("{{ x | nonsense }}", "template-unknown-name"),
        ("{% if x is nonsense %}{% endif %}", "template-unknown-name"),
        ("{{ nonsense(x) }}", "template-unknown-name"),
        ("{{ x.nonsense() }}", "template-unknown-name"),
        ("{{ x.y", "template-not-parsed"),
        ("{% nonsense %}", "template-not-parsed"),
    ],
)
def test_each_rule_has_its_case(template: str, rule: str) -> None:
    assert list(rules_of(template)) == [rule]


def test_a_finding_names_the_line() -> None:
    report = scan_source(Source.of_bytes(b"a\nb\n{{ x.__class__ }}"), "a.jinja")
    assert report.findings[0].detail == "Line 3 of the template."


@pytest.mark.parametrize("depth", [40, 400, 4000])
@pytest.mark.parametrize(
    ("before", "after"),
    [("{{ " + "(", ")"), ("{{ " + "[", "]"), ("{{ not ", ""), ("{{ -", ""), ("{% if a %}", "{% endif %}")],
)
def test_deep_nesting_is_an_answer_and_no_crash(depth: int, before: str, after: str) -> None:
    start, _, opened = before.rpartition(" ") if before.startswith("{{") else ("", "", before)
    template = f"{start} {opened * depth}a{after * depth}" + (" }}" if start else "")
    assert set(rules_of(template)) <= {"template-not-parsed"}


@pytest.mark.parametrize(
    "key",
    ["chat_template", "chat_template.tool_use", "chat_templates", "default_chat_template", "jinja_template"],
)
def test_keys_of_templates(key: str) -> None:
    assert is_template_key(key)


@pytest.mark.parametrize("key", ["template", "chat", "prompt_template", "templates", ""])
def test_other_keys(key: str) -> None:
    assert not is_template_key(key)
