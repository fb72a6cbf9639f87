"""The rules as a whole: said once, said completely, and not changed without a new version."""

import hashlib
import json
from pathlib import Path

import pytest

from allmende.scan import HINTS, READERS, RULE_SET, RULES, Rule, catalogue_page, name_hint
from allmende.scan.graphs import keras_config
from allmende.scan.pickles import allow_list
from allmende.scan.rule_set import _ROOMS

ROOT = Path(__file__).resolve().parents[3]
LISTS = (
    Path(allow_list.__file__).with_name("allow_list.json"),
    Path(keras_config.__file__).with_name("keras_names.json"),
)
KNOWN = {
    "1": "ce8e47feb5df0268", "2": "e7e544d48ea43253", "3": "e41c9d6b272633c0", "4": "398439e99f6709b0",
    "5": "398439e99f6709b0",
}  # fmt: skip
"""The digest of rules and lists for each version: whoever changes them raises `RULE_SET` and adds a line."""


def digest() -> str:
    told = [(rule.id, rule.severity.word) for rule in sorted(RULES.values(), key=lambda rule: rule.id)]
    lists = [json.loads(path.read_text("utf-8")) for path in LISTS]
    return hashlib.sha256(json.dumps([told, lists], sort_keys=True).encode()).hexdigest()[:16]


def test_a_change_of_the_rules_has_a_version_of_its_own() -> None:
    assert KNOWN.get(RULE_SET) == digest()


def test_the_page_of_rules_says_what_the_code_says() -> None:
    assert (ROOT / "docs" / "scan-rules.md").read_text("utf-8") == catalogue_page(RULES.values(), RULE_SET)


def test_no_rule_is_there_twice() -> None:
    listed = [rule.id for room in _ROOMS for rule in room.RULES]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) <= set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_said_completely(rule: Rule) -> None:
    assert rule.id == rule.id.lower().replace("_", "-").replace(" ", "-")
    assert rule.title
    assert (
        rule.title[0] == rule.title[0].lower()
        or rule.title.split()[0].isupper()
        or rule.title.startswith("Python")
    )
    for sentence in (rule.explanation, rule.remedy, rule.reference):
        assert sentence.endswith((".", ")", "'")), sentence


def test_readers_have_names_of_their_own() -> None:
    names = [reader.name for reader in READERS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("a/pytorch_model.bin", "torch"),
        ("pytorch_model-00001-of-00002.bin", "torch"),
        ("weights.bin", "data"),
        ("model.SafeTensors", "safetensors"),
        ("x.pkl/y", ""),
        ("README", "text"),
        ("MLmodel", "yaml"),
        (".Rprofile", "launcher"),
        ("tool", ""),
        ("C:\\x\\model.gguf", "gguf"),
        (".bashrc", "shell"),
        (".unheard", ""),
        ("requirements-dev.txt", "requirements"),
        ("a/__0_0.distcp", "torch-parts"),
        ("Dockerfile.gpu", "shell"),
        ("sitecustomize.py", "startup"),
    ],
)
def test_names_are_reduced_to_hints(path: str, hint: str) -> None:
    assert name_hint(path) == hint
    assert hint in HINTS


DOCUMENT = json.loads(LISTS[0].read_text("utf-8"))
PAIRS = [
    (module, name)
    for kind in ("values", "classes", "calls", "functions", "enums")
    for module, names in DOCUMENT[kind].items()
    for name in names
]


class TestAllowList:
    def test_a_pair_has_one_meaning(self) -> None:
        assert len(PAIRS) == len(set(PAIRS))

    def test_nothing_that_runs_fetches_or_opens_is_on_it(self) -> None:
        forbidden_modules = {
            "os",
            "posix",
            "subprocess",
            "sys",
            "importlib",
            "runpy",
            "shutil",
            "socket",
            "pickle",
            "ctypes",
            "io",
        }
        forbidden_names = {
            "eval",
            "exec",
            "compile",
            "open",
            "__import__",
            "load",
            "loads",
            "system",
            "Popen",
            "run",
        }
        assert not {module.partition(".")[0] for module, _ in PAIRS} & forbidden_modules
        assert not {name for _, name in PAIRS} & forbidden_names

    def test_no_name_has_a_dot_or_is_private_but_the_known_ones(self) -> None:
        dotted = {(module, name) for module, name in PAIRS if "." in name}
        methods = {pair for pair in dotted if pair[1].startswith(("interp1d._call_", "CyclicLR._"))}
        assert dotted - methods == {("zoneinfo", "ZoneInfo._unpickle")}
        dunder = {
            name for _, name in PAIRS if name.startswith("__") and not name.startswith("__pyx_unpickle_")
        }
        assert dunder <= {
            "__newobj__",
            "__randomstate_ctor",
            "__generator_ctor",
            "__bit_generator_ctor",
            "__RandomState_ctor",
        }

    def test_builtins_that_are_called_are_few(self) -> None:
        called = set(DOCUMENT["calls"]["builtins"])
        errors = {
            name for name in called if name.endswith(("Error", "Exception", "Warning", "StopIteration"))
        }
        assert called - errors == {
            "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list",
            "object", "range", "set", "slice", "str", "tuple", "type",
        }  # fmt: skip
        assert set(DOCUMENT["functions"]["builtins"]) == {"getattr", "iter", "reversed"}

    def test_what_is_taken_by_getattr_belongs_to_a_class_on_it(self) -> None:
        assert set(DOCUMENT["attributes"]) <= {f"{module}.{name}" for module, name in PAIRS}
        taken = {name for names in DOCUMENT["attributes"].values() for name in names}
        assert not {name for name in taken if name.startswith("__")}
