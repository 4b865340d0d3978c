"""The tables of Sun et al. 2019 (arXiv 1905.05583) on a sample of IMDb: truncation, layers, decay, pre-training.

    python benchmarks/tables.py --data PATH --model M --work FOLDER [--rows 1500 --processes 1 --only layers decay]
    python benchmarks/tables.py --data PATH --model M --work FOLDER --only further --steps --encoders NAME=PATH
    python benchmarks/tables.py --data PATH --model M --work FOLDER --table

PATH holds `classification/en_imdb_5k` and `raw/en_imdb_unsup_6k.txt.gz`. `--rows` texts are drawn of train, of which a
tenth is set aside to choose the epoch by, and as many of test. Every cell is a training in a process of its own;
what is done stands in FOLDER/trials.jsonl and is not done again, so the command can be stopped and started at will.
Cells have seed 0; the baseline (tail, last layer, no decay) and the best cell of every table, by the texts aside, have
three (`--seeds 1`: one as well). A cell not run says so. Table `further` has a cell for every number of updates and for
every encoder that was made elsewhere, all cells have the settings of `--set` too.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bertsmith.data import stratified_split
from bertsmith.errors import UserError
from bertsmith.experiments import Ladder, Outcome, Trial, TrialRunner, Workshop
from bertsmith.experiments.rungs import FurtherEncoder
from bertsmith.recipes import FinetuneRecipe, Splits, finetune_recipe, make_splits
from sets import IMDB

BASE = ("ngrams=null", "document.keep=tail", "batches.batch_size=16", "optimizer.lr=5e-5")
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "truncation": {
        "head": ("document.keep=head",),
        "tail": (),
        "head + tail": ("document.keep=head_tail",),
        "hierarchical, mean": ("document={kind: chunks, join: mean, max_length: LENGTH}",),
        "hierarchical, max": ("document={kind: chunks, join: max, max_length: LENGTH}",),
        "hierarchical, attention": ("document={kind: chunks, join: attention, max_length: LENGTH}",),
    },
    "layers": {
        **{f"layer {number}": (f"features.layers.number={number}",) for number in range(1, 6)},
        "layer 6 (last)": (),
        "last 4, concat": ("features.layers={kind: concat, numbers: last_4}",),
        "last 4, mean": ("features.layers={kind: average, numbers: last_4}",),
        "last 4, max": ("features.layers={kind: max, numbers: last_4}",),
        "first 4, concat": ("features.layers={kind: concat, numbers: first_4}",),
        "all, concat": ("features.layers={kind: concat, numbers: all}",),
    },
    "decay": {
        "1.0": (),
        **{str(decay): (f"optimizer.layer_decay={decay}",) for decay in (0.95, 0.9, 0.85)},
    },
    "further": {"none": ()},
}
"""Settings of every cell, on top of `BASE`; `further` has a cell more for every `--steps`."""
STEPS = (200, 1000, 3000)
"""Updates of further pre-training on the unlabelled reviews."""

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Cell:
    """One line of a table."""

    table: str
    name: str
    settings: tuple[str, ...]


class Bench:
    """Runs cells and remembers them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.splits = sampled(options)
        self.runner = TrialRunner(options.work, processes=options.processes, say=print)
        self.runner.add("data", self.splits)
        raw = options.data / "raw" / "en_imdb_unsup_6k.txt.gz"
        self.workshop = Workshop(
            options.work, self.splits, Ladder(in_domain=(raw,)), threads=options.processes, say=print
        )

    def trials(self, cell: Cell, seeds: Sequence[int], *, make: bool) -> list[Trial]:
        """The trainings of a cell; none if its encoder is not there and shall not be made."""
        settings = [one.replace("LENGTH", str(self.options.max_length)) for one in cell.settings]
        base = recipe(self.options, [one for one in settings if not one.startswith("further=")])
        for one in settings:
            if one.startswith("further="):
                encoder = FurtherEncoder(corpus="in_domain", steps=int(one.removeprefix("further=")))
                if not make and not (self.workshop.place(encoder, base) / "metrics.json").exists():
                    return []
                made = self.workshop.made(encoder, base)
                if made.why is not None:
                    raise UserError(f"{cell.name}: {made.why}", code="failed")
                base = base.but(start=base.start.but(model=str(made.folder)))
        name = f"{cell.table}, {cell.name}"
        return [Trial(recipe=base.but(seed=seed), name=f"{name}, seed {seed}", test=True) for seed in seeds]

    def run(self) -> None:
        """One seed of every cell, then more of the best of every table and of the baseline."""
        chosen = list(cells(self.options.only, self.options))
        self.runner.run([trial for cell in chosen for trial in self.trials(cell, SEEDS[:1], make=True)])
        for table in self.options.only:
            of_table = [cell for cell in chosen if cell.table == table]
            best = min(of_table, key=lambda cell: next(iter(self.errors(cell, "dev")), np.inf))
            wanted, seeds = [best, *(cell for cell in of_table if not cell.settings)], SEEDS[: self.options.seeds]
            self.runner.run([trial for cell in wanted for trial in self.trials(cell, seeds, make=True)])

    def outcomes(self, cell: Cell) -> list[Outcome]:
        """What is known of a cell."""
        known = [self.runner.known(trial) for trial in self.trials(cell, SEEDS, make=False)]
        return [outcome for outcome in known if outcome is not None and outcome.status == "done"]

    def errors(self, cell: Cell, split: str) -> list[float]:
        """Errors in per cent, seed by seed."""
        return [100 * (1 - outcome.metrics[split]["accuracy"]) for outcome in self.outcomes(cell)]

    def lines(self) -> Iterator[str]:
        """The tables in Markdown."""
        for table in self.options.only:
            yield f"\n| {table} | test error % | dev error % | seeds | seconds |\n|---|--:|--:|--:|--:|"
            for cell in cells([table], self.options):
                outcomes = self.outcomes(cell)
                if not outcomes:
                    yield f"| {cell.name} | not run | | | |"
                    continue
                errors = [spread(self.errors(cell, split)) for split in ("test", "dev")]
                seconds = float(np.mean([outcome.seconds for outcome in outcomes]))
                yield f"| {cell.name} | {' | '.join(errors)} | {len(outcomes)} | {seconds:.0f} |"


