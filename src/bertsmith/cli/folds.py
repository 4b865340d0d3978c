"""`bertsmith folds`: cross-validation, and the models of all folds as one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.cli.finetune import stored_summary
from bertsmith.cli.options import CommonOptions, RunOptions, TaskOptions
from bertsmith.cli.output import print_json
from bertsmith.cli.resuming import recipe_to_run
from bertsmith.cli.tune import runner_for

if TYPE_CHECKING:
    from bertsmith.experiments import FoldsRecipe


def folds(
    *,
    out: Path,
    k: int | None = None,
    what: TaskOptions | None = None,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Train a model for every fold on the other folds; leaves answers to every row, and all models as one.

    Example: bertsmith folds --k 5 --task classification --model bert-base-chinese --train train.csv --out runs/folds

    Parameters
    ----------
    out
        Folder for the ensemble, predictions_folds.jsonl, metrics.json, report.html and the rest.
    k
        Folds (5), stratified by label; equal texts, and rows of one data.group_column, share a fold.
    """
    common, run, what = common or CommonOptions(), run or RunOptions(), what or TaskOptions()
    given = what.given(common)
    if k is not None:
        given["folds"] = {"k": k}
    summary = _run(given, out, what=what, run=run, common=common)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def _run(
    given: dict[str, Any], out: Path, *, what: TaskOptions, run: RunOptions, common: CommonOptions
) -> dict[str, Any]:
    """Cross-validate, write everything to `out`; returns the JSON object."""
    from bertsmith.experiments import begin_folder, cross_validate
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import holding_folder, is_complete
    from bertsmith.report import write_folds

    recipe = chosen_recipe(given, out, run=run, common=common)
    if run.resume and is_complete(out):
        return stored_summary(out)
    require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    base = recipe.base
    rows, test = _rows(base)
    with holding_folder(out):
        begin_folder(out, recipe, anew=run.overwrite and not run.resume)
        runner = runner_for(out, what)
        found = cross_validate(base, recipe.folds, rows, runner)
        return write_folds(found, runner, out, test=test, command=["bertsmith", *sys.argv[1:]])


def _rows(base: Any) -> tuple[Any, Any]:
    """All rows, and those of test, which the models can be measured on."""
    from bertsmith.data import require_trainable
    from bertsmith.errors import UserError
    from bertsmith.recipes import read_rows

    data = base.data
    if not data.train:
        raise UserError("no training data: give --train FILE", code="bad_usage")
    if data.dev:
        raise UserError(
            "data.dev is set, but every row of train is held out once; leave dev out, or add its rows to train",
            code="bad_usage",
        )
    files = {name: file for name, file in (("train", data.train), ("test", data.test)) if file is not None}
    rows = {
        name: read_rows(Path(file), base.task, data.columns, encoding=data.encoding) for name, file in files.items()
    }
    require_trainable({name: each.records for name, each in rows.items()}, labels=base.task.reads)
    return rows["train"], rows.get("test")


def chosen_recipe(given: dict[str, Any], out: Path, *, run: RunOptions, common: CommonOptions) -> "FoldsRecipe":
    """The recipe the options stand for; with `--resume` that of the run in `out`, which they must not contradict."""
    from bertsmith.experiments import folds_recipe

    return recipe_to_run(
        lambda file: folds_recipe(given=given, file=file, settings=common.settings),
        lambda file: folds_recipe(given={}, file=file),
        out=out,
        run=run,
        common=common,
        same=_require_same,
    )


def _require_same(recipe: "FoldsRecipe", stored: "FoldsRecipe", *, where: Path) -> None:
    from bertsmith.recipes import require_same_run

    require_same_run(recipe.base, stored.base, where=where)
    require_same_run(recipe.folds, stored.folds, where=where)


def print_summary(summary: dict[str, Any]) -> None:
    """Print the figures for people."""
    for fold in summary["folds"]:
        values = "  ".join(f"{name} {value:.4f}" for name, value in fold["metrics"].items())
        print(f"fold {fold['fold']:<3} {fold['rows']:>7,} rows  {values}  {fold['seconds']:.0f} s")
    for name, mean in summary["mean"].items():
        print(f"{name:12} {mean:.4f} ± {summary['std'][name]:.4f} between folds")
    for name, value in summary["pooled"].items():
        low, high = summary["intervals"].get(name, (value, value))
        print(f"{name:12} {value:.4f}   95 % interval {low:.4f} to {high:.4f}, all rows, each held out once")
    if "test" in summary:
        print("test, all models together: " + "  ".join(f"{n} {v:.4f}" for n, v in summary["test"].items()))
    for note in summary["notes"]:
        print(note)
    print(f"the models together: {summary['out']}  report: {summary['out']}/report.html  ({summary['seconds']:.0f} s)")
