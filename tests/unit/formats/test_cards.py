"""Cards: fences as the stock client sees them, harmless YAML, the Hub's words for what is wrong."""

import json

import pytest
import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import (
    LICENSES,
    Card,
    MalformedCard,
    arxiv_ids,
    card_yaml,
    library_of,
    parse_card,
    pipeline_tag_of,
    tags_of,
    validate,
)
from allmende.formats.card_yaml import read_yaml
from tests.patience import soon


def _card(front: str, body: str = "# Title\n") -> str:
    return f"---\n{front}\n---\n{body}"


def test_front_matter_and_body_are_split() -> None:
    card = parse_card(_card("license: mit\ntags:\n- a\n- b"))
    assert card == Card({"license": "mit", "tags": ["a", "b"]}, "# Title\n", True)


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n",
        "",
        "---\n---\nbody",
        "--- \nlicense: mit\n---\n",
        "x\n---\nlicense: mit\n---\n",
        "---\nlicense: mit\n",
    ],
)
def test_without_front_matter_all_is_body(text: str) -> None:
    assert parse_card(text) == Card({}, text, False)


def test_empty_front_matter_has_no_data() -> None:
    assert parse_card("---\n\n---\nbody") == Card({}, "body", True)
    assert parse_card("\ufeff---\r\nlicense: mit\r\n---\r\nbody").data == {"license": "mit"}


@given(
    st.lists(st.sampled_from(["---", "\n", "\r\n", "\r", " ", "a: b", "--- ", "-", "x"]), max_size=14).map(
        "".join
    )
)
def test_the_fences_are_those_of_the_stock_client(text: str) -> None:
    match = REGEX_YAML_BLOCK.search(text)
    try:
        card = parse_card(text)
    except MalformedCard:
        assert match is not None
        return
    assert card.has_front_matter == (match is not None)
    assert card.body == (text[match.end() :] if match else text)


@pytest.mark.parametrize("loader", ["C", "pure"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("[yes, on, off, y, n]", ["yes", "on", "off", "y", "n"]),
        ("[true, False, TRUE]", [True, False, True]),
        ("[null, ~, NULL, '']", [None, None, None, ""]),
        ("[1, -2, +3, 0x1F, 0o17, 1_000, 12:30:45]", [1, -2, 3, 31, 15, "1_000", "12:30:45"]),
        ("[1.5, 1e3, .5, -2., 1e999, .inf, .nan]", [1.5, 1000.0, 0.5, -2.0, "1e999", ".inf", ".nan"]),
        ("[2024-01-02, 2001-12-14T21:59:43Z]", ["2024-01-02", "2001-12-14T21:59:43Z"]),
        ("99999999999999999999", "99999999999999999999"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("!!int 7", 7),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("", None),
        ("# only a remark", None),
    ],
)
def test_yaml_is_read_by_the_core_schema(
    text: str, value: object, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loader == "pure":
        monkeypatch.setattr(card_yaml, "_Loader", yaml.SafeLoader)
    assert read_yaml(text) == value


_BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: 1\na: 2", "'a' is there twice at line 2"),
        ("a: {b: 1, 'b': 2}", "'b' is there twice"),
        ("a: *nowhere", "nowhere stands before its anchor"),
        ("a: &x [*x]", "x stands before its anchor"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "merges mappings"),
        ("? [1, 2]\n: x", "not a plain text"),
        ("!!python/object/apply:os.system ['true']", "tag .* is not read"),
        ("a: !!python/name:os.system ''", "tag .* is not read"),
        ("a: !local x", "tag '!local' is not read"),
        ("a: !!int x", "is not read"),
        ("a: !!binary aGk=", "is not read"),
        ("a: b: c", "not sound at line 1"),
        ("a: [1, 2", "not sound"),
        ("a: \x00", "does not allow|not sound"),
        ("a: \ud800", "surrogate|does not allow"),
        ("a: 1\n--- \nb: 2\n", "more than one document|not sound"),
        ("[" * 100_000, "nested deeper than 32"),
        ("- " * 100_000, "nested deeper than 32|not sound"),
        ("{a: " * 100_000, "nested deeper than 32"),
        (_BOMB, "too large once its aliases"),
        ("a: &a " + "x" * 200_000 + "\nb: [" + "*a, " * 50 + "]", "too large once its aliases"),
    ],
)
def test_harmful_yaml_is_refused_in_time(text: str, part: str) -> None:
    with soon(5.0), pytest.raises(MalformedCard, match=part):
        read_yaml(text)


