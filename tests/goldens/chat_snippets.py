"""Small templates for chat_templates.py, each for one detail, with the variables that it is given."""

from __future__ import annotations

from typing import Any

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be\u00a0brief. "},
    {"role": "user", "content": "  Hi <b>\"you\"</b> & 'me'\n"},
    {"role": "assistant", "content": "Grüße 🦀", "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": [1, 2]}}}]},
    {"role": "user", "content": ""},
]
DATA: dict[str, Any] = {
    "data": {
        "zulu": 1, "alpha": [1, 2.5, "x", None, True], "empty": {}, "none": [], "quote": "it's \"so\"\n",
        "nested": {"b": {"c": "<&>'\u2028é😀\u007f\u0001\t\\"}}, "big": 9007199254740993, "float": 1e22, "small": 1e-7,
    }
}
FORMATS = "aAwdbBmyYHIpMSfzZjUWcxXGuVCeDFgGhnrRStTVPklEOQi%"

PLAIN = [
    # what values print as
    "{{ none }}|{{ None }}|{{ true }}|{{ True }}|{{ false }}|{{ False }}|{{ missing }}|",
    "{{ 1 }}|{{ -1 }}|{{ 1.0 }}|{{ 1.5 }}|{{ 100000000000000000000.0 }}|{{ 1e16 }}|{{ 1e15 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ 1e-7 }}",
    "{{ 7 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 % 3 }}|{{ -7 % 3 }}|{{ 2 ** 10 }}|{{ 4 / 2 }}|{{ 2 * 3.0 }}|{{ 0.1 + 0.2 }}|{{ 1 / 3 }}",
    "{{ [1, 'a', none, true, 1.5, \"it's\"] }}|{{ {'a': 1, 'b': [none]} }}|{{ (1, 2) }}|{{ (1,) }}|{{ [] }}|{{ {} }}|{{ () }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ missing ~ [1, 'b'] }}|{{ 'a' + 'b' }}|{{ 'ab' * 3 }}|{{ [1] + [2] }}|{{ [0] * 3 }}",
    "{{ messages[0] }}",
    "{{ ['\\n', '\\t', '\\\\', 'é', '\\u200b', '\\x07', '\\'', '\"', '\\'\"'] }}",
    "{{ 1 == 1.0 }}|{{ true == 1 }}|{{ 'a' < 'b' }}|{{ [1, 2] == [1, 2] }}|{{ {'a': 1} == {'a': 1.0} }}|{{ 1 < 2 < 3 }}|{{ 1 < 3 < 2 }}|{{ none == false }}|{{ (1, 2) == [1, 2] }}",
    "{{ true + 1 }}|{{ 3 - true }}|{{ not 1 }}|{{ 1 and 'a' }}|{{ 0 or 'b' }}|{{ '' or none }}|{{ missing or 'x' }}",
    "{{ 1_000 }}|{{ 0x1F }}|{{ 0b11 }}|{{ 0o17 }}|{{ 1e3 }}|{{ 12345678901234567890 }}",
    "{{ 'con' 'cat' }}|{{ 'a\\nb' }}|{{ 'a\\tb' }}|{{ '\\u00e9' }}|{{ '\\x41' }}|{{ '\\d' }}|{{ '\\\\' }}|{{ \"a'b\" }}|{{ 'a\\'b' }}|{{ 'é' }}",
    "{{ ('a' if false) }}|{{ 'a' if true else 'b' }}|{{ ('a' if false else 'b') ~ 'c' }}",
    "{{ messages|length }}|{{ messages[-1].role }}|{{ messages[1:]|length }}|{{ messages[:-1]|length }}|{{ messages[::-1][0].content }}|{{ messages[1:3:2]|length }}|{{ messages[-2:]|length }}",
    "{{ 'hello'[0] }}|{{ 'hello'[-1] }}|{{ 'hello'[1:3] }}|{{ 'hello'[::-1] }}|{{ 'grüße'[2:4] }}|{{ 'abc'[5] }}|{{ 'abc'[5:] }}|{{ 'abc'[-9:2] }}",
    "{{ messages[9] }}|{{ messages[9] is defined }}|{{ messages[0].nope }}|{{ messages[0]['nope'] is defined }}|{{ none.foo is defined }}|{{ 'x'.foo is defined }}|{{ (1).foo is defined }}",
    "{% if missing %}a{% else %}b{% endif %}|{% for x in missing %}{{ x }}{% else %}none{% endfor %}|{{ missing|length }}|{{ missing is iterable }}|{{ 'a' in missing }}|{{ missing|default('d') }}|{{ missing == missing2 }}",
    # tests
    "{{ 'a' is string }}|{{ 1 is string }}|{{ {} is mapping }}|{{ [] is mapping }}|{{ [] is iterable }}|{{ 'a' is iterable }}|{{ {} is iterable }}|{{ 1 is iterable }}|{{ none is iterable }}",
    "{{ [] is sequence }}|{{ 'a' is sequence }}|{{ {} is sequence }}|{{ (1,) is sequence }}|{{ 1 is sequence }}|{{ none is none }}|{{ 1 is none }}|{{ missing is none }}|{{ missing is defined }}|{{ missing is undefined }}",
    "{{ 1 is number }}|{{ true is number }}|{{ 1.5 is number }}|{{ '1' is number }}|{{ 1 is integer }}|{{ true is integer }}|{{ 1.0 is integer }}|{{ 1.0 is float }}|{{ true is boolean }}|{{ 1 is boolean }}|{{ true is true }}|{{ 1 is true }}|{{ 0 is false }}|{{ false is false }}",
    "{{ 3 is odd }}|{{ 3 is even }}|{{ 4 is divisibleby 2 }}|{{ 4 is divisibleby(3) }}|{{ 1 is eq 1 }}|{{ 1 is equalto 2 }}|{{ 1 is ne 2 }}|{{ 2 is gt 1 }}|{{ 2 is lt 1 }}|{{ 1 is in [1] }}|{{ 'a' is in 'abc' }}|{{ 1 is sameas 1 }}|{{ none is sameas none }}",
    "{{ 'ABC' is upper }}|{{ 'abc' is lower }}|{{ 'tojson' is filter }}|{{ 'defined' is test }}|{{ raise_exception is callable }}|{{ 'a' is callable }}|{{ 'a' is not string }}|{{ not 'a' is string }}|{{ messages is not mapping }}",
    "{{ 'a' in 'abc' }}|{{ 'z' not in 'abc' }}|{{ 'role' in messages[0] }}|{{ 'x' in messages[0] }}|{{ 1 in [1, 2] }}|{{ not 1 in [1] }}|{{ messages[0] in messages }}|{{ 'items' in messages[0] }}",
    "{{ strftime_now is defined }}|{{ raise_exception is defined }}|{{ tools is defined }}|{{ tools is none }}|{{ documents is none }}|{{ add_generation_prompt }}|{{ tools }}",
    # special tokens
    "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token }}|{{ pad_token is defined }}|{{ sep_token is defined }}|{{ additional_special_tokens }}|{{ image_token }}|{{ additional_special_tokens[1] }}",
    # filters
    "{{ '  a b '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ '\u00a0\u001ca\u2003'|trim }}|{{ 'abc'|upper }}|{{ 'ABC'|lower }}|{{ 'hello world'|capitalize }}|{{ 'HELLO wOrld-foo'|title }}|{{ 'ß'|upper }}",
    "{{ [1, 2, 3]|join }}|{{ [1, none, true, 'a', 1.0]|join(', ') }}|{{ messages|join('-', attribute='role') }}|{{ messages|map(attribute='role')|join(',') }}|{{ 'abc'|join('.') }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}|{{ messages|selectattr('role', '==', 'user')|map(attribute='content')|list }}|{{ messages|rejectattr('role', 'equalto', 'user')|map(attribute='role')|list }}|{{ messages|selectattr('tool_calls', 'defined')|list|length }}|{{ messages|selectattr('content')|list|length }}|{{ messages|rejectattr('tool_calls')|list|length }}",
    "{{ messages|selectattr('role', 'in', ['user', 'system'])|list|length }}|{{ [1, 2, 3, 4]|select('odd')|list }}|{{ [1, 2, 3]|reject('equalto', 2)|list }}|{{ [0, 1, '', 'a']|select|list }}|{{ ['a', 'B']|map('upper')|list }}|{{ [' a ', 'b ']|map('trim')|join('|') }}",
    "{{ messages|map(attribute='nope', default='-')|join }}|{{ messages|map(attribute='tool_calls.0.function.name', default='?')|list }}",
    "{{ 'a'|default('b') }}|{{ ''|default('b') }}|{{ ''|default('b', true) }}|{{ none|default('b') }}|{{ none|default('b', boolean=true) }}|{{ missing|d('e') }}|{{ messages[0].nope|default([]) }}",
    "{{ 'a-b-a'|replace('a', 'x') }}|{{ 'aaa'|replace('a', 'b', 2) }}|{{ 'abc'|length }}|{{ 'grüße'|count }}|{{ {'a': 1}|length }}|{{ 'abc'|first }}|{{ [1, 2]|last }}|{{ []|first is defined }}|{{ 'abc'|last }}",
    "{{ 'abc'|reverse }}|{{ [1, 2]|reverse|list }}|{{ [3, 1, 2]|sort }}|{{ ['b', 'A', 'c']|sort }}|{{ ['b', 'A']|sort(case_sensitive=true) }}|{{ [1, 2]|sort(reverse=true) }}|{{ messages|sort(attribute='role')|map(attribute='role')|list }}",
    "{{ [1, 2, 3]|sum }}|{{ [1, 2]|max }}|{{ [1, 2]|min }}|{{ [1, 1, 2]|unique|list }}|{{ '42'|int }}|{{ 3.9|int }}|{{ '1.5'|float }}|{{ 2|float }}|{{ -3|abs }}|{{ 2.5|round }}|{{ 3.14159|round(2) }}|{{ 7|round }}",
    "{{ {'b': 1, 'a': 2}|dictsort }}|{{ {'b': 1, 'a': 2}|items|list }}|{{ {'b': 1}|list }}|{{ 'abc'|list }}|{{ 1|string ~ '' }}|{{ none|string }}|{{ [1]|string }}|{{ true|string }}|{{ 1.0|string }}",
    "{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent(2, blank=true) }}|{{ 'a\\nb'|indent(width=1, first=true) }}|{{ 'a\\nb\\n'|indent('>>', true) }}|{{ '{\\n'|indent(4, first=true) }}",
    "{{ '<a href=\"x\">&\\'</a>' }}|{{ '<b>'|escape }}|{{ '<b>'|e }}|{{ '<b>'|safe }}|{{ ('<b>'|safe) ~ '<i>' }}",
    "{{ '%s and %d: %.2f'|format('a', 3, 1.5) }}|{{ '{} {x}'.format('a', x=1) }}|{{ '{:>5}|{:<4}|{:^5}|{:03d}'.format('a', 'b', 'c', 7) }}",
    "{{ [1, 2, 3, 4, 5]|batch(2)|list }}|{{ [1, 2, 3]|slice(2)|list }}|{{ messages|groupby('role')|map('first')|list }}",
    "{{ [[1, 2], [3]]|sum(start=[]) }}|{{ 'a'|pprint }}",
    # methods
    "{{ '  a '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ '\u00a0\u001ca\u2003'.strip() }}|{{ '\\na\\n'.strip('\\n') }}|{{ ' a '.strip(none) }}|",
    "{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a b c'.split(' ', 1) }}|{{ 'a b c'.split(maxsplit=1) }}|{{ 'a,b'.split(sep=',') }}|{{ 'a  b  c'.split(none, 1) }}|{{ ''.split(',') }}|{{ ''.split() }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ 'a b  c'.rsplit(maxsplit=1) }}",
    "{{ 'a\\nb\\r\\nc\\x0bd\\u2028e\\n'.splitlines() }}|{{ 'a\\nb'.splitlines(true) }}|{{ 'a\\r\\nb\\n'.splitlines(keepends=true) }}|{{ ''.splitlines() }}",
    "{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith('c') }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ 'abc'.endswith(('x', 'y')) }}|{{ 'abc'.startswith('b', 1) }}|{{ 'abc'.startswith('') }}|{{ 'abc'.endswith('b', 0, 2) }}",
    "{{ 'a-b'.replace('-', '+') }}|{{ 'aaa'.replace('a', 'b', 1) }}|{{ 'abc'.upper() }}|{{ 'ABC'.lower() }}|{{ 'hELLO wORLD'.capitalize() }}|{{ \"it's a dog\".title() }}|{{ 'aBc'.swapcase() }}|{{ 'abc'.replace('', '-') }}",
    "{{ 'abcb'.find('b') }}|{{ 'abc'.find('z') }}|{{ 'abcb'.rfind('b') }}|{{ 'grüße'.find('e') }}|{{ 'abcb'.find('b', 2) }}|{{ 'abc'.index('c') }}|{{ 'abcb'.rindex('b') }}|{{ 'banana'.count('an') }}|{{ 'aaa'.count('a', 1) }}|{{ 'abc'.count('') }}",
    "{{ ','.join(['a', 'b']) }}|{{ ''.join('abc') }}|{{ 'ab'.zfill(4) }}|{{ '-5'.zfill(4) }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '.') }}|{{ 'a'.center(4, '*') }}|{{ 'a=b=c'.partition('=') }}|{{ 'a=b=c'.rpartition('=') }}|{{ 'abc'.partition('z') }}",
    "{{ 'prefix-a'.removeprefix('prefix-') }}|{{ 'a.txt'.removesuffix('.txt') }}|{{ 'abc'.removeprefix('z') }}",
    "{{ '12'.isdigit() }}|{{ '1a'.isdigit() }}|{{ '²'.isdigit() }}|{{ '½'.isnumeric() }}|{{ 'ab'.isalpha() }}|{{ 'a1'.isalnum() }}|{{ ' '.isspace() }}|{{ ''.isspace() }}|{{ 'AB'.isupper() }}|{{ 'ab1'.islower() }}|{{ 'é'.isascii() }}",
    "{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}={{ v }};{% endfor %}|{{ {'b': 1}.keys()|list }}|{{ {'b': 1}.values()|list }}|{{ {'a': 1}.get('a') }}|{{ {'a': 1}.get('z') }}|{{ {'a': 1}.get('z', 'd') }}|{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{{ [1, 2, 1].count(1) }}|{{ ['a', 'b'].index('b') }}|{{ {'a': 1}.copy() }}|{{ [1, 2].copy() }}|{{ (1, 2).index(2) }}|{{ dict(a=1, b='x') }}|{{ dict({'a': 1}, b=2) }}",
    # keys that are the names of methods
    "{{ data['items'] }}|{{ data.get('items') }}|{% for k, v in data.items() %}{{ k }}={{ v }};{% endfor %}|{{ data.items is string }}|{{ data.items is defined }}|{{ data.items is callable }}|{{ data.keys is iterable }}|{{ data.values()|list }}|{{ data.other }}|{{ data['get'] }}|{{ data.get is string }}",
    # control
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.cycle('x', 'y') }}{{ (loop.previtem or {}).role }}{% if loop.nextitem %}{{ loop.nextitem.role }}{% endif %}{{ loop.previtem is defined }}{{ loop.changed(m.role) }}{{ loop.depth }};{% endfor %}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ loop.last }}{{ m.content|trim }};{% else %}none{% endfor %}|{% for i in range(3) %}{{ i }}{% endfor %}|{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}|{{ range(3)|list }}|{% for x in [] %}a{% else %}b{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}|{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }}{% endfor %}{{ loop.last }}{% endfor %}",
    "{% set ns = namespace(a=1, found=false) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% set ns.found = true %}{% set x = i %}{% endfor %}{{ ns.a }}{{ ns.found }}{{ x is defined }}|{% set ns2 = namespace({'k': 2}) %}{{ ns2.k }}|{% set ns3 = namespace() %}{% set ns3.n = [] %}{% set ns3.n = ns3.n + [1] %}{{ ns3.n }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}|{% for i in [1] %}{% set x = 3 %}{{ x }}{% endfor %}{{ x }}|{% set a, b = 1, 2 %}{{ a }}{{ b }}|{% set c %}block {{ x }}{% endset %}{{ c }}|{% set d | upper %}up{% endset %}{{ d }}|{% with y = 5 %}{{ y }}{% endwith %}{{ y is defined }}",
    "{% macro m(a, b='d', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2, c=3) }}{{ m() }}",
    "{% macro m(a) %}[{{ a }}{{ caller() }}]{% endmacro %}{% call m(1) %}body{% endcall %}|{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}|{{ r(2)|length }}|{{ r.name }}",
    "{% macro render(x) -%} {{ x }} {%- endmacro %}{% set t = render('a') %}{{ t == 'a' }}|{{ t is string }}|{{ t + 'b' }}|{{ t.strip() }}",
    "{% filter upper %}abc {{ 1 }}{% endfilter %}|{% raw %}{{ x }}{% generation %}{% endraw %}|{# comment {% generation %} #}|{{ '{% generation %}' }}",
    "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}|{% for item in {'a': {'b': [1, {'c': 2}]}}.a.b recursive %}{{ item }}{% endfor %}|{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
    "{% for _ in [1] %}{{ loop.index0 + 1 }}{% if not loop.first %}x{% endif %}{% endfor %}|{% if 1 == 1 and not false or missing %}y{% endif %}|{% if messages[0]['role'] == 'system' and messages[0].content %}z{% elif true %}e{% else %}f{% endif %}",
    "{% for x in 'grü' %}[{{ x }}]{% endfor %}|{% for x in {'b': 1, 'a': 2} %}{{ x }}{% endfor %}|{% for k in {'b': 1, 'a': 2}|sort %}{{ k }}{% endfor %}|{% for k, v in {'b': 1, 'a': 2}|dictsort(by='value') %}{{ k }}{% endfor %}",
    "{% block b %}x{{ bos_token }}{% endblock %}|{{ self.b() }}",
    "{% autoescape true %}{{ '<b>' }}{% endautoescape %}",
    "{% for i in [3, 1, 2] %}{% set outer = loop %}{% for j in [1] %}{{ outer.index }}{% endfor %}{% endfor %}",
    # whitespace
    "  {% if true %}  \n  a\n  {% endif %}  \nb\n",
    "a  {%- if true -%}  b  {%- endif -%}  c\n\n",
    "x\n   {%+ if true %} y {% endif +%}\n z",
    "{% if true %}\n\n  a{% endif %}\n\n{# c #}\n  {# d #}  e\n{#- f -#}\n g",
    "{{ 'a' }}\n{{- 'b' -}}\n {{ 'c' }}  \n\t{% set x = 1 %}\n\t{{ x }}\r\n{% set y = 2 %}\r\nend",
    "a\n{%- set x = 1 %}\nb {{- x }}  {%- set z = 2 -%}  \n c",
    # generation
    "a{% generation %}b{% endgeneration %}c|{%- generation -%}  d  {%- endgeneration -%}  e|{%generation%}f{%endgeneration%}",
    "{% for m in messages %}\n  {% generation %}\n  {{ m.role }}\n  {% endgeneration %}\n{% endfor %}",
    "{% set generation = 'v' %}{{ generation }}|{% if generation == 'v' %}w{% endif %}|{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "{% if '%}{% generation %}' %}s{% endif %}{% generation %}{% for i in [1, 2] %}{{ i }}{% endfor %}{% endgeneration %}",
    # errors
    "{{ raise_exception('Stop: ' ~ messages|length) }}",
    "{% if true %}{{ 1 }}{{ raise_exception(\"It's <over>\") }}{% endif %}",
    "{{ missing.foo }}", "{{ missing.foo.bar }}", "{{ missing() }}", "{{ missing + 'a' }}", "{{ 'a' + 1 }}", "{{ 'a' + none }}",
    "{{ messages[0].foo.bar }}", "{{ 1 / 0 }}", "{{ 'a'|nope }}", "{{ 'a' is nope }}", "{% if %}", "{{ 'a' ", "{% for %}", "{% endif %}",
    "{{ [1, 2].append(3) }}", "{% nope %}", "{% generation %}x", "x{% endgeneration %}", "{{ missing|tojson }}", "{{ {'a': 1}.nope() }}",
    "{% for x in 5 %}{% endfor %}", "{% include 'x' %}", "{{ {1: missing}|tojson }}", "{{ 'abc'.index('z') }}", "{% do 1 %}", "{{ none + 1 }}",
    "{{ none.foo.bar }}", "{% set messages.x = 1 %}", "a\nb\n{{ raise_exception('third line') }}",
]
TOJSON = [
    "{{ data|tojson }}", "{{ data|tojson(indent=2) }}", "{{ data|tojson(indent=4, ensure_ascii=true) }}", "{{ data|tojson(true) }}",
    "{{ data|tojson(separators=(',', ':')) }}", "{{ data|tojson(sort_keys=true) }}", "{{ data|tojson(indent='\\t', sort_keys=true) }}",
    "{{ data|tojson(indent=0) }}", "{{ data|tojson(false, 2) }}", "{{ data|tojson(indent=none) }}", "{{ data.nested|tojson|length }}",
    "{{ data|tojson(indent=2, separators=[', ', '=']) }}",
    "{{ '<a href=\"x\">&\\'</a>'|tojson }}|{{ none|tojson }}|{{ true|tojson }}|{{ 1|tojson }}|{{ 1.0|tojson }}|{{ 0.1|tojson }}|{{ 'é😀'|tojson(ensure_ascii=true) }}|{{ [1, [2, (3,)]]|tojson }}|{{ {1: 'a', none: 2, true: 3, 1.5: 4}|tojson }}|{{ []|tojson(indent=2) }}|{{ {}|tojson(indent=2) }}|{{ '\\x7f\\x00\\b\\f'|tojson }}",
    "{{ messages|tojson }}", "{{ messages[2].tool_calls[0].function.arguments|tojson }}", "{{ messages|map(attribute='role')|list|tojson }}", "{{ 1e16|tojson }}|{{ 1e22|tojson }}|{{ 1e-5|tojson }}|{{ 123456789.123|tojson }}",
    "{{ data }}", "{{ data|string }}", "{{ data.float }}|{{ data.small }}|{{ data.big }}|{{ data.big + 1 }}|{{ data.alpha|join(' ') }}",
    "{% for k, v in data|items %}{{ k }}:{{ v is string }};{% endfor %}", "{% for k in data|dictsort %}{{ k[0] }};{% endfor %}",
]

