"""What each method makes of one encoder: raw, whitened, SimCSE, Su's SimCSE, supervised on triplets, CoSENT.

python benchmarks/contrast.py --data PATH --model tiny-zh --seeds 3 --notebook runs/contrast.jsonl

PATH holds `sts/zh_stsb_cnsd`, `matching/zh_lcqmc`, `matching/zh_atec`, `matching/zh_afqmc` and
`matching/zh_snli_cnsd`. Single texts are those of STS-B train, LCQMC dev and AFQMC train that stand in no evaluation
file, a third of each where they are bounded: SimCSE needs texts like those it is measured on. Triplets are CNSD's,
scored pairs STS-B train. Measured: Spearman on STS-B test, LCQMC test and ATEC with P1 to P4, mean and standard
deviation over seeds. A line of the notebook is a finished run; started again, those are not repeated.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

POOLINGS = ("cls", "pooler", "last-avg", "first-last-avg")
NAMES = {"cls": "P1", "pooler": "P2", "last-avg": "P3", "mean": "P3", "first-last-avg": "P4"}


@dataclass(frozen=True)
class Sets:
    """The files, and what is measured on."""

    stsb: Path
    triplets: tuple[Path, ...]
    texts: Path
    measured: dict[str, Path]


def prepared(data: Path, folder: Path, *, pairs: int | None, texts: int | None) -> Sets:
    """Write what has to be joined or cut; `pairs` and `texts` bound the sizes."""
    stsb, atec, snli = data / "sts/zh_stsb_cnsd", data / "matching/zh_atec", data / "matching/zh_snli_cnsd"
    lcqmc = data / "matching/zh_lcqmc"
    measured = {"STS-B": stsb / "test.tsv", "LCQMC": folder / "lcqmc.tsv", "ATEC": folder / "atec.tsv"}
    for name, path in (("LCQMC", lcqmc / "test.tsv"), ("ATEC", atec / "all.tsv.gz")):
        write_lines(measured[name], islice(lines(path), None if pairs is None else pairs + 1))
    known = {text for path in (*measured.values(), stsb / "dev.tsv") for text in texts_of(lines(path))}
    random, kept = np.random.default_rng(0), []
    for path in (stsb / "train.tsv", lcqmc / "dev.tsv", data / "matching/zh_afqmc/train.tsv.gz"):
        new = [text for text in dict.fromkeys(texts_of(lines(path))) if text not in known]
        rows = random.permutation(len(new))[: None if texts is None else texts // 3]
        kept += [new[row] for row in rows]
    write_lines(folder / "texts.txt", dict.fromkeys(kept))
    triplets = [*lines(snli / "triplets_dev.tsv"), *list(lines(snli / "triplets_test.tsv"))[1:]]
    write_lines(folder / "triplets.tsv", triplets)
    return Sets(stsb, (folder / "triplets.tsv",), folder / "texts.txt", measured)


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, compressed or not."""
    from bertsmith.data.compression import read_chunks
    from bertsmith.data.decoding import TextLines

    return iter(TextLines(read_chunks(path), str(path), "utf-8"))


def texts_of(rows: Iterable[str]) -> Iterator[str]:
    """The two texts of every row but the header."""
    for row in islice(rows, 1, None):
        yield from row.rstrip("\n").split("\t")[:2]


def write_lines(path: Path, rows: Iterable[str]) -> None:
    """One line each."""
    path.write_text("".join(row.rstrip("\n") + "\n" for row in rows), encoding="utf-8")


def trained(method: str, sets: Sets, model: str, seed: int, out: Path, settings: list[str]) -> Path:
    """Train by a method with its own settings."""
    from bertsmith.recipes import contrast, contrast_recipe, save_sentence_bundle

    dev = sets.stsb / "dev.tsv"
    train = {"simcse-supervised": sets.triplets[0], "cosent": sets.stsb / "train.tsv"}.get(method, sets.texts)
    exclude = [str(path) for path in (*sets.measured.values(), dev)]
    given: dict[str, Any] = {
        "start": {"model": model},
        "data": {"train": str(train), "dev": str(dev), "exclude": exclude},
        "seed": seed,
    }
    recipe = contrast_recipe(method=method, given=given, settings=settings)
    result = contrast(recipe)
    save_sentence_bundle(result.bundle, out)
    return out