@given(st.text("ab:-[]{}&*!'\"\n #?|>,1.%@`", max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    try:
        value = read_yaml(text)
    except MalformedCard:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_the_size_of_front_matter_is_bounded() -> None:
    with pytest.raises(MalformedCard) as caught:
        parse_card(_card("a: " + "ä" * 140_000))
    assert caught.value.code == "card_beyond_limits"
    assert len(parse_card(_card("a: b", "x" * 1_000_000)).body) == 1_000_000


def test_front_matter_must_be_a_mapping() -> None:
    with pytest.raises(MalformedCard, match="not a mapping"):
        parse_card(_card("- a"))


# --- validate ------------------------------------------------------------------------------------------


def test_a_card_without_front_matter_gives_the_hubs_warning() -> None:
    report = validate("# Title", "model")
    assert (report.errors, report.warnings) == ([], ["empty or missing yaml metadata in repo card"])


def test_an_unknown_licence_gives_the_hubs_error() -> None:
    report = validate(_card("license: invalid-license"), "model")
    assert len(report.errors) == 1
    assert report.errors[0].startswith('"license" must be one of [apache-2.0, mit, ')
    assert report.errors[0].endswith("other]")


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
@pytest.mark.parametrize("license_id", LICENSES)
def test_every_licence_of_the_hub_is_known(license_id: str, repo_type) -> None:
    report = validate(_card(f"license: {license_id}\nlicense_name: x"), repo_type)
    assert (report.errors, report.warnings) == ([], [])


@pytest.mark.parametrize(
    ("front", "repo_type", "error"),
    [
        ("license: [mit, nope]", "model", '"license" must be one of'),
        ("license: 3", "model", '"license" must be one of'),
        ("license: []", "model", '"license" must be one of'),
        ("license: MIT", "model", '"license" must be one of'),
        ("tags: a", "model", '"tags" must be an array'),
        ("tags: [a, 1]", "dataset", '"tags[1]" must be a string'),
        ("library_name: [a]", "model", '"library_name" must be a string'),
        ("pipeline_tag: 1", "model", '"pipeline_tag" must be a string'),
        ("datasets: {a: b}", "model", '"datasets" must be a string or an array of strings'),
        ("base_model: [1]", "model", '"base_model" must be a string or an array of strings'),
        ("base_model_relation: cousin", "model", '"base_model_relation" must be one of'),
        ("model-index: x", "model", '"model-index" must be an array'),
        ("model-index: [x]", "model", '"model-index[0]" must be an object'),
        ("model-index: [{results: []}]", "model", '"model-index[0].name" is required'),
        ("task_categories: {a: 1}", "dataset", '"task_categories" must be a string or an array of strings'),
        ("sdk: rails", "space", '"sdk" must be one of [gradio, docker, static, streamlit]'),
        ("colorFrom: beige", "space", '"colorFrom" must be one of'),
        ("sdk: [gradio]", "space", '"sdk" must be one of'),
        ("a: 1\na: 2", "model", "The key 'a' is there twice"),
    ],
)
def test_errors_name_the_key(front: str, repo_type, error: str) -> None:
    errors = validate(_card(front), repo_type).errors
    assert len(errors) == 1
    assert errors[0].startswith(error)


@pytest.mark.parametrize(
    ("front", "warning"),
    [
        ("license: other", '"license_name" is missing'),
        ("language: English", '"language" with value "English"'),
        ("base_model: /home/me/model", '"base_model" with value "/home/me/model"'),
        ("pipeline_tag: mind-reading", '"pipeline_tag" with value "mind-reading"'),
    ],
)
def test_lesser_faults_are_warnings(front: str, warning: str) -> None:
    report = validate(_card(front), "model")
    assert report.errors == []
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith(warning)


def test_a_full_card_is_sound() -> None:
    front = """
license: [apache-2.0, cc-by-4.0]
language: [en, no, zh-Hant, code]
tags: [a]
datasets: squad
base_model: org/base
base_model_relation: finetune
pipeline_tag: fill-mask
library_name: transformers
model-index:
- name: x
  results: []
"""
    report = validate(_card(front), "model")
    assert (report.errors, report.warnings) == ([], [])


def test_findings_are_bounded() -> None:
    report = validate(_card("tags: [" + "1," * 5000 + "]\nlanguage: [" + "Xx," * 5000 + "]"), "model")
    assert len(report.errors) == len(report.warnings) == 50


# --- tags ----------------------------------------------------------------------------------------------


def test_the_tags_of_a_model() -> None:
    card = parse_card(
        _card(
            "license: mit\ntags: [bert, ' x ', bert, 3]\nlanguage: [en, no]\ndatasets: [squad, org/d]\n"
            "base_model: org/base\nbase_model_relation: quantized\n"
            "library_name: transformers\npipeline_tag: fill-mask",
            "See https://arxiv.org/abs/1810.04805v2, arXiv:1706.03762 and arxiv.org/pdf/1810.04805.",
        )
    )
    assert tags_of(card.data, "model", card.body) == [
        "transformers", "bert", "x", "fill-mask", "en", "no", "dataset:squad", "dataset:org/d",
        "arxiv:1810.04805", "arxiv:1706.03762", "base_model:org/base", "base_model:quantized:org/base",
        "license:mit",
    ]  # fmt: skip
    assert (library_of(card.data), pipeline_tag_of(card.data)) == ("transformers", "fill-mask")


def test_the_tags_of_a_dataset_and_a_space() -> None:
    data = parse_card(
        _card(
            "license: mit\nlanguage: en\ntask_categories: [question-answering]\n"
            "size_categories: 1K<n<10K\ntags: [x]"
        )
    ).data
    assert tags_of(data, "dataset") == [
        "task_categories:question-answering", "language:en", "license:mit", "size_categories:1K<n<10K", "x",
    ]  # fmt: skip
    assert tags_of(parse_card(_card("sdk: gradio\nlicense: mit")).data, "space") == ["gradio", "license:mit"]


def test_tags_that_are_no_words_are_left_out() -> None:
    assert tags_of({"tags": ["", "x" * 300, "a\nb", "a\x00", None, {"a": "b"}, "ok"]}, "model") == ["ok"]
    assert len(tags_of({"tags": [f"t{i}" for i in range(10_000)]}, "model")) == 512
    assert library_of({"library_name": ["a"]}) is None
    assert pipeline_tag_of({"pipeline_tag": "a\nb"}) is None


def test_arxiv_ids_are_bounded() -> None:
    assert len(arxiv_ids("".join(f"arxiv:2001.{i:05} " for i in range(1000)))) == 100
    with soon(5.0):
        assert arxiv_ids("arxiv:" * 2_000_000) == []
    assert arxiv_ids("arXiv: 2001.123456") == []
