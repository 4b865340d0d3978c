"""`bertsmith finetune`: from a file of labelled texts to a proven model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, RunOptions, columns_of, nested
from bertsmith.cli.output import print_json
from bertsmith.cli.resuming import recipe_to_run
from bertsmith.cli.tasks import has_tasks, one_task, read_recipe, several_tasks

if TYPE_CHECKING:
    from bertsmith.recipes import FinetuneRecipe, MultiTaskRecipe

Several = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)]
"""An option that may be given once a task."""


def finetune(
    *,
    out: Path,
    task: Several = None,
    model: str | None = None,
    encoder: str | None = None,
    train: Several = None,
    dev: Several = None,
    test: Several = None,
    columns: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    head_lr: float | None = None,
    max_length: int | None = None,
    truncation: Literal["head", "tail", "head_tail", "chunks", "auto"] | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Fine-tune on labelled texts; leaves the model, its metrics and a report in --out.

    Example: bertsmith finetune --task classification --model bert-base-chinese --train train.csv --test test.csv
    --out runs/first

    Several tasks over one encoder: each gets a name, and files by this name, as --task topic=classification
    --train topic=topics.csv --task names=tagging --train names=names.conll.

    Parameters
    ----------
    out
        Folder for the model, metrics.json, report.html and the rest.
    task
        What to learn: one label for a text (classification), any number of labels (multilabel), a number
        (regression), one label for two texts (pair), or spans (tagging); of several tasks name=KIND, once each.
    model
        Checkpoint to start from: a bundled name, a folder in the Hugging Face layout, or a hub id.
    encoder
        Start from random weights instead: tiny, mini, small, base, large, or a JSON file.
    train
        Labelled texts: .csv, .tsv, .jsonl or .parquet, also .gz, .xz or .zst.
    dev
        Texts to choose the best weights by; without it, 10 % of train are set aside, seeded and stratified.
    test
        Texts for the final figures; touched once, at the end.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2,label=score.
    epochs
        Passes over the training texts (3, or as many as make 400 updates; 10 from random weights).
    batch_size
        Texts in one update (32).
    lr
        Peak learning rate (5e-5; 3e-4 for encoders narrower than 384, such as tiny-zh; 1e-3 from random weights).
    head_lr
        Peak learning rate of the head, if another one.
    max_length
        Tokens read of one text, special tokens included (512, or what the encoder can).
    truncation
        What to keep of longer texts: the head, the tail, head and tail (128 + 382 of 510), or all of them in chunks;
        auto chooses by their lengths.
    dry_run
        Read and load everything, print the parameter groups and the complete recipe, and train nothing.
    """
    common, run = common or CommonOptions(), run or RunOptions()
    files = {"train": train, "dev": dev, "test": test}
    recipe_files = (common.recipe, out / "recipe.yaml" if run.resume and not run.overwrite else None)
    shared = {
        "start.model": model,
        "start.encoder": encoder,
        "budget.epochs": epochs,
        "batches.batch_size": batch_size,
        "optimizer.lr": lr,
        "optimizer.head_lr": head_lr,
        "seed": common.seed,
        "device": None if common.device == "auto" else common.device,
    }
    own = {
        "data.encoding": common.encoding,
        "data.columns": columns_of(columns),
        "document.max_length": max_length,
        **{f"document.{name}": value for name, value in long_texts(truncation).items()},
    }
    if has_tasks(task, *recipe_files):
        file = next((file for file in recipe_files if file is not None), None)
        given = nested(shared) | {"tasks": several_tasks(task, files, own, file=file)}
    else:
        given = nested({**one_task(task, files), **shared, **own})
    if dry_run:
        show_rehearsal(given, out=out, run=run, common=common)
        return
    summary = run_finetune(given, out=out, run=run, common=common)
    if summary is None:
        return
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def long_texts(truncation: str | None) -> dict[str, str]:
    """What `--truncation` stands for in a recipe."""
    if truncation is None:
        return {}
    return {"kind": truncation} if truncation in ("chunks", "auto") else {"keep": truncation}


