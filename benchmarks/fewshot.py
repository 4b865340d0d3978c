"""Few texts a label on FewCLUE: plain fine-tuning, further pre-training, a warm start, and both; are they worth it?

    python benchmarks/fewshot.py --data PATH --model M --work FOLDER [--sets tnews --parts all 0 --seeds 0 1 2]
    python benchmarks/fewshot.py --work FOLDER --table

PATH holds `classification/{zh_tnews_fewclue,zh_iflytek_fewclue}`. Part `all` trains on train_few_all and chooses on
dev_few_all, part `0` on train_0 and dev_0; all are tested on test_public. Further pre-training reads the unlabelled
titles of TNEWS; those of IFLYTEK could not be had, so there it reads the training texts of all parts. All ways have the
same settings otherwise. Scores go to FOLDER/scores.jsonl with what was right of every test text; a broken run goes on
where it was. The table tells the difference from plain fine-tuning with a 95 % interval: bootstrap over test texts,
each with its mean over the seeds that both ways have. Published figures stand beside.
"""

import argparse
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chinese import Notebook
from fresh import in_fresh_process

WAYS = ("plain", "further", "warm", "further+warm")
KEYS = ("set", "part", "model", "base", "way", "more")
"""What tells the rows of a table apart."""


@dataclass(frozen=True)
class FewShot:
    """A set of FewCLUE: its folder, columns, the files without labels, how long its texts are, published figures."""

    folder: str
    columns: str
    unlabelled: tuple[str, ...]
    max_length: int
    published: str


SETS = {
    "tnews": FewShot(
        "zh_tnews_fewclue",
        "text=sentence,label=label_desc",
        ("unlabeled",),
        64,
        "fine-tuned BERT 40.5, EFL without pre-training 48.4, PET 54.47, LM-BFF 56.27 (train_0)",
    ),
    "iflytek": FewShot(
        "zh_iflytek_fewclue",
        "text=sentence,label=label_des",
        tuple(f"train_{part}" for part in ("few_all", "0", "1", "2", "3", "4")),
        256,
        "fine-tuned BERT 22.6, PET 46.01, LM-BFF 46.14",
    ),
}
"""The published figures are those of larger encoders: README history and baselines of CLUEbenchmark/FewCLUE."""


