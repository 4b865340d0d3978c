"""`bertsmith contrast`: from texts, pairs, triplets or groups to a sentence encoder."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.finetune import stored_summary
from bertsmith.cli.options import CommonOptions, RunOptions, nested, text_of
from bertsmith.cli.output import print_json
from bertsmith.cli.resuming import recipe_to_run

if TYPE_CHECKING:
    from bertsmith.recipes import ContrastRecipe


def contrast(
    *,
    out: Path,
    method: str | None = None,
    model: str | None = None,
    encoder: str | None = None,
    train: Path | None = None,
    dev: Path | None = None,
    test: Path | None = None,
    exclude: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    columns: str | None = None,
    teacher: str | None = None,
    then: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    max_length: int | None = None,
    dropout: float | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Make a sentence encoder: texts that mean the same get similar vectors.

    Example: bertsmith contrast --method simcse --model bert-base-chinese --train texts.txt --dev sts-dev.tsv
    --out runs/vectors

    Parameters
    ----------
    out
        Folder for the encoder, metrics.json, report.html and the rest; sentence-transformers loads it too.
    method
        simcse, simcse-su (single texts); simcse-supervised, triplet (triplets); ranking (pairs, triplets);
        cosent, sbert-regression (pairs with a number); sbert (pairs with a label); simbert (groups of similar
        texts; also writes new ones); distill (single texts and a teacher).
    model
        Checkpoint to start from: a bundled name, a folder in the Hugging Face layout, a sentence encoder, or a hub id.
    encoder
        Start from random weights instead: tiny, mini, small, base, large, or a JSON file.
    train
        What to learn from: .txt with a text a line, or .csv, .tsv, .jsonl or .parquet (also .gz, .xz, .zst).
    dev
        Pairs with a number, triplets, pairs or groups to choose the best weights by; without it, 10 % of train are
        set aside, where they can be measured by.
    test
        The same for the final figures; touched once, at the end.
    exclude
        Files whose texts must not be learned from (dev and test files); what is left out is counted.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2,label=score or anchor=a,positive=b,negative=c.
    teacher
        Sentence encoder to learn from (distill).
    then
        Methods of further stages, which go on with what the one before has made: --method simbert --then simcse.
    steps
        Updates to make, instead of epochs.
    epochs
        Passes over the training items.
    batch_size
        Items in one update; all of them are each other's negatives, in the memory of a few.
    lr
        Peak learning rate (the method's; 2e-4 for encoders narrower than 384, such as tiny-zh).
    max_length
        Tokens read of one training text, special tokens included.
    dropout
        Rate of the encoder's dropout while it learns.
    dry_run
        Read and load everything, print the complete recipe, and train nothing.
    """
    common, run = common or CommonOptions(), run or RunOptions()
    given = nested(
        {
            "start.model": model,
            "start.encoder": encoder,
            "data.train": text_of(train),
            "data.dev": text_of(dev),
            "data.test": text_of(test),
            "data.exclude": [str(path) for path in exclude] if exclude else None,
            "data.encoding": common.encoding,
            "teacher": teacher,
            "then": then,
            "batches.batch_size": batch_size,
            "optimizer.lr": lr,
            "max_length": max_length,
            "dropout": dropout,
            "seed": common.seed,
            "device": None if common.device == "auto" else common.device,
        }
    )
    if steps is not None or epochs is not None:
        given["budget"] = {"max_steps": steps, "epochs": epochs}
    recipe = chosen_recipe(given, method, out=out, columns=columns, run=run, common=common)
    if dry_run:
        show_rehearsal(recipe, as_json=common.json)
        return
    summary = run_contrast(recipe, out=out, run=run)
    if summary is None:
        return
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def run_contrast(recipe: "ContrastRecipe", *, out: Path, run: RunOptions) -> dict[str, Any] | None:
    """Run it and write everything to `out`; returns the JSON object, None on processes that only help."""
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import contrast, is_complete
    from bertsmith.report import write_contrast
    from bertsmith.training import is_leader, progress_listener

    if is_leader():
        require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    if run.resume and is_complete(out):
        return stored_summary(out) if is_leader() else None
    result = contrast(recipe, out=out, resume=run.resume, listeners=(progress_listener(),))
    return write_contrast(result, out, command=["bertsmith", *sys.argv[1:]]) if result.leads else None


def chosen_recipe(
    given: dict[str, Any],
    method: str | None,
    *,
    out: Path,
    columns: str | None,
    run: RunOptions,
    common: CommonOptions,
) -> "ContrastRecipe":
    """The recipe the options stand for; with `--resume` that of the run in `out`, which they must not contradict."""
    from bertsmith.data import ItemColumns
    from bertsmith.recipes import contrast_recipe, require_same_run

    if columns:
        given = {**given, "data": {**given.get("data", {}), "columns": ItemColumns.parse(columns).model_dump()}}
    return recipe_to_run(
        lambda file: contrast_recipe(method=method, given=given, file=file, settings=common.settings),
        lambda file: contrast_recipe(method=None, given={}, file=file),
        out=out,
        run=run,
        common=common,
        same=require_same_run,
    )


def show_rehearsal(recipe: "ContrastRecipe", *, as_json: bool) -> None:
    """Print what the run would do."""
    from bertsmith.recipes import recipe_yaml, rehearse_contrast

    found = rehearse_contrast(recipe)
    if as_json:
        told = {"items": found.items, "texts": found.texts, "updates": found.updates, "truncated": found.truncated}
        print_json({**told, "notes": list(found.notes), "recipe": recipe.model_dump(mode="json")})
        return
    print(f"{found.items:,} items of {found.texts:,} texts, {found.updates:,} updates an epoch")
    print("\n".join(found.notes))
    print(f"\n{recipe_yaml(recipe)}", end="")


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    for split in ("dev", "test"):
        if summary.get(split):
            values = "  ".join(f"{name} {value:.4f}" for name, value in summary[split].items())
            print(f"{split:5} {values}")
    cut = summary["truncated"]
    if cut["texts"]:
        print(f"shortened {cut['texts']:,} of {summary['train_texts']:,} training texts, {cut['tokens']:,} tokens lost")
    print(f"sentence encoder, metrics and report: {summary['out']}  ({summary['seconds']:.0f} s)")
