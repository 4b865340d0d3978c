"""What each trick of training costs: processor time of an update and peak memory, as ratios to a plain update.

python benchmarks/tricks.py [--layers 4 --hidden 256 --updates 12]
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

TRICKS = {
    "plain": [],
    "freeze embeddings": ["freeze.kind=bottom"],
    "freeze half": ["freeze.kind=bottom", "freeze.layers=HALF"],
    "freeze all but the head": ["freeze.kind=bottom", "freeze.layers=all"],
    "ema": ["averaging.kind=ema"],
    "fgm": ["adversarial.kind=fgm"],
    "pgd, 3 steps": ["adversarial.kind=pgd"],
    "r_drop": ["r_drop.alpha=1"],
    "fgm and r_drop": ["adversarial.kind=fgm", "r_drop.alpha=1"],
}


def measured(name: str, layers: int, hidden: int, updates: int) -> dict[str, float]:
    """Train in this process: the median processor time of an update, and the most memory held."""
    from bertsmith.data import Record
    from bertsmith.recipes import finetune, finetune_recipe, make_splits
    from bertsmith.training import Updated

    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(3000)]
    texts = [" ".join(random.choice(words, random.integers(10, 50))) for _ in range(32 * 8)]
    records = [Record(text, None, str(number % 4), where=str(number)) for number, text in enumerate(texts)]
    ends: list[float] = []
    with TemporaryDirectory() as folder:
        shape = Path(folder) / "shape.json"
        shape.write_text(
            json.dumps(
                {
                    "num_layers": layers,
                    "hidden_size": hidden,
                    "num_heads": hidden // 64,
                    "intermediate_size": 4 * hidden,
                }
            )
        )
        settings = [each.replace("HALF", str(layers // 2)) for each in TRICKS[name]]
        fixed = [
            "budget.epochs=null",
            f"budget.max_steps={updates}",
            "selection.keep=last",
            "ngrams=null",
            "start.vocabulary.size=4000",
        ]
        recipe = finetune_recipe(given={"start": {"encoder": str(shape)}}, settings=[*fixed, *settings])
        splits = make_splits({"train": records, "dev": records[:8]}, recipe)
        finetune(
            recipe,
            splits,
            listeners=[lambda event: ends.append(process_time()) if isinstance(event, Updated) else None],
        )
    return {
        "seconds": float(np.median(np.diff(ends)[-updates // 2 :])),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main() -> None:
    """Each trick in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.layers, given.hidden, given.updates)))
        return
    found = {}
    for name in TRICKS:
        sizes = ["--layers", str(given.layers), "--hidden", str(given.hidden), "--updates", str(given.updates)]
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, *sizes], capture_output=True, text=True, check=True
        )
        found[name] = json.loads(done.stdout.splitlines()[-1])
        ratios = (found[name][key] / found["plain"][key] for key in ("seconds", "memory"))
        print(f"{name:24} time of an update {next(ratios):.2f}  memory of the process {next(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
