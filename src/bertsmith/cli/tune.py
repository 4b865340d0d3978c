"""`bertsmith tune`: which values of a recipe's fields suit these texts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bertsmith.cli.finetune import stored_summary
from bertsmith.cli.options import CommonOptions, RunOptions, TaskOptions, text_of
from bertsmith.cli.output import print_json, to_stderr
from bertsmith.cli.resuming import recipe_to_run

if TYPE_CHECKING:
    from bertsmith.experiments import TrialRunner, TuneRecipe


def tune(
    *,
    out: Path,
    dev: Path | None = None,
    grid: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    search: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    tpe: int | None = None,
    seeds: int | None = None,
    prune: Literal["auto", "none", "median", "halving"] | None = None,
    what: TaskOptions | None = None,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Try values of recipe fields, keep what is best on dev: a grid, or so many sets drawn by TPE.

    Example: bertsmith tune --task classification --model bert-base-chinese --train train.csv --test test.csv
    --grid bert --processes 2 --out runs/tuned

    Parameters
    ----------
    out
        Folder for the best model (best/), the table of trials, report.html and the rest.
    dev
        Texts to compare by; without it, 10 % of train are set aside, seeded and stratified.
    grid
        FIELD=a,b,c for each field, or bert: batch sizes 16, 32; rates 5e-5, 3e-5, 2e-5; 2, 3, 4 epochs. lr,
        head_lr, batch_size, epochs and max_length are short for their fields.
    search
        FIELD=low..high, or FIELD=low..high:log, to draw from with --tpe.
    tpe
        Draw so many sets by the tree-structured Parzen estimator (needs the extra hpo) instead of trying all.
    seeds
        Train every set with so many seeds and compare the means (1).
    prune
        Give trials up early: by the median of those before (auto does so with --tpe), or by successive halving.
    """
    common, run, what = common or CommonOptions(), run or RunOptions(), what or TaskOptions()
    given = what.given(common)
    if dev is not None:
        given.setdefault("data", {})["dev"] = text_of(dev)
    tuning = _tuning(grid, search, tpe=tpe, seeds=seeds, prune=prune)
    if tuning:
        given["tune"] = tuning
    summary = _run(given, out, what=what, run=run, common=common)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def _tuning(
    grid: list[str] | None, search: list[str] | None, *, tpe: int | None, seeds: int | None, prune: str | None
) -> dict[str, Any]:
    """The options as the part `tune` of a recipe."""
    from bertsmith.experiments import parse_grid, parse_search

    space = {**({"grid": parse_grid(grid)} if grid else {}), **({"search": parse_search(search)} if search else {})}
    rules: dict[str | None, Any] = {"none": None, "auto": "auto"}
    rule = {} if prune is None else {"pruning": rules.get(prune, {"kind": prune})}
    numbers = {name: value for name, value in (("tpe", tpe), ("seeds", seeds)) if value is not None}
    return {**space, **numbers, **rule}


def _run(
    given: dict[str, Any], out: Path, *, what: TaskOptions, run: RunOptions, common: CommonOptions
) -> dict[str, Any]:
    """Search, write everything to `out`; returns the JSON object."""
    from bertsmith.experiments import begin_folder, tune, tune_recipe
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import RECIPE, holding_folder, is_complete, read_splits, rehearse
    from bertsmith.report import write_tuned

    recipe = chosen_recipe(given, out, run=run, common=common)
    if run.resume and not what.retry_failed and is_complete(out) and recipe == tune_recipe(given={}, file=out / RECIPE):
        return stored_summary(out)
    require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    base = recipe.base
    splits = read_splits(base)
    for note in rehearse(base, splits).notes:
        to_stderr(note)
    with holding_folder(out):
        begin_folder(out, recipe, anew=run.overwrite and not run.resume)
        runner = runner_for(out, what)
        tuned = tune(recipe, splits, runner)
        return write_tuned(tuned, runner, out, command=["bertsmith", *sys.argv[1:]])


def runner_for(out: Path, what: TaskOptions) -> "TrialRunner":
    """What runs the trials of a folder."""
    from bertsmith.experiments import TrialRunner

    return TrialRunner(
        out, processes=what.processes, minutes=what.minutes, say=to_stderr, retry_failed=what.retry_failed
    )


def chosen_recipe(given: dict[str, Any], out: Path, *, run: RunOptions, common: CommonOptions) -> "TuneRecipe":
    """The search the options stand for; with `--resume` that in `out`, of which only the space may change."""
    from bertsmith.experiments import tune_recipe

    return recipe_to_run(
        lambda file: tune_recipe(given=given, file=file, settings=common.settings),
        lambda file: tune_recipe(given={}, file=file),
        out=out,
        run=run,
        common=common,
        same=_require_same,
    )


def _require_same(recipe: "TuneRecipe", stored: "TuneRecipe", *, where: Path) -> None:
    from bertsmith.recipes import require_same_run

    require_same_run(recipe.base, stored.base, where=where)


def print_summary(summary: dict[str, Any]) -> None:
    """Print the table and the best set for people."""
    best, metric = summary["best"], summary["best"]["metric"]
    for row in summary["table"][:10]:
        value = "" if row["value"] is None else f"{row['value']:.4f}"
        spread = "" if row["std"] is None else f" ± {row['std']:.4f}"
        print(f"{value:>8}{spread}  {row['status']:8} {row['seconds']:7.0f} s  {row['words']}")
    if len(summary["table"]) > 10:
        print(f"… and {len(summary['table']) - 10} more in {summary['out']}/trials.csv")
    print(f"\nbest of {summary['trials']}: dev {metric} {best['value']:.4f} with {best['words']}")
    for name in ("test", "ensemble"):
        figures = summary.get(name, {}) if name == "test" else summary.get(name, {}).get("test", {})
        if figures:
            values = "  ".join(f"{each} {value:.4f}" for each, value in figures.items())
            print(f"{'test' if name == 'test' else 'test, all seeds together'}: {values}")
    for note in summary["notes"]:
        print(note)
    print(f"model: {summary['out']}/best  report: {summary['out']}/report.html  ({summary['seconds']:.0f} s)")