def spread(errors: Sequence[float]) -> str:
    """Their mean, and their standard deviation where there are several."""
    return f"{np.mean(errors):.2f}" + (f" ± {np.std(errors, ddof=1):.2f}" if len(errors) > 1 else "")


def cells(tables: Sequence[str], options: argparse.Namespace) -> Iterator[Cell]:
    """The cells of these tables."""
    for table in tables:
        for name, settings in TABLES[table].items():
            yield Cell(table, name, settings)
        if table == "further":
            for number in options.steps:
                yield Cell(table, f"{number} steps", (f"further={number}",))
            for name, _, folder in (given.rpartition("=") for given in options.encoders):
                yield Cell(table, name or folder, (f"start.model={folder}",))


def recipe(options: argparse.Namespace, settings: Sequence[str]) -> FinetuneRecipe:
    """The recipe of a cell."""
    given = {
        "start": {"model": options.model},
        "budget": {"epochs": options.epochs},
        "document": {"max_length": options.max_length},
    }
    return finetune_recipe(given=given, settings=[*BASE, *options.set, *settings])


def sampled(options: argparse.Namespace) -> Splits:
    """Train, a tenth of it set aside, and test."""
    train, test = (IMDB.read(options.data, split).sample(options.rows, seed=0) for split in ("train", "test"))
    rows = train.records("train")
    kept, aside = stratified_split([row.label for row in rows], share=0.1, seed=0)
    parts = {"train": [rows[row] for row in kept], "dev": [rows[row] for row in aside], "test": test.records("test")}
    return make_splits(parts, recipe(options, []))


def main() -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH")
    parser.add_argument("--model", required=True, metavar="M", help="the encoder to start from")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=1500, metavar="N")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--max-length", type=int, default=256, metavar="N")
    parser.add_argument("--steps", nargs="*", type=int, default=STEPS, metavar="N", help="of further pre-training")
    parser.add_argument("--encoders", nargs="+", default=(), metavar="NAME=PATH", help="others to start from")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="for every cell")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), metavar="N", help="of the best and of the baseline")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(options)
    if not options.table:
        bench.run()
    print("\n".join(bench.lines()))


if __name__ == "__main__":
    main()
