"""Count false kinship: `python -m tests.families.strangers OUT [--most N]`, OUT as `unrelated` made it.

Every pair of models that share an architecture is compared as `allmende lineage` does it. All of them were
initialised and trained apart, so any kinship that is found is false. It needs no torch.
"""

import argparse
import json
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

from allmende.weights import open_model
from allmende.weights.comparison import query_tensors
from allmende.weights.relatives import relate
from allmende.weights.specimens import specimen_of


def main() -> int:
    """Print what was found; 1 where there is any false kinship."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, default=1_000_000, help="end after so many pairs")
    chosen = parser.parse_args()
    manifest = json.loads((chosen.out / "manifest.json").read_text("utf-8"))
    models = {name: open_model(chosen.out / name) for name in manifest}
    specimens = {name: specimen_of(model) for name, model in models.items()}
    queries = {name: query_tensors(specimen) for name, specimen in specimens.items()}
    pairs = [
        (one, other)
        for one, other in combinations(manifest, 2)
        if manifest[one]["architecture"] == manifest[other]["architecture"]
    ][: chosen.most]
    false: list[tuple[str, str]] = []
    worst: dict[str, float] = {}
    started = time.process_time()
    for one, other in pairs:
        kin = relate(specimens[one], queries[one], specimens[other]).kin
        kind = manifest[one]["architecture"]
        worst[kind] = max(worst.get(kind, 0), kin.agreeing / max(1, kin.matrices))
        if kin.akin:
            false.append((one, other))
            print(f"FALSE {one} {other}: {kin}", flush=True)
    kinds = Counter(manifest[one]["architecture"] for one, _ in pairs)
    print(f"{len(models)} models, {len(pairs)} pairs {dict(kinds)}: {len(false)} false")
    print(f"largest share of matrices that agreed by chance: {worst}")
    print(f"{time.process_time() - started:.0f} s of processor time")
    return int(bool(false))


if __name__ == "__main__":
    sys.exit(main())
