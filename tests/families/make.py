"""Make the families, with torch: `python -m tests.families.make OUT [--large] [--only NAME,…] [--seed N]`.

OUT/<name>/ holds each model and OUT/manifest.json the truth. One seed gives the same bytes on one machine
with one torch; elsewhere the last bits may differ, the relations do not.
"""

import argparse
from pathlib import Path

import torch

from tests.families import causal, large, others
from tests.families.check import check
from tests.families.workshop import make_all


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", help="names to make, with their ancestors", default="")
    parser.add_argument("--large", action="store_true", help="the family of 26 million weights instead")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    chosen.out.mkdir(parents=True, exist_ok=True)
    only = set(chosen.only.split(",")) if chosen.only else None
    recipes = large.RECIPES if chosen.large else [*causal.RECIPES, *others.RECIPES]
    make_all(recipes, chosen.out, chosen.seed, only, check)


if __name__ == "__main__":
    main()
