"""Documents follow from a record alone; supplied ones are held against it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allmende.bom import (
    BOM_FORMATS,
    YARDSTICK,
    MalformedBom,
    NotForThisType,
    UnknownFormat,
    compare_boms,
    completeness,
    is_bom_path,
    render,
)
from allmende.bom.supplied import read_bom
from allmende.record import Record, Subject, Tool, known, make_record, read_record

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
TOOL = Tool("t", "1")
HUB = "https://hub.example.org"


def fact(value: object, source: Any = "measured") -> Any:
    return known(value, source, TOOL, NOW)


def record(repo_type: str = "model", commit: str | None = "c" * 40, **facts: Any) -> Record:
    files = [{"path": "a/model.safetensors", "sha256": "1" * 64, "size_bytes": 5}]
    said = {
        "files": fact({"count": 1, "size_bytes": 5, "complete": True, "list": files}),
        "licence": fact({"ids": ["apache-2.0"], "spdx": "Apache-2.0"}, "declared"),
        "lineage": fact(
            {
                "edges": [
                    {
                        "parents": [{"repo": "alice/base", "id": "x", "revision": "b" * 40}],
                        "relation": "finetune",
                        "grade": "strong",
                        "direction": "branches",
                    }
                ]
            }
        ),
        "declared_bases": fact(
            [
                {"name": "alice/base", "status": "confirmed"},
                {"name": "bob/unknown", "status": "unknown"},
                {"name": "bob/wrong", "status": "contradicted", "code": "no_kin"},
            ],
            "derived",
        ),
        **facts,
    }
    subject = Subject(repo_type, "alice/tuned", "id", commit, "d" * 64)
    return read_record(make_record(subject, said, hub="hub.example.org", tool=TOOL, at=NOW))


def main_of(found: Record, form: str = "cyclonedx-1.6") -> Any:
    return json.loads(render(found, form, HUB))["metadata"]["component"]


def test_the_same_record_gives_the_same_bytes_and_another_gives_others() -> None:
    for name in BOM_FORMATS:
        if name != "croissant-1.1":
            assert render(record(), name, HUB) == render(record(), name, HUB)
            assert render(record(), name, HUB) != render(record(commit="e" * 40), name, HUB)


def test_ancestors_are_measured_first_and_never_those_that_are_ruled_out() -> None:
    pedigree = main_of(record())["pedigree"]
    told = {
        one["name"]: {row["name"].rpartition(":")[2]: row["value"] for row in one["properties"]}
        for one in pedigree["ancestors"]
    }
    assert sorted(told) == ["base", "unknown"]
    assert told["base"]["source"] == "measured"
    assert told["base"]["relation"] == "finetune"
    assert told["unknown"]["source"] == "declared"
    assert "bob/wrong is contradicted by the weights (no_kin)" in pedigree["notes"]


def test_an_edge_by_configuration_alone_is_no_measured_ancestor() -> None:
    edge = {
        "parents": [{"repo": "x/y", "revision": "b" * 40}],
        "relation": "adapter",
        "grade": "contradicted",
    }
    found = record(lineage=fact({"edges": [edge]}), declared_bases=fact([], "derived"))
    assert "ancestors" not in main_of(found)["pedigree"]


def test_emissions_alone_are_no_energy_and_units_are_converted() -> None:
    emissions = fact({"co2e_g": 12_500, "training_type": "fine-tuning"}, "declared")
    assert "considerations" not in main_of(record(emissions=emissions))["modelCard"]
    energy = fact({"energy_wh_low": 1000, "energy_wh_high": 2500, "method": "gpu-counter"})
    card = main_of(record(emissions=emissions, energy=energy))["modelCard"]
    (row,) = card["considerations"]["environmentalConsiderations"]["energyConsumptions"]
    assert row["activity"] == "fine-tuning"
    assert row["activityEnergyCost"] == {"value": 2.5, "unit": "kWh"}
    assert row["co2CostEquivalent"] == {"value": 0.0125, "unit": "tCO2eq"}


def test_package_urls() -> None:
    assert main_of(record())["purl"] == (
        f"pkg:huggingface/alice/tuned@{'c' * 40}?repository_url=https://hub.example.org"
    )
    assert main_of(record(commit=None))["purl"] == f"pkg:generic/tuned@{'d' * 64}"
    assert "purl" not in main_of(record("dataset"))


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(NotForThisType):
        render(record(), "croissant-1.1", HUB)
    with pytest.raises(UnknownFormat):
        render(record(), "cyclonedx-9", HUB)
    assert b"croissant/1.1" in render(record("dataset"), "croissant-1.1", HUB)


def test_completeness_by_the_48_fields() -> None:
    assert len(YARDSTICK) == 48
    assert sum(field.weight for field in YARDSTICK if field.category == "external_references") == 13
    nothing = completeness({})
    assert (nothing.present, nothing.score, nothing.share) == ((), 0.0, 0.0)
    some = completeness(json.loads(render(record(), "cyclonedx-1.6", HUB)))
    assert {"purl", "licenses", "suppliedBy", "downloadLocation", "vcs"} <= set(some.present)
    assert {"paper", "metric", "description"} <= set(some.missing)
    assert 0 < some.score < 100


# --- supplied ones ---------------------------------------------------------------------------------------


def compared(document: object, found: Record | None = None) -> Any:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    (row,) = compare_boms({"bom.json": (data, "f" * 64)}, found or record())
    return row


def cyclonedx(**component: Any) -> Any:
    main = {"type": "machine-learning-model", "name": "tuned", **component}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": main}}


def states(row: Any) -> dict[str, str]:
    return {check["about"]: check["state"] for check in row["checks"]}


def hashed(name: str, digest: str) -> Any:
    return [{"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}]


def test_our_own_documents_agree_with_the_record_that_they_come_from() -> None:
    for form in ("cyclonedx-1.6", "cyclonedx-1.7", "spdx-3.0.1"):
        row = compared(render(record(), form, HUB))
        assert row["counts"]["contradict"] == 0, row
        assert row["counts"]["agree"] >= 3
        assert states(row)["ancestor"] in {"agree", "unsupported"}


def test_claims_are_held_against_the_record() -> None:
    base = [{"type": "machine-learning-model", "group": "alice", "name": "base"}]
    good = cyclonedx(
        licenses=[{"license": {"id": "Apache-2.0"}}],
        pedigree={"ancestors": base},
        components=hashed("a/model.safetensors", "1" * 64),
    )
    assert states(compared(good)) == {
        "hash of a/model.safetensors": "agree",
        "licence": "agree",
        "ancestor": "agree",
    }
    wrong = [{"type": "machine-learning-model", "name": "bob/wrong"}]
    bad = cyclonedx(
        licenses=[{"license": {"id": "MIT"}}],
        pedigree={"ancestors": wrong},
        components=hashed("model.safetensors", "2" * 64) + hashed("elsewhere", "3" * 64),
    )
    assert states(compared(bad)) == {
        "hash of model.safetensors": "contradict",
        "hash of elsewhere": "unsupported",
        "licence": "contradict",
        "ancestor": "contradict",
        "missing ancestor": "contradict",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"bomFormat": "CycloneDX", "specVersion": "0.9"}',
        b'{"spdxVersion": "SPDX-1.0"}',
        b'{"@context": "https://example.org", "@graph": []}',
        b"[" * 100_000,
        json.dumps(cyclonedx(components=hashed("x", "short"))).encode(),
        json.dumps({**cyclonedx(), "components": [{"name": "x"}] * 30_000}).encode(),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes) -> None:
    with pytest.raises(MalformedBom):
        read_bom(data)
    assert compared(data)["error"]


def test_which_files_are_bills_of_materials() -> None:
    for path in ("bom.json", "sub/bom.json", "model.cdx.json", "x.SPDX.json", "a.cyclonedx.json"):
        assert is_bom_path(path)
    for path in ("bom.json.txt", "config.json", "spdx.json", "xbom.json"):
        assert not is_bom_path(path)