SNIPPETS: list[tuple[str, dict[str, Any]]] = [(template, {}) for template in PLAIN if "data." not in template]
SNIPPETS += [(template, {"data": {"items": "I", "other": 1, "get": "G"}}) for template in PLAIN if "data." in template]
SNIPPETS += [(template, DATA) for template in TOJSON]
SNIPPETS += [(f"{{{{ strftime_now('%{letter}') }}}}", {}) for letter in FORMATS]
SNIPPETS += [
    (f"{{{{ strftime_now('{text}') }}}}", {})
    for text in [
        "%d %b %Y", "%B %d, %Y", "%A, %-d %B %Y %-I:%M %p", "%Y-%m-%dT%H:%M:%S.%f", "day %j (%U/%W) of %Y", "100%%", "", "Größe %d é", "%_d|%^a|%05d|%e",
    ]
]
SNIPPETS += [
    ("{{ enable_thinking }}|{{ depth }}|{{ tags }}|{{ bos_token }}", {"enable_thinking": False, "depth": 3, "tags": ["a", 1.5], "bos_token": "<own>"}),
    ("{{ tools|length }}|{{ tools[0].function.name }}|{{ documents[0].title }}", {"tools": [{"function": {"name": "f"}}], "documents": [{"title": "t"}]}),
    ("{{ add_generation_prompt }}", {"add_generation_prompt": True}),
    ("{{ messages[3].content }}", {"continue_final_message": True}),
    ("{{ messages[2].content }}", {"continue_final_message": True}),
]
