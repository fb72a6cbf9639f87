"""What the examination of a template costs is bounded by its size, and not by the square of it: in steps."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from allmende.scan import Source, Status, scan_source
from allmende.scan.templates.template_bindings import TooManyBindings, bindings_of
from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_lengths import overlong
from allmende.scan.templates.template_parsing import in_order, parsed


def steps_of(template: str) -> int:
    """The calls that are made, of functions in Python and in C, while a template is examined."""
    tree = parsed(template)
    assert tree is not None
    ordered = list(in_order(tree))
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        list(overlong(ordered, Evaluation(ordered)))
    finally:
        sys.setprofile(before)
    return counted


def numbered(text: str, count: int) -> str:
    return "".join(text.replace("#", str(number)) for number in range(count))


@pytest.mark.parametrize(
    "written",
    [
        lambda count: "{% macro m() %}" + "{{ a }}" * count + "{% endmacro %}" + "{{ m() }}" * count,
        lambda count: "{% set b %}" + "{{ a }}" * count + "{% endset %}" + "{{ b }}" * count,
        lambda count: "{% set n = x %}" * count + "{{ n.b }}" * count,
    ],
    ids=["macro", "block", "names"],
)
def test_twice_the_template_takes_about_twice_the_steps(written: Callable[[int], str]) -> None:
    few, many = (steps_of(written(count)) for count in (150, 300))
    assert many < 2.6 * few


def test_calls_that_bind_every_parameter_again_are_refused() -> None:
    parameters = ",".join(f"b{number}" for number in range(400))
    template = f"{{% macro m({parameters}) %}}{{% endmacro %}}" + "{{ m(*a) }}" * 400
    tree = parsed(template)
    assert tree is not None
    with pytest.raises(TooManyBindings):
        bindings_of(list(in_order(tree)))
    report = scan_source(Source.of_bytes(template.encode()), "chat_template.jinja")
    assert report.status() is Status.QUARANTINED


@pytest.mark.parametrize(
    "template",
    [
        "{% set n = namespace() %}"
        + numbered("{% set n.a# = x %}", 1000)
        + "{% macro m(x) %}{% set n.a1 = x %}{% endmacro %}"
        + "{% for a in b %}" * 3
        + "{{ m(n.a1 ~ 'a') }}" * 5
        + "{% endfor %}" * 3,
        numbered("{% set a# = x %}", 1000)
        + "{% for a in b %}" * 2
        + "{% if x %}{% endif %}" * 700
        + "{% endfor %}" * 2,
    ],
    ids=["cells", "names"],
)
def test_names_that_are_copied_count_as_steps(template: str) -> None:
    tree = parsed(template)
    assert tree is not None
    ordered = list(in_order(tree))
    assert [told for told, _ in overlong(ordered, Evaluation(ordered))] == ["loops within loops"]
