"""What an encoder is worth: four Chinese tasks, three seeds, beside a linear SVM and its shape from random weights.

    python benchmarks/downstream.py --data PATH --model tiny-zh --work FOLDER
    python benchmarks/downstream.py --work FOLDER --table

One recipe for all tasks (`chinese.RECIPE`); the random weights get a higher rate, without which they learn
less. Where n-grams answer beside the encoder, it has a row alone and one with them. Scores go to
FOLDER/scores.jsonl; a broken run goes on where it was.
"""

import argparse
from pathlib import Path

from chinese import TASKS, Notebook, Trial, interval, linear_svm, run
from fresh import in_fresh_process

SEEDS = (0, 1, 2)
RANDOM, SVM = "random weights", "linear SVM"
FOR_RANDOM_WEIGHTS = ("optimizer.lr=1e-3",)


def main() -> None:
    """Fine-tune what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder with the labelled sets")
    parser.add_argument("--model", nargs="+", default=["tiny-zh"], metavar="M", help="encoders; NAME=M names a row")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, metavar="N")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="scores, and the random weights")
    parser.add_argument("--peers", action="store_true", help="also the SVM and random weights")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(options.work / "scores.jsonl")
    if not options.table:
        for task in options.tasks:
            measure(task, options, notebook)
    print(table(notebook))


def measure(task: str, options: argparse.Namespace, notebook: Notebook) -> None:
    """One task: every encoder with every seed, and the peers."""
    if options.peers and notebook.find(encoder=SVM, task=task) is None:
        score = linear_svm(TASKS[task], options.data)
        notebook.add({"encoder": SVM, "task": task, "seed": 0, **score.metrics, "seconds": score.seconds})
    encoders = {name: model or name for name, _, model in (given.partition("=") for given in options.model)}
    if options.peers:
        first = next(iter(encoders.values()))
        encoders[RANDOM] = in_fresh_process(random_twin, first, options.work / "random")
    for name, model in encoders.items():
        for seed in options.seeds:
            if notebook.find(encoder=name, task=task, seed=seed) is None:
                settings = FOR_RANDOM_WEIGHTS if name == RANDOM else ()
                score = run(Trial(model, task, seed, settings=settings), options.data)
                trial = {"task": task, "seed": seed, "seconds": score.seconds}
                notebook.add({"encoder": name, **trial, **score.metrics})
                if score.with_ngrams:
                    notebook.add({"encoder": f"{name}, with n-grams", **trial, **score.with_ngrams})


def random_twin(model: str, folder: Path) -> str:
    """The same shape and vocabulary with random weights."""
    from bertsmith.encoder import load_checkpoint, new_encoder
    from bertsmith.encoder.hub import resolve
    from bertsmith.text import Tokenizer

    source = resolve(model)
    Tokenizer.from_folder(source).save(folder)
    new_encoder(load_checkpoint(source).encoder.config, seed=0).save_pretrained(folder)
    return str(folder)


def table(notebook: Notebook) -> str:
    """An encoder a line; each metric with its interval over seeds."""
    columns = [(task, metric) for task in TASKS for metric in TASKS[task].metrics]
    names = list(dict.fromkeys(row["encoder"] for row in notebook.rows))
    lines = ["| encoder | " + " | ".join(f"{TASKS[task].name}, {metric}" for task, metric in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in names:
        cells = [
            cell([row for row in notebook.rows if row["encoder"] == name and row["task"] == task], metric)
            for task, metric in columns
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(rows: list[dict[str, float]], metric: str) -> str:
    """Mean, and the half-width where there are several seeds."""
    if not rows:
        return ""
    mean, half = interval([row[metric] for row in rows])
    return f"{mean:.1f}" if len(rows) < 2 else f"{mean:.1f} ± {half:.1f}"


if __name__ == "__main__":
    main()
