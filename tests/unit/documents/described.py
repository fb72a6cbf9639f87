"""A record as a hub has it of the demonstration's model, and additions to it."""

from datetime import UTC, date, datetime
from typing import Any

import yaml

from allmende.documents import Additions, read_additions
from allmende.record import Record, Subject, Tool, known, make_record, read_record

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
TODAY = date(2026, 11, 28)
TOOL = Tool("allmende.formats", "1")
CARD = Tool("allmende.card", "1")
README = {"path": "README.md", "sha256": "7d" * 32}


def fact(value: object, source: Any = "measured", tool: Tool = TOOL, evidence: Any = None) -> Any:
    return known(value, source, tool, NOW, evidence)


def card(value: object) -> Any:
    return fact(value, "declared", CARD, README)


def minilm_facts() -> dict[str, Any]:
    """What the hub of the demonstration knows of all-MiniLM-L6-v2, as its card and its files say it."""
    weights = {"path": "model.safetensors", "sha256": "1" * 64, "size_bytes": 90868376}
    return {
        "files": fact({"count": 1, "size_bytes": 90868376, "complete": True, "list": [weights]}),
        "formats": fact({"formats": {"safetensors": {"count": 1, "size_bytes": 90868376}}}),
        "parameters": fact({"total": 22713728, "by_dtype": {"F32": 22713216, "I64": 512}}),
        "architecture": fact({"architectures": ["BertModel"], "model_type": "bert"}, "declared"),
        "hyperparameters": fact({"context_length": 512, "hidden_size": 384, "layers": 6}, "declared"),
        "library": fact("sentence-transformers", "derived"),
        "task": fact("sentence-similarity", "derived"),
        "licence": card({"ids": ["apache-2.0"], "spdx": "Apache-2.0"}),
        "datasets": card(["s2orc", "ms_marco"]),
        "card": card(
            {
                "sections": {
                    "intended_use": {"heading": "Intended uses", "text": "An encoder of sentences."},
                    "training": {"heading": "Pre-training", "text": "From a pretrained MiniLM."},
                    "training_data": {"heading": "Training data", "text": "Pairs of sentences."},
                }
            }
        ),
        "commit": fact({"tree": "a" * 40, "parents": [], "at": "2026-11-20T10:00:00Z"}),
    }


def minilm(without: str = "", **facts: Any) -> Record:
    said = {name: value for name, value in {**minilm_facts(), **facts}.items() if name != without}
    subject = Subject("model", "commons/all-MiniLM-L6-v2", "r1", "c" * 40, "d" * 64)
    return read_record(make_record(subject, said, hub="hub.example.org", tool=Tool("allmende", "1"), at=NOW))


def added(on: date = TODAY, **groups: Any) -> Additions:
    return read_additions(written(**groups), on)


def written(**groups: Any) -> bytes:
    head = {"schema": "allmende.model-documents/1", "declared_by": "Werkstatt", "declared_on": "2026-11-27"}
    return yaml.safe_dump({**head, **groups}, allow_unicode=True).encode()
