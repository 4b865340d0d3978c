"""Tagging on four sets: linear, CRF and BiLSTM-CRF, each with and without a rate of its own for what is new.

    python benchmarks/ner.py --data PATH --model M --work FOLDER [--rows 1500 --seeds 0]
    python benchmarks/ner.py --work FOLDER --table

PATH holds `ner/{zh_resume,zh_cluener2020,zh_msra,en_wnut17}`. CLUENER counts the ends of spans inclusively; a copy with
our exclusive ends goes to FOLDER. Its test set has no labels, so its dev part is the test here; where a set has no dev
part, 10 % of train are set aside. `--rows` are drawn of train, and as many of the test; 0 takes all. Scores go to
FOLDER/scores.jsonl; a broken run goes on where it was.
"""

import argparse
import gzip
import json
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chinese import Notebook
from fresh import in_fresh_process

SETS = ("zh_resume", "zh_cluener2020", "zh_msra", "en_wnut17")
HEADS = {
    "linear": (),
    "crf": ("criterion.kind=crf",),
    "bilstm-crf": ("criterion.kind=crf", "head.kind=bilstm", "head.hidden=128"),
}
RATES = ("one rate", "own rates")
HEAD_RATE = "optimizer.head_lr=1e-3"
STEP_RATE = "optimizer.rates={'criterion.*': 1e-2}"
"""Of the scores of steps between tags."""

FIGURES = ("precision", "recall", "f1")


def main() -> None:
    """Train what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder with ner/")
    parser.add_argument("--model", metavar="M", help="the encoder to start from")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="scores, and copies of data")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="NAME")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS), metavar="NAME")
    parser.add_argument("--rates", nargs="+", choices=RATES, default=RATES, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0,), metavar="N")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="texts drawn of train and of test; 0: all")
    parser.add_argument("--epochs", type=float, metavar="N", help="as finetune chooses: three, or 400 updates if more")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N")
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=256, metavar="N")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(options.work / "scores.jsonl")
    if not options.table:
        for name in options.sets:
            measure(name, options, notebook)
    print(table(notebook))


def measure(name: str, options: argparse.Namespace, notebook: Notebook) -> None:
    """One set: every head with every rate and seed."""
    files = files_of(name, options.data, options.work)
    for seed in options.seeds:
        for head in options.heads:
            for rate in options.rates:
                asked = {"set": name, "head": head, "rates": rate, "seed": seed, "rows": options.rows}
                asked |= {"model": Path(options.model).name, "epochs": options.epochs, "lr": options.lr}
                asked |= {"batch_size": options.batch_size}
                if notebook.find(**asked) is None:
                    settings = [*HEADS[head], *rates_of(head, rate), f"document.max_length={options.max_length}"]
                    settings += [f"optimizer.lr={options.lr}", f"batches.batch_size={options.batch_size}"]
                    settings += [] if options.epochs is None else [f"budget.epochs={options.epochs}"]
                    found = in_fresh_process(run, files, options.model, settings, options.rows, seed)
                    notebook.add({**asked, **found})


def rates_of(head: str, rate: str) -> tuple[str, ...]:
    """Settings of a rate of its own for the head, and for the CRF where there is one."""
    if rate == "one rate":
        return ()
    return (HEAD_RATE, STEP_RATE) if "crf" in head else (HEAD_RATE,)


def run(files: dict[str, Path], model: str, settings: Sequence[str], rows: int, seed: int) -> dict[str, Any]:
    """Train and measure once."""
    from bertsmith.recipes import finetune, finetune_recipe, make_splits, read_rows
    from bertsmith.training import progress_listener

    given = {"task": "tagging", "start": {"model": model}, "seed": seed, "device": "cpu"}
    recipe = finetune_recipe(given=given, settings=settings)
    read = {
        name: read_rows(path, recipe.task, recipe.data.columns, encoding="utf-8").records
        for name, path in files.items()
    }
    drawn = {name: sample(records, rows) if rows else records for name, records in read.items()}
    began = time.perf_counter()
    result = finetune(recipe, make_splits(drawn, recipe), listeners=(progress_listener(),))
    measured = result.measured["test"]
    low, high = measured.intervals["f1"]
    figures = {name: round(100 * measured.metrics[name], 2) for name in FIGURES}
    return {
        **figures,
        "low": round(100 * low, 2),
        "high": round(100 * high, 2),
        "seconds": round(time.perf_counter() - began),
    }


def sample(records: Sequence[Any], rows: int) -> list[Any]:
    """The same rows for every run, in their order."""
    chosen = random.Random(0).sample(range(len(records)), min(rows, len(records)))
    return [records[row] for row in sorted(chosen)]


def files_of(name: str, data: Path, work: Path) -> dict[str, Path]:
    """The files of a set by split, CLUENER's with exclusive ends."""
    folder = data / "ner" / name
    if name == "zh_cluener2020":
        return {
            "train": converted(folder / "train.jsonl.gz", work / "cluener_train.jsonl"),
            "test": converted(folder / "dev.jsonl", work / "cluener_test.jsonl"),
        }
    found = {path.name.split(".")[0]: path for path in sorted(folder.glob("*.conll*"))}
    return {split: found[split] for split in ("train", "dev", "test") if split in found}


def converted(source: Path, target: Path) -> Path:
    """`label[type][entity] = [[start, end_inclusive], ...]` as `spans: [[start, end, type], ...]`."""
    with (
        gzip.open(source, "rt", encoding="utf-8") if source.suffix == ".gz" else source.open(encoding="utf-8") as lines
    ):
        rows = [exclusive(json.loads(line)) for line in lines if line.strip()]
    target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return target


def exclusive(row: dict[str, Any]) -> dict[str, Any]:
    """One text; every span must hold the characters it names. Of spans that overlap the longest is kept."""
    spans = []
    for kind, entities in row["label"].items():
        for entity, places in entities.items():
            for start, last in places:
                assert row["text"][start : last + 1] == entity, (row["text"], start, last, entity)
                spans.append([start, last + 1, kind])
    return {"text": row["text"], "spans": sorted(apart(spans))}


def apart(spans: Iterable[list[Any]]) -> list[list[Any]]:
    """The longest spans that do not overlap."""
    kept: list[list[Any]] = []
    for span in sorted(spans, key=lambda each: (each[0] - each[1], each[0])):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return kept


def table(notebook: Notebook) -> str:
    """A line a set, head and rate; the mean over seeds."""
    lines = ["| set | model | rows | head | rates | seeds | precision | recall | F1 | 95 % (first seed) | minutes |"]
    lines.append("|---|---|--:|---|---|--:|--:|--:|--:|---|--:|")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in notebook.rows:
        groups.setdefault(tuple(row[key] for key in ("set", "model", "rows", "head", "rates")), []).append(row)
    for (name, model, rows, head, rates), found in groups.items():
        figures = [f"{sum(row[key] for row in found) / len(found):.2f}" for key in FIGURES]
        minutes = sum(row["seconds"] for row in found) / 60
        interval = f"{found[0]['low']} to {found[0]['high']}"
        cells = [name, model, str(rows or "all"), head, rates, str(len(found)), *figures, interval, f"{minutes:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
