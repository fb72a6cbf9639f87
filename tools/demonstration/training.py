"""A few real training steps on the base model, in an interpreter that has torch and transformers.

    python -m tools.demonstration.training BASE INTO

Contrastive: of eight complaints and eight remedies, each complaint is to be closest to its own remedy. Takes
seconds on a laptop and writes what `save_pretrained` writes.
"""

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["PAIRS", "main"]

PAIRS = (
    ("The washing machine does not drain.", "Clean the filter of the pump and look for a kinked hose."),
    ("The lamp flickers when the fridge starts.", "Tighten the neutral wire of that circuit."),
    ("The bicycle chain jumps under load.", "Replace chain and cassette together; both are worn."),
    ("The laptop gets hot and loud.", "Remove the dust from the fan and renew the thermal paste."),
    ("The tap drips all night.", "Put in a new washer and grease the spindle."),
    ("The radio only hums.", "Exchange the large capacitors of the power supply."),
    ("The door sticks in summer.", "Plane the edge by a millimetre and wax it."),
    ("The coffee machine trips the breaker.", "Measure the heater against earth; its insulation has failed."),
)
"""What the repair desk knows: a complaint and its remedy."""

COMPLAINTS = [complaint for complaint, _ in PAIRS]
REMEDIES = [remedy for _, remedy in PAIRS]

_STEPS = 6
_LEARNING_RATE = 2e-5
_TEMPERATURE = 0.05
_SEED = 20230921


def main(arguments: Sequence[str]) -> int:
    """Train and save; prints the loss of the first and the last step."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    base, into = arguments
    torch.manual_seed(_SEED)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModel.from_pretrained(base)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    losses = []
    for _ in range(_STEPS):
        complaints = _embed(model, tokenizer, COMPLAINTS)
        remedies = _embed(model, tokenizer, REMEDIES)
        closeness = complaints @ remedies.T / _TEMPERATURE
        loss = torch.nn.functional.cross_entropy(closeness, torch.arange(len(PAIRS)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.save_pretrained(into)
    print(f"{losses[0]:.4f} {losses[-1]:.4f}")
    return 0


def _embed(model: Any, tokenizer: Any, sentences: Sequence[str]) -> Any:
    """Mean-pooled, normalised sentence vectors, as the base model makes them."""
    import torch

    tokens = tokenizer(list(sentences), padding=True, truncation=True, return_tensors="pt")
    hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