def main() -> None:
    """Train what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder with classification/")
    parser.add_argument("--model", metavar="M", help="the encoder to start from")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="scores and further encoders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    parser.add_argument("--parts", nargs="+", default=["all", "0"], metavar="NAME", help="all, or 0 to 4")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2), metavar="N")
    parser.add_argument("--epochs", type=int, default=12, metavar="N")
    parser.add_argument("--further-epochs", type=int, default=5, metavar="N", help="passes over the unlabelled texts")
    parser.add_argument("--warm-epochs", type=int, default=20, metavar="N")
    parser.add_argument("--loss", choices=("supervised_contrast", "class_cosine"), default="supervised_contrast")
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--further-lr", type=float, default=5e-5)
    parser.add_argument("--warm-lr", type=float, default=2e-5)
    parser.add_argument("--set", nargs="+", dest="settings", default=(), metavar="FIELD=VALUE", help="for all ways")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(options.work / "scores.jsonl")
    if not options.table:
        for name in options.sets:
            for part in options.parts:
                measure(name, part, options, notebook)
    print(table(notebook))


def measure(name: str, part: str, options: argparse.Namespace, notebook: Notebook) -> None:
    """One part of a set: every way with every seed."""
    for seed in options.seeds:
        for way in options.ways:
            base, more = base_settings(name, options), way_settings(way, options)
            asked = {"set": name, "part": part, "way": way, "seed": seed, "model": Path(options.model).name}
            asked |= {"base": " ".join(base), "more": " ".join(more)}
            if notebook.find(**asked) is None:
                model = further(name, options) if "further" in way else options.model
                settings = [*base, *(setting for setting in more if setting.startswith("warm_start"))]
                files = files_of(name, part, options.data)
                found = in_fresh_process(run, files, SETS[name].columns, model, settings, seed)
                notebook.add({**asked, **found})


def base_settings(name: str, options: argparse.Namespace) -> list[str]:
    """What all ways have in common."""
    settings = ["ngrams=null", f"document.max_length={SETS[name].max_length}", f"budget.epochs={options.epochs}"]
    return [*settings, f"optimizer.lr={options.lr}", *options.settings]


def way_settings(way: str, options: argparse.Namespace) -> list[str]:
    """What a way does beside."""
    settings = []
    if "further" in way:
        settings += [f"further.epochs={options.further_epochs}", f"further.lr={options.further_lr}"]
    if "warm" in way:
        settings += [f"warm_start.epochs={options.warm_epochs}", f"warm_start.lr={options.warm_lr}"]
        settings += [f"warm_start.loss.kind={options.loss}"]
    return settings


def run(files: dict[str, Path], columns: str, model: str, settings: Sequence[str], seed: int) -> dict[str, Any]:
    """Train and measure once; `right` has a 1 for every test text that was answered right."""
    from bertsmith.data import Columns
    from bertsmith.recipes import finetune, finetune_recipe, make_splits, read_rows
    from bertsmith.training import progress_listener

    given = {"task": "classification", "start": {"model": model}, "seed": seed, "device": "cpu"}
    recipe = finetune_recipe(given=given, settings=settings)
    read = {
        split: read_rows(path, recipe.task, Columns.parse(columns), encoding="utf-8").records
        for split, path in files.items()
    }
    began = time.perf_counter()
    result = finetune(recipe, make_splits(read, recipe), listeners=(progress_listener(),))
    measured = result.measured["test"]
    right = measured.outputs.values.argmax(1) == measured.truth.values
    return {
        "accuracy": round(100 * measured.metrics["accuracy"], 2),
        "dev": round(100 * result.measured["dev"].metrics["accuracy"], 2),
        "right": "".join("01"[int(one)] for one in right),
        "seconds": round(time.perf_counter() - began),
    }


def further(name: str, options: argparse.Namespace) -> str:
    """The encoder after further pre-training on texts without labels; made once, gone on with if it was broken."""
    given = f"{Path(options.model).name}-{name}-{options.further_epochs}-{options.further_lr:g}"
    out, corpus = options.work / f"further-{given}", options.work / f"corpus-{name}.txt"
    if not corpus.exists():
        corpus.write_text("\n\n".join(dict.fromkeys(unlabelled(name, options.data))) + "\n", encoding="utf-8")
    command = ["pretrain", "--preset", "within-task", "--model", options.model, "--corpus", corpus, "--out", out]
    command += ["--epochs", options.further_epochs, "--lr", options.further_lr, "--device", "cpu", "--resume"]
    command += ["--max-length", min(128, SETS[name].max_length)]
    subprocess.run([sys.executable, "-m", "bertsmith", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return str(out)


def unlabelled(name: str, data: Path) -> Iterator[str]:
    """The texts of the files that are read further, a line each."""
    folder = data / "classification" / SETS[name].folder
    for stem in SETS[name].unlabelled:
        path = next(folder.glob(f"{stem}.jsonl*"))
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            yield from (" ".join(json.loads(line)["sentence"].split()) for line in lines)


def files_of(name: str, part: str, data: Path) -> dict[str, Path]:
    """The files of a part by split."""
    folder = data / "classification" / SETS[name].folder
    stem = "few_all" if part == "all" else part
    wanted = {"train": f"train_{stem}", "dev": f"dev_{stem}", "test": "test_public"}
    return {split: next(folder.glob(f"{stem}.jsonl*")) for split, stem in wanted.items()}


def difference(one: Sequence[str], other: Sequence[str]) -> tuple[float, float, float]:
    """How much more often `one` is right than `other`, in points, with its interval; a string of right texts a seed."""
    from bertsmith.metrics.bootstrap import bootstrap, percentile_interval

    gains = _shares(one) - _shares(other)
    values, kinds = np.unique(gains, return_inverse=True)
    drawn = bootstrap(kinds, lambda counts: counts @ values / len(gains), resamples=10_000)
    interval = percentile_interval(drawn)
    assert interval is not None
    return 100 * float(gains.mean()), 100 * interval[0], 100 * interval[1]


def _shares(right: Sequence[str]) -> np.ndarray:
    """In how many of the seeds each text was right."""
    return np.array([[digit == "1" for digit in one] for one in right]).mean(0)


def table(notebook: Notebook) -> str:
    """A line a set, part and way: the mean over seeds, and the difference from plain over the seeds of both."""
    lines = ["| set | part | model | base | way | seeds | accuracy | spread | difference from plain | 95 % | minutes |"]
    lines.append("|---|---|---|---|---|--:|--:|--:|--:|---|--:|")
    groups: dict[tuple[str, ...], dict[int, dict[str, Any]]] = {}
    for row in notebook.rows:
        groups.setdefault(tuple(row[key] for key in KEYS), {})[row["seed"]] = row
    for (*shared, way, more), found in groups.items():
        scores = [row["accuracy"] for row in found.values()]
        plain = groups.get((*shared, "plain", ""), {})
        seeds = sorted(found.keys() & plain.keys())
        gain, interval = "", ""
        if way != "plain" and seeds:
            mean, low, high = difference(*([rows[seed]["right"] for seed in seeds] for rows in (found, plain)))
            gain, interval = f"{mean:+.2f}", f"{low:+.2f} to {high:+.2f}"
        minutes = sum(row["seconds"] for row in found.values()) / 60
        told = f"{way} ({more})" if more else way
        cells = [*shared, told, str(len(found)), f"{np.mean(scores):.2f}", f"{np.std(scores):.2f}"]
        lines.append(f"| {' | '.join([*cells, gain, interval, f'{minutes:.1f}'])} |")
    lines += ["", *(f"Published for {name} (larger encoders): {one.published}." for name, one in SETS.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
