import dataclasses

import numpy as np
import pytest

from allmende.weights import Lineage, Model, trace
from tests.unit.weights.made_families import (
    HIDDEN,
    Arrays,
    adapted,
    base,
    mixed,
    named,
    rounded,
    trained,
)

BASE = base()
TUNED = trained(BASE, 1)
OTHER = trained(BASE, 2, far=0.1)
FAMILY = {"base": BASE, "tuned": TUNED, "other": OTHER}


def asked(query: Arrays, among: dict[str, Arrays] | None = None, **more) -> Lineage:
    models = [named(name, arrays) for name, arrays in (FAMILY if among is None else among).items()]
    return trace(named("query", query), models, **more)


def parents(found: Lineage) -> dict[str, float | None]:
    return {parent.path: parent.weight for parent in found.edges[0].parents}


class TestForms:
    def test_a_copy(self) -> None:
        found = asked(BASE)
        assert found.edges[0].chain == ("identical",)
        assert found.edges[0].grade == "proven"
        assert parents(found) == {"base": None}

    @pytest.mark.parametrize("dtype", ["BF16", "F16", "F8_E4M3"])
    def test_a_cast_and_back(self, dtype: str) -> None:
        found = asked(rounded(TUNED, dtype))
        assert found.edges[0].chain == ("cast",)
        assert (found.edges[0].grade, found.edges[0].direction) == ("proven", "irreversible")
        assert parents(found) == {"tuned": None}

    def test_the_wider_original_is_no_child_of_its_cast(self) -> None:
        found = asked(BASE, {"half": rounded(BASE, "F16")})
        assert found.edges[0].relation == "unrelated"
        assert found.descendants == ("half",)

    def test_pruned(self) -> None:
        cut = {
            name: np.where(np.abs(values) < np.quantile(np.abs(values), 0.4), np.float32(0), values)
            if values.ndim == 2
            else values
            for name, values in TUNED.items()
        }
        found = asked(cut)
        assert found.edges[0].chain == ("pruned",)
        assert parents(found) == {"tuned": None}

    def test_renamed_at_will(self) -> None:
        found = asked({f"tensor_{place}": values for place, values in enumerate(TUNED.values())})
        assert found.edges[0].chain == ("renamed",)
        assert parents(found) == {"tuned": None}

    def test_rows_added_to_the_vocabulary(self) -> None:
        grown = TUNED | {
            name: np.concatenate([TUNED[name], np.random.default_rng(3).normal(0, 0.02, (16, 64))]).astype(
                np.float32
            )
            for name in ("embed_tokens.weight", "lm_head.weight")
        }
        assert asked(grown).edges[0].chain == ("vocab_extended",)
        assert asked(trained(grown, 9, far=0.02)).edges[0].chain == ("vocab_extended", "finetune")

    def test_rows_chosen_from_the_vocabulary(self) -> None:
        rows = np.sort(np.random.default_rng(4).permutation(256)[:180])
        cut = TUNED | {name: TUNED[name][rows] for name in ("embed_tokens.weight", "lm_head.weight")}
        found = asked(cut)
        assert found.edges[0].relation == "vocab_cut"
        assert parents(found) == {"tuned": None}

    def test_a_layer_left_out_and_one_repeated(self) -> None:
        short = {
            name.replace("layers.2.", "layers.1."): values
            for name, values in TUNED.items()
            if "layers.1." not in name
        }
        assert asked(short).edges[0].chain == ("layers_dropped",)
        long = TUNED | {
            name.replace("layers.2.", "layers.3."): values
            for name, values in TUNED.items()
            if "layers.2." in name
        }
        assert asked(long).edges[0].chain == ("layers_duplicated",)

    def test_neurons_in_another_order(self) -> None:
        order = np.random.default_rng(5).permutation(HIDDEN)
        moved = dict(TUNED)
        for layer in range(3):
            up, down = f"layers.{layer}.mlp.up_proj.weight", f"layers.{layer}.mlp.down_proj.weight"
            moved |= {up: TUNED[up][order], down: TUNED[down][:, order]}
        found = asked(moved)
        assert found.edges[0].chain == ("permuted",)
        assert parents(found) == {"tuned": None}


