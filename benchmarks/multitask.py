"""Three sets of Chinese reviews, each alone and all together: does sharing an encoder give anything?

    python benchmarks/multitask.py --data PATH --model tiny-zh --work FOLDER [--rows 1000 --seeds 0 1 2]
    python benchmarks/multitask.py --work FOLDER --table

PATH holds `classification/{zh_chnsenticorp_hotel,zh_online_shopping_10_cats}`. The sets: hotel reviews, book reviews,
and reviews of tablets, phones and computers. 6,875 hotel reviews stand in the shop reviews too, so the shop's hotels
are left out, and so is every text that came before in any of the three: no set knows a text of another. `--rows` texts
of each are drawn for training, half as many for dev, as many for test. Ways: alone; together; and together, after which
each goes on alone at half the rate for two epochs (Sun et al. 2019, arXiv 1905.05583 table 7). The table tells the
difference from alone with a 95 % interval: bootstrap over test texts, each with its mean over the seeds.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chinese import Notebook, Splits
from fewshot import difference
from fresh import in_fresh_process

SETS = {
    "hotels": ("zh_chnsenticorp_hotel", None),
    "books": ("zh_online_shopping_10_cats", ("书籍",)),
    "devices": ("zh_online_shopping_10_cats", ("平板", "手机", "计算机")),
}
"""Folder and categories."""
WAYS = ("alone", "together", "together, then alone")


def main() -> None:
    """Train what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder with classification/")
    parser.add_argument("--model", metavar="M", help="the encoder to start from")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="scores")
    parser.add_argument("--rows", type=int, default=1000, metavar="N", help="texts of each set to learn from")
    parser.add_argument("--epochs", type=int, default=4, metavar="N")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2), metavar="N")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(options.work / "scores.jsonl")
    if not options.table:
        for seed in options.seeds:
            for way in WAYS[1:]:
                measure(way, tuple(SETS), seed, options, notebook)
            for name in SETS:
                measure("alone", (name,), seed, options, notebook)
    print(table(notebook))


def measure(way: str, names: tuple[str, ...], seed: int, options: argparse.Namespace, notebook: Notebook) -> None:
    """Train once unless that is done, and note a line a set."""
    asked = {"way": way, "seed": seed, "model": Path(options.model).name}
    asked |= {"rows": options.rows, "epochs": options.epochs}
    if all(notebook.find(set=name, **asked) is not None for name in names):
        return
    found = in_fresh_process(run, way, names, seed, options.data, options.model, options.rows, options.epochs)
    for name, scores in found.items():
        notebook.add({"set": name, **asked, **scores})


def run(
    way: str, names: tuple[str, ...], seed: int, data: Path, model: str, rows: int, epochs: int
) -> dict[str, dict[str, Any]]:
    """Learn these sets; `right` has a 1 for every test text that was answered right."""
    from bertsmith.recipes import make_task_splits, multitask, multitask_recipe
    from bertsmith.training import progress_listener

    task = {"task": "classification", "document": {"max_length": 128}}
    given: dict[str, Any] = {"start": {"model": model}, "tasks": dict.fromkeys(names, task), "seed": seed}
    given |= {"budget": {"epochs": epochs}, "device": "cpu", "threads": 1}
    if way == "together, then alone":
        given["final"] = {}
    recipe = multitask_recipe(given=given)
    splits = make_task_splits({name: part for name, part in drawn(data, rows).items() if name in names}, recipe)
    assert not splits.leaks, splits.leaks
    result = multitask(recipe, splits, listeners=(progress_listener(),))
    scores = {}
    for name in names:
        measured = (result.final or result.tasks)[name].measured["test"]
        right = measured.outputs.values.argmax(1) == measured.truth.values
        scores[name] = {
            "accuracy": round(100 * measured.metrics["accuracy"], 2),
            "right": "".join("01"[int(one)] for one in right),
            "seconds": round(result.seconds),
        }
    return scores


def drawn(data: Path, rows: int) -> dict[str, Splits]:
    """The same rows of every set for every run, by split; no text stands in two of them."""
    seen: set[str] = set()
    found: dict[str, Splits] = {}
    for name in SETS:
        records = {record.text: record for record in reviews(name, data) if record.text not in seen}
        seen |= records.keys()
        chosen = random.Random(0).sample(list(records.values()), 2 * rows + rows // 2)
        found[name] = {"train": chosen[:rows], "dev": chosen[rows:-rows], "test": chosen[-rows:]}
    return found


def reviews(name: str, data: Path) -> Iterator[Any]:
    """The reviews of a set, blanks around them removed; empty ones left out."""
    from bertsmith.data import Columns, read_records

    folder, kinds = SETS[name]
    path = data / "classification" / folder / "all.jsonl.gz"
    for record in read_records(path, Columns(), pairs="ignored", on_error=lambda _: None):
        if kinds is None or record.row["cat"] in kinds:
            yield replace(record, text=record.text.strip())


def table(notebook: Notebook) -> str:
    """A line a set and way: the mean over seeds, and the difference from alone over the seeds of both."""
    lines = ["| set | model | texts | way | seeds | accuracy | spread | difference from alone | 95 % | minutes |"]
    lines.append("|---|---|--:|---|--:|--:|--:|--:|---|--:|")
    groups: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
    for row in sorted(notebook.rows, key=lambda row: (list(SETS).index(row["set"]), WAYS.index(row["way"]))):
        key = tuple(row[name] for name in ("set", "model", "rows", "epochs", "way"))
        groups.setdefault(key, {})[row["seed"]] = row
    for (*shared, way), found in groups.items():
        scores = [row["accuracy"] for row in found.values()]
        alone = groups.get((*shared, "alone"), {})
        seeds = sorted(found.keys() & alone.keys())
        gain, interval = "", ""
        if way != "alone" and seeds:
            mean, low, high = difference(*([rows[seed]["right"] for seed in seeds] for rows in (found, alone)))
            gain, interval = f"{mean:+.2f}", f"{low:+.2f} to {high:+.2f}"
        minutes = sum(row["seconds"] for row in found.values()) / 60
        name, model, rows, _ = shared
        cells = [name, model, str(rows), way, str(len(found)), f"{np.mean(scores):.2f}", f"{np.std(scores):.2f}"]
        lines.append(f"| {' | '.join([*cells, gain, interval, f'{minutes:.1f}'])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
