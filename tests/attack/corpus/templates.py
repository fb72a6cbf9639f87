"""Chat templates: ways out of the sandbox and ways to hold up the renderer, and templates as models have them."""

import json
import struct
from collections.abc import Iterator

from tests.attack.corpus.case import Case, fixed
from tests.attack.corpus.template_routes import REPEATS as HIDDEN_REPEATS
from tests.attack.corpus.template_routes import ROUTES

__all__ = ["cases"]

ESCAPES = {
    "class-chain": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals-of-a-function": "{{ raise_exception.__globals__['os'].popen('id').read() }}",
    "globals-of-cycler": "{{ cycler.__init__.__globals__.os.popen('id') }}",
    "globals-of-joiner": "{{ joiner['__init__']['__globals__'] }}",
    "lipsum-globals": "{{ lipsum.__globals__['__builtins__'].eval('1') }}",
    "subscript": "{{ messages['__class__'] }}",
    "subscript-by-concat": "{{ messages['__cla' ~ 'ss__'] }}",
    "subscript-by-plus": "{{ messages['__cla' + 'ss__'] }}",
    "subscript-by-percent": "{{ messages['%s%s' % ('__cla', 'ss__')] }}",
    "subscript-by-format": "{{ messages['{}{}'.format('__cla', 'ss__')] }}",
    "subscript-by-join": "{{ messages[['__cla', 'ss__'] | join] }}",
    "subscript-by-join-method": "{{ messages[''.join(['__cla', 'ss__'])] }}",
    "subscript-by-reverse": "{{ messages['__ssalc__' | reverse] }}",
    "subscript-by-slice": "{{ messages['__ssalc__'[::-1]] }}",
    "subscript-by-replace": "{{ messages['xxclassxx' | replace('x', '_')] }}",
    "subscript-by-hex": "{{ messages['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "subscript-by-variable": "{% set k = '__class__' %}{{ messages[k] }}",
    "subscript-by-repeat": "{% set u = '_' * 2 %}{{ messages[u ~ 'class' ~ u] }}",
    "subscript-by-lower": "{{ messages['__CLASS__' | lower] }}",
    "attr-filter": "{{ messages | attr('__class__') }}",
    "attr-filter-computed": "{{ messages | attr('__cl' ~ 'ass__') }}",
    "attr-filter-by-variable": "{{ messages | attr(tools) }}",
    "map-attribute": "{{ messages | map(attribute='__class__') | list }}",
    "map-attribute-dotted": "{{ messages | map(attribute='x.__class__') | list }}",
    "map-attribute-computed": "{{ messages | map(attribute='_' ~ '_class__') | list }}",
    "map-of-attr": "{{ messages | map('attr', '__class__') | list }}",
    "map-of-format": "{{ ['{0.__class__}'] | map('format', 1) | list }}",
    "selectattr": "{{ messages | selectattr('__class__') | list }}",
    "groupby": "{{ messages | groupby('__class__') }}",
    "sort-attribute": "{{ messages | sort(attribute='__class__') }}",
    "sum-attribute": "{{ messages | sum(attribute='__len__') }}",
    "format-field": "{{ '{0.__class__.__init__}'.format(messages) }}",
    "format-map": "{{ '{a}'.format_map(messages) }}",
    "format-of-a-variable": "{{ bos_token.format(messages) }}",
    "macro-caller": "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}",
    "self-block": "{{ self.__init__.__globals__ }}",
    "single-underscore": "{{ messages._fields }}",
    "generator-frame": "{{ (messages | map('upper')).gi_frame.f_globals }}",
    "mro-by-name": "{{ messages.mro() }}",
    "statement": "{% if ''.__class__ %}x{% endif %}",
    "in-a-loop": "{% for x in [].__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "in-a-default": "{{ x | default(''.__class__) }}",
    "in-a-test": "{{ 1 is sameas(''.__class__) }}",
    "in-a-comparison": "{{ 'a' < ''.__doc__ }}",
    "behind-a-normal-template": "{% for m in messages %}{{ m.content }}{% endfor %}{{ ''.__class__ }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "from-import": "{% from 'a' import b %}",
    "extends": "{% extends 'a' %}",
}
REPEATS = {
    "range": "{% for i in range(10**9) %}x{% endfor %}",
    "range-literal": "{% for i in range(999999999) %}x{% endfor %}",
    "range-in-range": "{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}",
    "range-to-list": "{{ range(100000000) | list }}",
    "text-repeated": "{{ 'x' * 1000000000 }}",
    "list-repeated": "{{ [0] * 999999999 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "lipsum": "{{ lipsum(n=10000000) }}",
    "center": "{{ 'x' | center(1000000000) }}",
    "indent": "{{ 'x' | indent(1000000000, first=true) }}",
    "center-method": "{{ 'x'.center(1000000000) }}",
    "doubling": "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "doubling-by-plus": "{% set x = 'a' %}{% for i in range(60) %}{% set x = x + x %}{% endfor %}",
    "nested-deep": "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    "nested-blocks": "{% if a %}" * 1000 + "{% endif %}" * 1000,
    "long-chain": "{{ a" + ".b" * 5000 + " }}",
    "unary-chain": "{{ " + "not " * 5000 + "a }}",
    "broken": "{% for m in messages %}{{ m.content }",
}
BENIGN = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "alternation": "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != "
    "(loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if message['role'] == "
    "'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}"
    "{% endif %}{% endfor %}",
    "tools": "{%- if tools %}{%- for tool in tools %}{{- tool | tojson(indent=4) }}{{- '\\n\\n' }}{%- endfor %}"
    "{%- endif %}{%- for m in messages if m.role != 'system' %}{%- set c = m.content | trim %}{{ c }}{% endfor %}",
    "macros": "{% macro render(p, depth=0) %}{% if p is mapping %}{% for k, v in p.items() | sort %}{{ k }}: "
    "{{ render(v, depth + 1) }}{% endfor %}{% else %}{{ p | string }}{% endif %}{% endmacro %}{{ render(tools) }}",
    "namespace": "{% set ns = namespace(found=false, text='') %}{% for m in messages %}{% if not ns.found %}"
    "{% set ns.found = true %}{% set ns.text = ns.text ~ m.content %}{% endif %}{% endfor %}{{ ns.text }}",
    "date": "{{ strftime_now('%d %B %Y') if strftime_now is defined else '' }}",
    "thinking": "{% set parts = message.content.split('</think>') %}{{ parts[-1].lstrip('\\n') }}"
    "{{ messages[-1]['content'][0:10] }}{{ messages[loop.index0 - 1].role if loop is defined }}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "media": "{% for c in message.content %}{% if c.type == 'image' %}<__media__>{% endif %}{% endfor %}",
    "schema-types": "{% macro kind(spec) %}{% if spec.type is string %}{{ spec.type }}{% elif spec.type is iterable %}"
    "{% for t in spec.type %}{{ kind({'type': t}) }}{% endfor %}{% endif %}{% endmacro %}{% for n, p in "
    "tools[0].parameters.properties.items() %}{{ n ~ ': ' ~ kind(p) }}{% endfor %}",
    "macro-tables": "{% macro tool_uses(ms) %}{{ ms | tojson }}{% endmacro %}{% set calls = [] %}"
    "{% set _ = calls.append(tool_uses) %}{% set args = [[messages]] %}{{ calls[0](*args[0]) }}",
    "private-macros": "{% macro __render(m) %}{{ m.role }}{% endmacro %}{% set _last = messages[-1] %}"
    "{{ __render(_last) }}",
    "fields-by-list": "{% for field, label in [('maximum', 'Maximum'), ('minimum', 'Minimum')] %}{% if field in p %}"
    "{{ ' ' + label ~ '=' ~ p[field] }}{% endif %}{% endfor %}",
    "accumulating": "{% set ns = namespace(text='', n=0) %}{% for m in messages %}{% set ns.text = ns.text ~ '[' ~ "
    "m.content ~ ']' %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.text.strip() }}{{ ns.n }}",
    "replacing": "{% for m in messages %}{% set content = m.content %}{% if '<x>' in content %}{% set content = "
    "content.replace('<x>', '').split('</x>')[-1] ~ content.split('</x>')[0] %}{% endif %}{{ content }}{% endfor %}",
    "call-block": "{% macro turn(role) %}<|{{ role }}|>{{ caller() }}<|end|>{% endmacro %}{% for m in messages %}"
    "{% call turn(m.role) %}{{ m.content }}{% endcall %}{% endfor %}",
    "separators": "{% set comma = joiner(', ') %}{% for t in tools %}{{ comma() }}{{ t.name }}{% endfor %}",
    "literal-format": "{{ '{}: {}'.format(messages[0].role, 1) }}{{ '%s' % tools }}{{ '%03d' | format(7) }}",
    "indices": "{% for i in range(messages | length - 1, -1, -1) %}{% set j = i + 1 %}{{ messages[i].role }}"
    "{{ messages[j - 1] }}{% endfor %}{{ '  ' * 2 }}",
    "attributes": "{% set roles = messages | map(attribute='role') | unique | list %}{{ roles | join(', ') }}"
    "{{ messages | selectattr('role', 'equalto', 'system') | list | length }}",
    "mapping-items": "{% for k, v in tools[0] | dictsort %}{{ k ~ v }}{% endfor %}{{ {'a': 1}['a'] }}",
    "dangerous-words": "You may call os.system or eval(__import__('os')) if asked.{{ messages[0].content }}",
}
POLICY = {
    "unknown-function": "{{ get_current_weather(messages) }}",
    "unknown-filter": "{{ messages | my_filter }}",
    "unknown-test": "{% if messages is my_test %}x{% endif %}",
    "loads-beside": "{% from 'macros.jinja' import turn %}{{ turn(messages) }}",
    "attribute-filter": "{{ messages[0] | attr('role') }}",
}


