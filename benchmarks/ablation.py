"""Which objective teaches a small Chinese encoder most, at an equal and small budget?

    python benchmarks/ablation.py --data PATH --corpus FILE... --similar FILE --work FOLDER
    python benchmarks/ablation.py --work FOLDER --table

Every arm learns from the same excerpt twenty times (1.5 million characters unless --characters says
other), without dropout, with the same shape, vocabulary size, rate and number of texts in an update; the
last columns of the table say what it cost (minutes of one core). Then it is fine-tuned on three tasks with
three seeds. All arms but those of sentence pairs fill texts across documents, so that only the corruption
differs. Scores go to FOLDER/scores.jsonl; a broken run goes on.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from bertsmith.data.corpus import Corpus
from bertsmith.pretraining import OBJECTIVES, Objective
from bertsmith.pretraining.arrangement import FullSentences, SentenceOrder
from chinese import BRIEF, Notebook, Trial, interval, run
from fresh import in_fresh_process

SHAPE = {"num_layers": 2, "hidden_size": 128, "num_heads": 2, "intermediate_size": 512}
CHARACTERS = 1_500_000
EPOCHS = 20
BATCH = 16
"""Texts in an update: the plateau at the beginning is passed in updates rather than in tokens."""
SEEDS = (0, 1, 2)


def arms() -> dict[str, Objective]:
    """The objectives compared, each the named one but for what must be equal."""
    tokens, whole = OBJECTIVES["roberta"], FullSentences()
    pairs = OBJECTIVES["bert"]
    return {
        "tokens, static": tokens.but(copies=10),
        "tokens, dynamic": tokens,
        "whole words": OBJECTIVES["wwm"],
        "spans and their borders": OBJECTIVES["spanbert"].but(arrange=whole),
        "MacBERT's similar words": OBJECTIVES["macbert"].but(arrange=whole, losses=tokens.losses),
        "ELECTRA": OBJECTIVES["electra"].but(arrange=whole),
        "tokens, next sentence": pairs.but(copies=None),
        "tokens, sentence order": pairs.but(copies=None, arrange=SentenceOrder()),
    }


def main() -> None:
    """Train and fine-tune what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder with the labelled sets")
    parser.add_argument("--corpus", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--similar", type=Path, metavar="FILE", help="similar words, as bertsmith similar makes them")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="checkpoints and scores")
    parser.add_argument("--arms", nargs="+", choices=list(arms()), default=list(arms()), metavar="NAME")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"times the corpus is read ({EPOCHS})")
    parser.add_argument("--characters", type=int, default=CHARACTERS, help=f"length of the excerpt ({CHARACTERS})")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(options.work / "scores.jsonl")
    if not options.table:
        text = excerpt(options.corpus, options.characters, options.work / "corpus.txt")
        for arm in options.arms:
            trained(arm, text, options, notebook)
            fine_tuned(arm, options, notebook)
    print(table(notebook))


def excerpt(files: list[Path], characters: int, target: Path) -> Path:
    """The first documents of the corpus, as many as make up the characters."""
    if target.exists():
        return target
    lines: list[str] = []
    size = 0
    for paragraph in Corpus(paths=tuple(files)).paragraphs():
        if paragraph.opens and size >= characters:
            break
        lines += ["", paragraph.text] if paragraph.opens and lines else [paragraph.text]
        size += len(paragraph.text)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def folder_of(arm: str, work: Path) -> Path:
    """Where the checkpoint of an arm lies."""
    return work / "".join(letter if letter.isalnum() else "-" for letter in arm.lower())


def trained(arm: str, text: Path, options: argparse.Namespace, notebook: Notebook) -> None:
    """Pre-train an arm unless that is done."""
    if notebook.find(arm=arm, task="pretraining") is None:
        found = in_fresh_process(pretrained, arm, text, options.similar, options.work, options.epochs)
        notebook.add({"arm": arm, "task": "pretraining", **found})


def pretrained(arm: str, text: Path, similar: Path | None, work: Path, epochs: int) -> dict[str, Any]:
    """One arm from random weights."""
    import time

    import torch

    from bertsmith.recipes.pretraining import pretrain, save_pretrained
    from bertsmith.recipes.pretraining_schema import pretrain_recipe

    torch.set_num_threads(1)
    shape = work / "shape.json"
    shape.write_text(json.dumps(SHAPE), encoding="utf-8")
    needs_similar = arm.startswith("MacBERT")
    recipe = pretrain_recipe(
        objective="roberta",
        given={
            "name": "roberta",
            "objective": arms()[arm].model_dump(),
            "start": {"encoder": str(shape), "dropout": 0.0, "vocabulary": {"size": 6000}},
            "corpus": {"paths": [str(text)]},
            "similar": str(similar) if needs_similar else None,
            "texts": {"batch_size": BATCH},
            "budget": {"epochs": epochs, "max_steps": None},
            "selection": {"every": 1000},
            "snapshot_every": 100_000,
            "threads": 1,
            "device": "cpu",
        },
    )
    folder = folder_of(arm, work)
    result = pretrain(recipe, out=folder, listeners=(), resume=False)
    save_pretrained(result, folder)
    summary = result.summary()
    kept = {name: summary[name] for name in ("steps", "tokens", "heldout", "seconds", "vocab_size")}
    return kept | {"cpu_seconds": round(time.process_time(), 1)}


def fine_tuned(arm: str, options: argparse.Namespace, notebook: Notebook) -> None:
    """Every task with every seed that is still missing."""
    for task in BRIEF:
        for seed in SEEDS:
            if notebook.find(arm=arm, task=task, seed=seed) is None:
                score = run(Trial(str(folder_of(arm, options.work)), task, seed, brief=True), options.data)
                notebook.add({"arm": arm, "task": task, "seed": seed, **score.metrics, "seconds": score.seconds})


def table(notebook: Notebook) -> str:
    """An arm a line: each task's first metric with its interval, their mean, and the minutes of pre-training."""
    lines = ["| arm | " + " | ".join(f"{BRIEF[task].name}, {BRIEF[task].metrics[0]}" for task in BRIEF)]
    lines[0] += " | mean | minutes | tokens |"
    lines.append("|---" * (len(BRIEF) + 4) + "|")
    for arm in arms():
        cells, means = [], []
        for task in BRIEF:
            rows = [row for row in notebook.rows if row["arm"] == arm and row["task"] == task]
            values = [row[BRIEF[task].metrics[0]] for row in rows]
            if values:
                mean, half = interval(values)
                means.append(mean)
                cells.append(f"{mean:.1f} ± {half:.1f}")
        cost = notebook.find(arm=arm, task="pretraining")
        if len(cells) == len(BRIEF) and cost:
            cells += [
                f"{statistics.mean(means):.1f}",
                f"{cost['cpu_seconds'] / 60:.0f}",
                f"{cost['tokens'] / 1e6:.0f} M",
            ]
            lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
