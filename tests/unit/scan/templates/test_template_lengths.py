"""The bounds for the lengths of what a template makes."""

import pytest

from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_lengths import overlong
from allmende.scan.templates.template_parsing import in_order, parsed


def told(template: str) -> list[str]:
    tree = parsed(template)
    assert tree is not None
    ordered = list(in_order(tree))
    return [evidence for evidence, _ in overlong(ordered, Evaluation(ordered))]


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content | replace('a', 'bbbb') | tojson(indent=4) }}{% endfor %}",
        "{% set ns = namespace(a='') %}{% for m in messages %}{% set ns.a = ns.a ~ m %}{% endfor %}",
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{{ m(m(m('a'))) }}",
        "{% for x in a.split(',') %}{% for y in x.split(',') %}{{ y * 2 }}{% endfor %}{% endfor %}",
        "{% macro m(x) %}{{ m(x.y) }}{{ m(x.z) }}{% endmacro %}{{ m(tools) }}",
    ],
)
def test_what_stays_short_is_left(template: str) -> None:
    assert told(template) == []


@pytest.mark.parametrize(
    "template",
    [
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a.join(a) %}" * 4,
        "{% set ns = namespace(a='\"') %}{% for m in messages %}{% set ns.a = ns.a | tojson %}{% endfor %}",
        "{% macro m(x) %}{{ x }}{{ x }}{{ x }}{{ x }}{% endmacro %}{{ "
        + "m(" * 12
        + "'a'"
        + ")" * 12
        + " }}",
        "{% set a %}" + "{{ messages }}" * 50 + "{% endset %}" + "{% set a = a | replace('', a) %}" * 2,
        "{% if x %}{% set a = 'b' * 9999 %}{% endif %}{{ a * 9999 }}",
    ],
)
def test_what_grows_is_told(template: str) -> None:
    assert len(told(template)) == 1