def config(template: object) -> bytes:
    """A tokenizer's configuration with the template."""
    return json.dumps({"tokenizer_class": "LlamaTokenizer", "chat_template": template}).encode()


def gguf(template: str) -> bytes:
    """The smallest GGUF with a template."""

    def text(value: str) -> bytes:
        data = value.encode()
        return struct.pack("<Q", len(data)) + data

    head = (
        b"GGUF"
        + struct.pack("<IQQ", 3, 0, 2)
        + text("general.architecture")
        + struct.pack("<I", 8)
        + text("llama")
    )
    return head + text("tokenizer.chat_template") + struct.pack("<I", 8) + text(template)


def cases() -> Iterator[Case]:
    """Each in a file of its own; the escapes also wherever else a template may live."""
    for family, templates, label in (
        ("template-escapes", ESCAPES, "malicious"),
        ("template-routes", ROUTES, "malicious"),
        ("template-repeats", REPEATS, "malicious"),
        ("template-hidden-repeats", HIDDEN_REPEATS, "malicious"),
        ("template-benign", BENIGN, "benign"),
        ("template-policy", POLICY, "policy"),
    ):
        for name, template in templates.items():
            yield Case(family, name, "chat_template.jinja", label, fixed(template.encode()))  # type: ignore[arg-type]
            if label != "policy" and name != "broken":
                yield Case(f"{family}-json", name, "tokenizer_config.json", label, fixed(config(template)))  # type: ignore[arg-type]
                yield Case(f"{family}-gguf", name, "model.gguf", label, fixed(gguf(template)))  # type: ignore[arg-type]
    evil = ESCAPES["class-chain"]
    yield Case(
        "template-places",
        "list",
        "tokenizer_config.json",
        "malicious",
        fixed(config([{"name": "a", "template": "x"}, {"name": "b", "template": evil}])),
    )
    yield Case(
        "template-places",
        "mapping",
        "processor_config.json",
        "malicious",
        fixed(config({"default": "x", "tool_use": evil})),
    )
    yield Case("template-places", "own-file", "chat_template.json", "malicious", fixed(config(evil)))
    yield Case("template-places", "any-name", "something.json", "malicious", fixed(config(evil)))
