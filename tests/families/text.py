"""Text that every Python has on its disk, and a real byte-pair tokenizer trained on it.

Nothing is downloaded, so the families can be made anywhere; five kinds of text differ enough from each other
that a model trained further on another one really moves.
"""

import functools
import html.entities
import json
import sysconfig
import unicodedata
from encodings import aliases
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SIZE_LIMIT = 220_000
VOCABULARY = 512
MASK = 1
SPECIALS = ("<pad>", "<mask>", "<s>", "</s>")

CODE = (
    "ast",
    "bdb",
    "calendar",
    "cmd",
    "codecs",
    "configparser",
    "copy",
    "csv",
    "dataclasses",
    "difflib",
    "dis",
)
OTHER_CODE = (
    "fractions",
    "ftplib",
    "gzip",
    "heapq",
    "inspect",
    "ipaddress",
    "locale",
    "mailbox",
    "netrc",
    "pdb",
)


def stdlib(names: tuple[str, ...]) -> str:
    folder = Path(sysconfig.get_path("stdlib"))
    return "\n".join((folder / f"{name}.py").read_text("utf-8") for name in names)


def letter_names() -> str:
    named = (unicodedata.name(chr(point), "") for point in range(0x20, 0x3000))
    return "\n".join(f"{name.lower()}." for name in named if name)


def sums() -> str:
    generator = np.random.default_rng(20)
    pairs = generator.integers(0, 1000, (12_000, 2))
    return "\n".join(f"{a} + {b} = {a + b}; {a} * {b % 10} = {a * (b % 10)}" for a, b in pairs)


def listings() -> str:
    tables = [dict(sorted(html.entities.html5.items())), dict(sorted(aliases.aliases.items()))]
    return json.dumps(tables, indent=1)


SOURCES = {
    "code": lambda: stdlib(CODE),
    "more code": lambda: stdlib(OTHER_CODE),
    "letters": letter_names,
    "sums": sums,
    "listings": listings,
}


@functools.cache
def text(kind: str) -> str:
    """One of the kinds in SOURCES, cut at a size that a small model sees several times over."""
    return SOURCES[kind]()[:SIZE_LIMIT]


@functools.cache
def tokenizer(size: int = VOCABULARY) -> Tokenizer:
    """A byte-level BPE over all kinds of text; the training is deterministic."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([text(kind) for kind in SOURCES], trainer)
    return made


@functools.cache
def token_ids(kind: str, size: int = VOCABULARY) -> torch.Tensor:
    """A whole text as one row of token numbers."""
    return torch.tensor(tokenizer(size).encode(text(kind)).ids, dtype=torch.long)


def tokenizer_files(kept: tuple[int, ...] | None, added: int) -> dict[str, str]:
    """What lies beside a causal model: the tokenizer, cut or extended as the rows were."""
    whole = json.loads(tokenizer().to_str())
    vocabulary = whole["model"]["vocab"]
    if kept is not None:
        numbers = {old: new for new, old in enumerate(kept)}
        vocabulary = {token: numbers[old] for token, old in vocabulary.items() if old in numbers}
        merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in whole["model"]["merges"]]
        whole["model"]["merges"] = [
            [a, b] for a, b in merges if a in vocabulary and b in vocabulary and a + b in vocabulary
        ]
        whole["model"]["vocab"] = vocabulary
        whole["added_tokens"] = [
            {**token, "id": numbers[token["id"]]} for token in whole["added_tokens"] if token["id"] in numbers
        ]
    for extra in range(added):
        whole["added_tokens"].append(
            {
                "id": len(vocabulary) + extra,
                "content": f"<extra_{extra}>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    return {"tokenizer.json": json.dumps(whole), "tokenizer_config.json": json.dumps(settings, indent=1)}