class TestTraining:
    def test_all_of_it(self) -> None:
        found = asked(trained(TUNED, 3, far=0.03))
        assert found.edges[0].chain == ("finetune",)
        assert found.edges[0].grade == "likely"
        assert parents(found) == {"tuned": None}

    def test_a_part(self) -> None:
        found = asked(trained(BASE, 4, only=lambda name: "layers.2" in name or "norm" in name))
        assert found.edges[0].chain == ("partly_frozen",)
        assert parents(found) == {"base": None}

    def test_a_head(self) -> None:
        found = asked(trained(BASE, 5, only=lambda name: "lm_head" in name))
        assert found.edges[0].chain == ("head_only",)
        new = BASE | {"score.weight": np.random.default_rng(6).normal(0, 0.02, (8, 64)).astype(np.float32)}
        assert asked(new).edges[0].chain == ("head_only",)

    @pytest.mark.parametrize("rank", [1, 4, 16])
    def test_an_adapter_merged(self, rank: int) -> None:
        found = asked(adapted(BASE, rank, rank))
        assert found.edges[0].chain == ("lora_merged",)
        assert found.edges[0].rank == rank
        assert parents(found) == {"base": None}

    def test_an_adapter_merged_into_a_tuned_model_and_cast(self) -> None:
        found = asked(rounded(adapted(TUNED, 7, 8, ("q_proj", "v_proj", "up_proj")), "BF16"))
        assert found.edges[0].chain == ("cast", "lora_merged")
        assert parents(found) == {"tuned": None}
        assert abs((found.edges[0].rank or 0) - 8) <= 1

    def test_a_model_trained_for_a_moment_is_not_taken_for_the_parent(self) -> None:
        step = {name: values * 1e-4 for name, values in trained(BASE, 8).items()}
        moment = mixed([(0.9999, BASE), (1.0, step)])
        query = mixed([(0.5, trained(BASE, 8, far=0.2)), (0.5, trained(BASE, 9, far=0.2))])
        found = asked(query, {"base": BASE, "moment": moment})
        assert parents(found) == {"base": None}


class TestMixtures:
    def test_linear(self) -> None:
        found = asked(mixed([(0.3, TUNED), (0.7, OTHER)]))
        assert found.edges[0].chain == ("merge",)
        assert parents(found) == {
            "tuned": pytest.approx(0.3, abs=0.01),
            "other": pytest.approx(0.7, abs=0.01),
        }

    def test_linear_of_three_in_half_precision(self) -> None:
        third = trained(BASE, 10, far=0.08)
        found = asked(
            rounded(mixed([(0.5, TUNED), (0.25, OTHER), (0.25, third)]), "F16"), FAMILY | {"third": third}
        )
        assert found.edges[0].chain == ("cast", "merge")
        assert parents(found) == {
            "tuned": pytest.approx(0.5, abs=0.02),
            "other": pytest.approx(0.25, abs=0.02),
            "third": pytest.approx(0.25, abs=0.02),
        }

    def test_task_arithmetic(self) -> None:
        found = asked(mixed([(1.0, TUNED), (0.8, OTHER), (-0.8, BASE)]))
        assert found.edges[0].chain == ("merge",)
        assert parents(found)["base"] == pytest.approx(-0.8, abs=0.02)

    def test_a_parent_is_no_child_of_its_merge(self) -> None:
        merge = mixed([(0.5, TUNED), (0.5, OTHER)])
        found = asked(TUNED, {"base": BASE, "other": OTHER, "merge": merge})
        assert found.edges[0].relation != "merge"
        assert parents(found) == {"base": None}

    def test_dropped_and_rescaled_entries(self) -> None:
        random = np.random.default_rng(11)
        made = {
            name: values
            + np.float32(0.5)
            * sum(
                np.where(
                    random.random(values.shape) < 0.5, np.float32(2) * (one[name] - values), np.float32(0)
                )
                for one in (TUNED, OTHER)
            )
            for name, values in BASE.items()
        }
        found = asked({name: values.astype(np.float32) for name, values in made.items()})
        assert found.edges[0].chain == ("merge",)
        assert found.edges[0].evidence["method"] == "dare"
        assert set(parents(found)) == {"base", "tuned", "other"}

    def test_layers_from_two(self) -> None:
        spliced = {name: (OTHER if "layers.1" in name else TUNED)[name] for name in TUNED}
        found = asked(spliced)
        assert found.edges[0].chain == ("merge",)
        assert found.edges[0].evidence["method"] == "splice"
        assert set(parents(found)) == {"tuned", "other"}


