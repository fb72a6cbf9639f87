"""Chat templates that grow without a loop, or behind a filter, and ordinary ones that look a little like it."""

import json
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases"]

AGAIN = 8


def _chain(step: str, first: str = "'aaaaaaaaaa'", times: int = AGAIN) -> str:
    return f"{{% set a = {first} %}}" + f"{{% set a = {step} %}}" * times + "{{ a }}"


def _loop(step: str, first: str = "'aaaaaaaaaa'", over: str = "range(40)") -> str:
    return (
        f"{{% set ns = namespace(a={first}) %}}{{% for i in {over} %}}{{% set ns.a = {step} %}}{{% endfor %}}"
    )


STEPS = {
    "replace": "a | replace('a', a)",
    "replace-method": "a.replace('a', a)",
    "replace-nothing": "a | replace('', a)",
    "join": "a | join(a)",
    "join-method": "a.join(a)",
    "wordwrap": "a | wordwrap(1, wrapstring=a)",
    "indent": "a | indent(a, true)",
    "format": "'%s%s%s%s%s%s%s%s' | format(a, a, a, a, a, a, a, a)",
    "percent": "'%s%s%s%s%s%s%s%s' % (a, a, a, a, a, a, a, a)",
    "format-method": "'{0}{0}{0}{0}{0}{0}{0}{0}'.format(a)",
    "times-length": "a * (a | length)",
    "default": "(x | default(a)) ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a",
    "map": "[a] | map('replace', 'a', a) | join",
    "list-shown": "[a, a, a, a, a, a, a, a] | string",
}
MALICIOUS = {
    **{f"chain-{name}": _chain(step) for name, step in STEPS.items()},
    "chain-tojson": _chain("a | tojson", "'\"'", 30),
    "loop-tojson": _loop("ns.a | tojson", "'\"'"),
    "loop-tojson-over-messages": _loop("ns.a | tojson", "'\"'", "messages"),
    "loop-replace-short": _loop("ns.a | replace('a', 'bb') | replace('b', 'aa')"),
    "loop-through-another-name": "{% set ns = namespace(a='xxxx') %}{% set other = ns %}{% for i in range(40) %}"
    "{% set other.a = ns.a ~ ns.a | upper %}{% endfor %}",
    "chain-given": _chain("a | replace('e', a)", "messages | string"),
    "macro-in-macro": "{% macro m(a) %}{{ a }}{{ a }}{{ a }}{{ a }}{% endmacro %}{{ "
    + "m(" * 20
    + "'aaaa'"
    + ")" * 20
    + " }}",
    "macro-by-keyword": "{% macro m(a) %}{{ a }}{{ a }}{{ a }}{{ a }}{% endmacro %}{{ "
    + "m(a=" * 20
    + "'aaaa'"
    + ")" * 20
    + " }}",
    "macro-chain": "{% macro m0() %}aaaaaaaaaa{% endmacro %}"
    + "".join(f"{{% macro m{n + 1}() %}}{f'{{{{ m{n}() }}}}' * 10}{{% endmacro %}}" for n in range(9))
    + "{{ m9() }}",
    "call-blocks": "{% macro m() %}" + "{{ caller() }}" * 10 + "{% endmacro %}" + "{% call m() %}" * 8 + "aaaaaaaaaa" + "{% endcall %}" * 8,
    "set-blocks": "{% set a %}aaaaaaaaaa{% endset %}" + f"{{% set a %}}{'{{ a }}' * 8}{{% endset %}}" * AGAIN,
    "filter-blocks": "{% filter replace('a', 'a' * 9999) %}{% filter replace('b', 'a' * 9999) %}b{% endfilter %}{% endfilter %}",
    "set-with-filter": "{% set a | replace('a', 'a' * 9999) %}" + "a" * 9999 + "{% endset %}",
    "indent-wide": "{{ ('\\n' * 99999) | indent(99999, true, true) }}",
    "indent-long": "{{ ('a\\n' * 99999) | indent('b' * 99999) }}",
    "center-in-map": "{{ ('a,' * 9999).split(',') | map('center', 99999) | join }}",
    "tojson-indent": "{{ [[[messages]]] | tojson(indent=99999) }}",
    "width-in-format": "{{ '" + "%99999d" * 200 + "' | format(*range(200)) }}",
}  # fmt: skip
BENIGN = {
    "compared-name": "{% for m in messages %}{% if '__class__' in m['content'] %}Never use __class__.{% endif %}"
    "{% if m.role == '__init__' or m.role in ['__mro__', '__base__'] %}x{% endif %}{% endfor %}",
    "strip-thinking": "{% macro strip(text) %}{% set ns = namespace(result='') %}{% for part in text.split('<c>') %}"
    "{% if '<d>' in part %}{% set ns.result = ns.result + part.split('<d>')[0] %}{% else %}{% set ns.result = "
    "ns.result + part %}{% endif %}{% endfor %}{{ ns.result | trim }}{% endmacro %}{% for m in messages %}"
    "{{ strip(m.content) }}{{ strip(strip(m.content)) }}{% endfor %}",
    "several-namespaces": "{% set seen = namespace(value=[]) %}{% set n = namespace(value=0) %}{% for m in messages %}"
    "{% for c in m.tool_calls %}{% set n.value = n.value + 1 %}{% set seen.value = seen.value + [c.id] %}"
    "{{ c.content | tojson }}{% endfor %}{% endfor %}",
    "escaping": "{% for m in messages %}{% set c = m.content | replace('&', '&amp;') | replace('<', '&lt;') | "
    "replace('\"', '&quot;') %}{{ c | replace('\\n', '\\\\n') | tojson }}{% endfor %}",
    "joining": "{% set ns = namespace(parts=[]) %}{% for m in messages %}{% set ns.parts = ns.parts + "
    "[m.role ~ ': ' ~ m.content] %}{% endfor %}{{ ns.parts | join('\\n\\n') | indent(4) }}",
    "nested-schema": "{% macro show(p, depth) %}{% for k, v in p.items() %}{{ '  ' * depth }}{{ k }}: {{ v.type }}"
    "{% if v.properties %}{{ show(v.properties, depth + 1) }}{% endif %}{% for e in v.enum %}{% for x in e.y %}"
    "{{ x | tojson(indent=2) }}{% endfor %}{% endfor %}{% endfor %}{% endmacro %}{{ show(tools, 0) }}",
    "branches": "{% for m in messages %}{% set c = m.content %}"
    + "".join(f"{{% {'elif' if n else 'if'} m.kind == {n} %}}{{% set c = c | replace('x', 'yyyyyyyyyy') %}}" for n in range(20))
    + "{% endif %}{{ c }}{% endfor %}",
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Each as a template of its own; those that grow in a configuration too."""
    told: list[tuple[dict[str, str], Label]] = [(MALICIOUS, "malicious"), (BENIGN, "benign")]
    for templates, label in told:
        for name, template in templates.items():
            yield Case(
                f"template-growth-{label}", name, "chat_template.jinja", label, fixed(template.encode())
            )
            config = json.dumps({"chat_template": template}).encode()
            yield Case(f"template-growth-{label}-json", name, "tokenizer_config.json", label, fixed(config))
    for name, template in (
        ("item", "{{ messages['__class__'] }}{% if '__class__' in x %}{% endif %}"),
        ("filter", "{% if messages | attr('__class__') == '__class__' %}x{% endif %}"),
        ("compared-attribute", "{% if messages.__class__ == '__class__' %}x{% endif %}"),
        ("in-a-list", "{% set k = ['__class__'] %}{{ messages[k[0]] }}"),
    ):
        yield Case(
            "template-growth-names", name, "chat_template.jinja", "malicious", fixed(template.encode())
        )
