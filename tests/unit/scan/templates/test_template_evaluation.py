"""What expressions of a template amount to."""

import pytest
from jinja2 import nodes

from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_parsing import in_order, parsed
from allmende.scan.templates.template_values import Value


def value_of_last(template: str) -> Value:
    """That of the last expression that is printed."""
    tree = parsed(template)
    assert tree is not None
    ordered = list(in_order(tree))
    printed = [node for node in ordered if isinstance(node, nodes.Output)][-1].nodes[-1]
    return Evaluation(ordered).value(printed)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'a' ~ 'b' }}", "ab"),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ 'a' 'b' }}", "ab"),
        ("{{ '%s-%s' % ('a', 'b') }}", "a-b"),
        ("{{ '%c' % 97 }}", "a"),
        ("{{ '{}{}'.format('a', 'b') }}", "ab"),
        ("{{ '{1}{0}'.format('a', 'b') }}", "ba"),
        ("{{ ['a', 'b'] | join('-') }}", "a-b"),
        ("{{ '-'.join(['a', 'b']) }}", "a-b"),
        ("{{ 'ba' | reverse }}", "ab"),
        ("{{ 'ba'[::-1] }}", "ab"),
        ("{{ 'xaby'[1:-1] }}", "ab"),
        ("{{ ['x', 'ab'][1] }}", "ab"),
        ("{{ 'AB' | lower }}", "ab"),
        ("{{ 'axxb' | replace('xx', '') }}", "ab"),
        ("{{ 'a,ab'.split(',')[1] }}", "ab"),
        ("{{ 'a' * 3 }}", "aaa"),
        ("{% set x = 'a' %}{{ x ~ 'b' }}", "ab"),
        ("{% set x %}a{{ 'b' }}{% endset %}{{ x }}", "ab"),
        ("{% set x, y = 'a', 'b' %}{{ x ~ y }}", "ab"),
        ("{% set ns = namespace(x='a') %}{{ ns.x ~ 'b' }}", "ab"),
        ("{% macro m() %}ab{% endmacro %}{{ m() }}", "ab"),
        ("{% with x = 'ab' %}{{ x }}{% endwith %}", "ab"),
    ],
)
def test_constants_are_folded(template: str, text: str) -> None:
    assert text in value_of_last(template).texts


@pytest.mark.parametrize(
    "template",
    [
        "{{ x ~ 'b' }}",
        "{{ x + y }}",
        "{{ [x, 'b'] | join }}",
        "{{ '{0:c}'.format(95) }}",
        "{{ x | replace('a', 'b') }}",
        "{% set k = x ~ 'b' %}{{ k }}",
        "{% for k in [x ~ 'b'] %}{{ k }}{% endfor %}",
        "{% set d = {'k': {'z': x ~ 'b'}} %}{{ d.k.z }}",
        "{{ caller() }}",
    ],
)
def test_what_is_put_together_of_unknown_parts_is_known_to_be(template: str) -> None:
    assert value_of_last(template).made


@pytest.mark.parametrize(
    "template",
    [
        "{{ x }}",
        "{{ x.y }}",
        "{{ x[loop.index0 + 1] }}",
        "{{ loop.index0 - 1 }}",
        "{{ x | length }}",
        "{% for m in [a] + b %}{{ m.role }}{% endfor %}",
        "{{ x | lower }}",
        "{{ (x ~ y)[0] }}",
    ],
)
def test_what_is_only_taken_is_not_made(template: str) -> None:
    assert not value_of_last(template).made


def test_numbers_are_bounded() -> None:
    assert value_of_last("{{ 9 ** 9 ** 9 ** 9 }}").largest == 10**30
    assert value_of_last("{{ 10 ** 30 * 10 ** 30 }}").largest == 10**30


def test_texts_are_bounded() -> None:
    assert value_of_last("{{ 'a' * 100000000 }}").made