def measured(model: str, sets: Sets, *, whiten: bool, own: bool = False) -> dict[str, dict[str, float]]:
    """Spearman × 100 by pooling and set; a pooler the model has not is left out. `own`: as the model pools itself."""
    from bertsmith.encoder import load_checkpoint
    from bertsmith.encoder.hub import resolve
    from bertsmith.recipes.encoding import Whiten
    from bertsmith.recipes.sts import StsRecipe, evaluate_sts

    poolings = [p for p in POOLINGS if p != "pooler" or "pooler" in load_checkpoint(resolve(model)).heads]
    recipe = StsRecipe(
        models=(model,),
        data=tuple(sets.measured.values()),
        poolings=() if own else tuple(poolings),
        whiten=Whiten() if whiten else None,
        resamples=1,
    )
    found: dict[str, dict[str, float]] = {}
    names = {str(path): name for name, path in sets.measured.items()}
    for score in evaluate_sts(recipe).scores:
        found.setdefault("own" if own else NAMES[score.pooling], {})[names[score.data.name]] = 100 * score.spearman
    return found


RUNGS = ("raw", "whitening", "simcse", "simcse-su", "simcse-supervised", "cosent")


def main() -> None:
    """Run what the notebook does not hold yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--notebook", type=Path, required=True)
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=RUNGS)
    parser.add_argument("--texts", type=int, help="at most so many single texts")
    parser.add_argument("--pairs", type=int, help="at most so many pairs of LCQMC and of ATEC")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="of every recipe")
    given = parser.parse_args()
    done = [json.loads(line) for line in given.notebook.read_text().splitlines()] if given.notebook.exists() else []
    with TemporaryDirectory() as place:
        sets = prepared(given.data, Path(place), pairs=given.pairs, texts=given.texts)
        for rung in given.rungs:
            for seed in range(given.seeds if rung not in ("raw", "whitening") else 1):
                key = {"rung": rung, "seed": seed, "model": given.model, "texts": given.texts, "pairs": given.pairs}
                key["settings"] = given.settings
                if any(all(line.get(name) == value for name, value in key.items()) for line in done):
                    continue
                clock, began = process_time(), perf_counter()
                model = given.model
                if rung not in ("raw", "whitening"):
                    out = Path(place) / f"{rung}-{seed}"
                    model = str(trained(rung, sets, given.model, seed, out, given.settings))
                found = measured(model, sets, whiten=rung == "whitening")
                if rung == "simcse-supervised":
                    found["own"] = measured(model, sets, whiten=False, own=True)["own"]
                line = {**key, "spearman": found, "cpu_seconds": round(process_time() - clock, 1)}
                line["seconds"] = round(perf_counter() - began, 1)
                done.append(line)
                given.notebook.parent.mkdir(parents=True, exist_ok=True)
                with given.notebook.open("a") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)
    show([line for line in done if line["model"] == given.model and line["settings"] == given.settings], sets)


def show(done: list[dict[str, Any]], sets: Sets) -> None:
    """Mean ± standard deviation over seeds, a row for each rung and pooling."""
    names = [*sets.measured]
    print(f"| method | pooling | {' | '.join(names)} | mean | seeds |\n|---|---|{'--:|' * (len(names) + 2)}")
    for rung in RUNGS:
        runs = [line["spearman"] for line in done if line["rung"] == rung]
        for pooling in ("P1", "P2", "P3", "P4", "own"):
            table = np.array([[run[pooling][name] for name in names] for run in runs if pooling in run])
            if not len(table):
                continue
            full = np.column_stack([table, table.mean(1)])
            spread = full.std(0, ddof=1) if len(full) > 1 else np.zeros(full.shape[1])
            cells = [
                f"{mean:.2f} ± {std:.2f}" if len(full) > 1 else f"{mean:.2f}"
                for mean, std in zip(full.mean(0), spread, strict=True)
            ]
            print(f"| {rung} | {pooling} | {' | '.join(cells)} | {len(full)} |")


if __name__ == "__main__":
    main()