def show_rehearsal(given: dict[str, Any], *, out: Path, run: RunOptions, common: CommonOptions) -> None:
    """Print what the run would do."""
    from bertsmith.recipes import (
        FinetuneRecipe,
        read_splits,
        read_task_splits,
        recipe_yaml,
        rehearse,
        rehearse_multitask,
    )
    from bertsmith.training import group_table

    recipe = chosen_recipe(given, out=out, run=run, common=common)
    if isinstance(recipe, FinetuneRecipe):
        found = rehearse(recipe, read_splits(recipe))
    else:
        found = rehearse_multitask(recipe, read_task_splits(recipe))
    if common.json:
        groups = [
            {
                "name": g.name,
                "rate": g.rate,
                "weight_decay": g.weight_decay,
                "size": g.size,
                "tensors": list(g.parameters),
            }
            for g in found.groups
        ]
        cut = {name: {"texts": lost.texts, "tokens": lost.tokens} for name, lost in found.truncated.items()}
        told = {"rows": found.rows, "truncated": cut, "groups": groups, "notes": list(found.notes)}
        print_json({**told, "recipe": recipe.model_dump(mode="json")})
        return
    print("  ".join(f"{name}: {rows:,} rows" for name, rows in found.rows.items()))
    print("\n".join(found.notes))
    print(f"\n{group_table(found.groups)}\n\n{recipe_yaml(recipe)}", end="")


def run_finetune(given: dict[str, Any], *, out: Path, run: RunOptions, common: CommonOptions) -> dict[str, Any] | None:
    """Run it and write everything to `out`; returns the JSON object, None on processes that only help."""
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import (
        LOG,
        FinetuneRecipe,
        finetune,
        is_complete,
        multitask,
        read_splits,
        read_task_splits,
    )
    from bertsmith.report import write_multitask, write_outputs
    from bertsmith.training import LogFile, is_leader, progress_listener

    recipe = chosen_recipe(given, out=out, run=run, common=common)
    if is_leader():
        require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    if run.resume and is_complete(out):
        return stored_summary(out) if is_leader() else None
    around: dict[str, Any] = {
        "out": out,
        "resume": run.resume,
        "listeners": (progress_listener(), LogFile(out / LOG)),
    }
    command = ["bertsmith", *sys.argv[1:]]
    if isinstance(recipe, FinetuneRecipe):
        result = finetune(recipe, read_splits(recipe), **around)
        return write_outputs(result, out, command=command) if result.leads else None
    results = multitask(recipe, read_task_splits(recipe), **around)
    return write_multitask(results, out, command=command) if results.leads else None


def chosen_recipe(
    given: dict[str, Any], *, out: Path, run: RunOptions, common: CommonOptions
) -> "FinetuneRecipe | MultiTaskRecipe":
    """The recipe the options stand for; with `--resume` that of the run in `out`, which they must not contradict."""
    from bertsmith.recipes import require_same_run

    return recipe_to_run(
        lambda file: read_recipe(given, file=file, settings=common.settings),
        lambda file: read_recipe({}, file=file),
        out=out,
        run=run,
        common=common,
        same=require_same_run,
    )


def stored_summary(out: Path) -> dict[str, Any]:
    """What a complete run found."""
    import json

    from bertsmith.recipes import METRICS

    print(f"{out}: this run is complete; nothing to resume", file=sys.stderr)
    return dict(json.loads((out / METRICS).read_text(encoding="utf-8")))


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    joined = summary.get("ngrams", {})
    for split in ("dev", "test"):
        print_figures(split, summary.get(split, {}))
        for who, called in (("encoder", "encoder"), ("ngrams", "n-grams")):
            print_figures(f"  of which the {called} alone", joined.get(split, {}).get(who, {}))
    if "why" in joined:
        print(f"n-grams: none, {joined['why']}")
    for name, alone in summary.get("final", {}).items():
        for split in ("dev", "test"):
            print_figures(f"{split} {name}, gone on alone", alone.get(split, {}))
    cut = summary["truncated"]
    if cut["texts"]:
        texts = summary["train_texts"]
        total = sum(texts.values()) if isinstance(texts, dict) else texts
        print(f"shortened {cut['texts']:,} of {total:,} training texts, {cut['tokens']:,} tokens lost")
    print(f"model, metrics and report: {summary['out']}  ({summary['seconds']:.0f} s)")


def print_figures(name: str, figures: dict[str, Any]) -> None:
    """A line with the figures of a split, or one for each task."""
    if not figures:
        return
    if isinstance(next(iter(figures.values())), dict):
        for task, own in figures.items():
            print_figures(f"{name} {task}", own)
        return
    print(f"{name:5} " + "  ".join(f"{metric} {value:.4f}" for metric, value in figures.items()))