class TestDirection:
    def test_siblings_without_their_parent(self) -> None:
        among = {
            name: trained(BASE, seed, far=0.1) for name, seed in (("one", 21), ("two", 22), ("three", 23))
        }
        found = asked(trained(BASE, 24, far=0.1), among)
        assert found.edges[0].chain == ("sibling",)
        assert found.edges[0].parents == ()

    def test_the_root_of_many_has_no_parent(self) -> None:
        found = asked(BASE, {f"child{seed}": trained(BASE, seed, far=0.1) for seed in range(31, 37)})
        assert found.edges[0].relation == "unrelated"
        assert len(found.descendants) == 6

    def test_who_was_seen_later_is_no_parent(self) -> None:
        seen = {"query": 2, "base": 1, "tuned": 3, "other": 4}
        found = asked(trained(TUNED, 12, far=0.01), seen=seen)
        assert parents(found) == {"base": None}
        assert found.edges[0].direction == "first_seen"


class TestStrangers:
    def test_a_shared_architecture_is_no_kinship(self) -> None:
        found = asked(base(seed=77))
        assert found.edges[0].chain == ("unrelated",)
        assert found.relatives == ()

    def test_a_shared_table_is_no_kinship(self) -> None:
        table = np.sin(np.arange(256)[:, None] / 10000 ** (np.arange(64) / 64)).astype(np.float32)
        found = asked(
            base(seed=78) | {"positions.weight": table}, {"base": BASE | {"positions.weight": table}}
        )
        assert found.edges[0].chain == ("unrelated",)

    def test_no_candidates(self) -> None:
        assert asked(BASE, {}).edges[0].chain == ("unrelated",)

    @pytest.mark.parametrize("value", [0.0, 1.0, float("nan"), float("inf")])
    def test_values_that_say_nothing(self, value: float) -> None:
        flat = {name: np.full(values.shape, value, np.float32) for name, values in BASE.items()}
        found = asked(flat, FAMILY | {"flat": flat})
        assert all(parent.path == "flat" for edge in found.edges for parent in edge.parents)
        assert all(edge.relation in {"identical", "unrelated"} for edge in found.edges)

    def test_a_model_of_vectors_alone(self) -> None:
        vectors = {name: values for name, values in BASE.items() if values.ndim == 1}
        assert asked(vectors).edges[0].chain == ("unrelated",)


def test_the_document_names_all_that_was_found() -> None:
    document = asked(adapted(BASE, 1, 4)).document()
    edge = document["edges"][0]  # type: ignore[index]
    assert edge["relation"] == "lora_merged"  # type: ignore[index, call-overload]
    assert edge["rank"] == 4  # type: ignore[index, call-overload]
    assert edge["parents"] == [{"path": "base"}]  # type: ignore[index, call-overload]


def test_an_adapter_names_its_base() -> None:
    random = np.random.default_rng(1)
    factors: Arrays = {}
    for layer in range(3):
        at = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        factors |= {
            f"{at}.lora_A.weight": random.normal(0, 0.1, (4, 64)).astype(np.float32),
            f"{at}.lora_B.weight": random.normal(0, 0.1, (64, 4)).astype(np.float32),
        }
    adapter: Model = named("query", factors)
    models = [named(name, arrays) for name, arrays in FAMILY.items()]
    silent = trace(adapter, models).edges[0]
    assert (silent.chain, silent.parents, silent.rank) == (("adapter",), (), 4)
    told = dataclasses.replace(adapter, config={"base_model_name_or_path": "somebody/tuned"})
    assert [parent.path for parent in trace(told, models).edges[0].parents] == ["tuned"]
    assert trace(told, models).edges[0].grade == "declared"
    small = named("tuned", {"layers.0.self_attn.q_proj.weight": np.zeros((8, 8), np.float32)})
    assert trace(told, [small]).edges[0].grade == "contradicted"
    merged = {
        name: values
        + (
            2
            * factors[f"base_model.model.model.{name[:-7]}.lora_B.weight"]
            @ factors[f"base_model.model.model.{name[:-7]}.lora_A.weight"]
            if f"base_model.model.model.{name[:-7]}.lora_A.weight" in factors
            else 0
        )
        for name, values in TUNED.items()
    }
    proven = trace(adapter, [*models, named("whole", merged)]).edges[0]
    assert ([parent.path for parent in proven.parents], proven.grade) == (["tuned"], "strong")
