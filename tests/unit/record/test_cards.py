"""What cards and configurations declare: sections by their headings, licences, measures, and hostile ones."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from allmende.formats import LICENSES
from allmende.record import card_facts, hyperparameters, spdx_expression, spdx_id
from allmende.record.card_sections import card_description, card_sections

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_sections_are_told_by_their_headings() -> None:
    found = card_sections(
        "# It\nWords.\n## Uses\nFor this.\n### Out-of-Scope Use\nNot that.\n"
        "## Bias, Risks, and Limitations\nWrong at times.\n"
        "## Training Data\nText.\n## Training procedure\nOnce.\n"
    )
    assert {name: one["text"] for name, one in found.items()} == {
        "intended_use": "For this.",
        "out_of_scope": "Not that.",
        "limitations": "Wrong at times.",
        "training_data": "Text.",
        "training": "Once.",
    }


@pytest.mark.parametrize(
    "body",
    [
        "## Limitations\n[More Information Needed]\n",
        "## Limitations\n\n<!-- say what it cannot do -->\n",
        "## Limitations\n- \n- \n",
        "```\n## Limitations\ncode\n```\n",
        "no heading at all",
    ],
)
def test_what_a_template_left_open_says_nothing(body: str) -> None:
    assert "limitations" not in card_sections(body)


def test_the_description_is_the_first_prose() -> None:
    body = "[![badge](x)](y)\n\n| a | b |\n\n- item\n\nIt says\nthings.\n\nMore."
    assert card_description(f"# Title\n{body}") == "It says things."
    assert card_description("# Title\n") is None


@pytest.mark.parametrize(
    "body",
    [
        "<!--" * 100_000,
        "#" * 500_000,
        "# \n" * 100_000,
        "```\n" * 100_000,
        "[more information needed]" * 20_000,
    ],
)
def test_hostile_cards_take_no_time(body: str) -> None:
    begun = time.process_time()
    card_sections(body)
    card_description(body)
    assert time.process_time() - begun < 3


def test_every_spdx_id_is_one_of_the_hubs_words() -> None:
    known = {word: found for word in LICENSES if (found := spdx_id(word))}
    assert len(known) >= 50
    assert known["apache-2.0"] == "Apache-2.0"
    assert known["gpl-3.0"] == "GPL-3.0-only"
    assert not {"llama3", "other", "unknown", "gpl", "cc", "openrail"} & known.keys()
    assert spdx_expression(["mit", "apache-2.0"]) == "MIT AND Apache-2.0"
    assert spdx_expression(["mit", "gemma"]) is None
    assert spdx_expression([]) is None


def test_measures_come_from_configurations_and_headers() -> None:
    config: Any = {"text_config": {"hidden_size": 8, "num_attention_heads": 2}, "rope_theta": 1e4}
    gguf: Any = {
        "metadata": {"general.architecture": "llama", "llama.block_count": 3, "llama.embedding_length": 9}
    }
    fact = hyperparameters(config, {"r": 4, "target_modules": ["q"]}, gguf, {"tokenizer_class": "T"}, NOW)
    assert fact["value"] == {
        "hidden_size": 8,
        "attention_heads": 2,
        "rope_dimensions": 4,
        "layers": 3,
        "adapter": {"r": 4},
        "tokenizer": "T",
    }
    assert fact["source"] == "declared"


def test_emissions_are_numbers_that_can_be() -> None:
    def emissions(value: object) -> object:
        facts = card_facts("model", {"co2_eq_emissions": value}, "", NOW, {})  # type: ignore[dict-item]
        return facts["emissions"].get("value")

    assert emissions(12) == {"co2e_g": 12}
    assert emissions({"emissions": 1.5, "training_type": "fine-tuning"}) == {
        "co2e_g": 1.5,
        "training_type": "fine-tuning",
    }
    for nonsense in (-1, True, "12", None, {"emissions": [1]}, 1e20):
        assert emissions(nonsense) is None
