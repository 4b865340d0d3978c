"""`bertsmith ladder`: which tricks pay on these texts, at what price, and how sure that is."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, RunOptions, TaskOptions, text_of
from bertsmith.cli.output import print_json, to_stderr

if TYPE_CHECKING:
    from bertsmith.experiments import LadderRecipe


def ladder(
    *,
    out: Path,
    dev: Path | None = None,
    rungs: str | None = None,
    seeds: int | None = None,
    in_domain: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    extra: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    what: TaskOptions | None = None,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Climb the ladder of tricks of Sun et al. 2019 on your texts; what is shown to pay is kept.

    Example: bertsmith ladder --task classification --model bert-base-chinese --train train.csv --dev dev.csv
    --test test.csv --minutes 60 --processes 2 --out runs/ladder

    A baseline, then rung by rung: truncation, layers, rate, decay, within_task, in_domain, multitask,
    tricks. Every option is
    trained with several seeds; the report shows differences with intervals, costs, and verdicts that hold for all
    together. The same command again goes on where it was interrupted.

    Parameters
    ----------
    out
        Folder for the best model (best/), ladder.json, recipe.yaml, report.html and the rest.
    dev
        Texts to compare by; without it, 10 % of train are set aside, seeded and stratified.
    rungs
        Names of rungs, separated by commas, in the order to climb (all of ours, or those of the recipe file).
    seeds
        Seeds of every option (3; at least 2).
    in_domain
        Raw texts of the task's domain, for the rung in_domain: .txt, or data files.
    extra
        Other tasks to learn together with this one, for the rung multitask: name=KIND:FILE, as
        stars=regression:stars.csv.
    """
    common, run, what = common or CommonOptions(), run or RunOptions(), what or TaskOptions()
    given = what.given(common)
    if dev is not None:
        given.setdefault("data", {})["dev"] = text_of(dev)
    part = {
        "seeds": seeds,
        "minutes": what.minutes,
        "in_domain": [str(path) for path in in_domain] if in_domain else None,
        "extra": extra_tasks(extra) if extra else None,
    }
    given["ladder"] = {name: value for name, value in part.items() if value is not None}
    summary = _run(given, out, rungs, what=what, run=run, common=common)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def _run(
    given: dict[str, Any],
    out: Path,
    rungs: str | None,
    *,
    what: TaskOptions,
    run: RunOptions,
    common: CommonOptions,
) -> dict[str, Any]:
    """Climb, write everything to `out`; returns the JSON object."""
    began = time.monotonic()
    from bertsmith.cli.finetune import stored_summary
    from bertsmith.experiments import (
        LADDER_RECIPE,
        Facts,
        Journal,
        TrialRunner,
        Workshop,
        begin_folder,
        climb,
    )
    from bertsmith.experiments.places import JOURNAL
    from bertsmith.files import require_output_folder, write_text
    from bertsmith.recipes import METRICS, holding_folder, read_splits, rehearse
    from bertsmith.report import write_climbed

    goes_on = not run.overwrite and (run.resume or (out / LADDER_RECIPE).exists())
    recipe = chosen_recipe(given, out, rungs, goes_on=goes_on, common=common)
    require_output_folder(out, overwrite=run.overwrite, resume=goes_on)
    if goes_on and (out / METRICS).exists() and not what.retry_failed and _has_all_time(recipe, out):
        return stored_summary(out)
    base = recipe.base
    splits = read_splits(base)
    found = rehearse(base, splits)
    for note in found.notes:
        to_stderr(note)
    with holding_folder(out):
        begin_folder(out, recipe, anew=run.overwrite)
        write_text(out / LADDER_RECIPE, recipe.yaml())
        workshop = Workshop(out, splits, recipe.ladder, threads=what.processes, say=to_stderr)
        texts = sum(one.count() for one in recipe.ladder.extra.values())
        spent = sum(outcome.seconds for outcome in Journal(out / JOURNAL).outcomes().values()) / what.processes
        minutes = recipe.ladder.minutes
        spent += workshop.spent() + time.monotonic() - began
        left = None if minutes is None else max(minutes - spent / 60, 0.01)
        runner = TrialRunner(out, processes=what.processes, minutes=left, say=to_stderr, retry_failed=what.retry_failed)
        facts = Facts(found.lengths, found.max_length, found.num_layers, extra=texts / len(found.lengths))
        climbed = climb(recipe, splits, runner, workshop, facts)
        summary = write_climbed(climbed, runner, out, command=["bertsmith", *sys.argv[1:]])
        workshop.clear([climbed.final.recipe.start.model])
        return summary


def _has_all_time(recipe: "LadderRecipe", out: Path) -> bool:
    """Whether the ladder in `out` had the time that this one would have."""
    from bertsmith.experiments import LADDER_RECIPE, ladder_recipe

    return recipe.ladder.minutes == ladder_recipe(given={}, file=out / LADDER_RECIPE).ladder.minutes


def extra_tasks(given: list[str]) -> dict[str, dict[str, str]]:
    """Read `name=KIND:FILE`.

    Raises:
        UserError: one is written otherwise, or names a task twice.
    """
    from bertsmith.errors import UserError

    tasks: dict[str, dict[str, str]] = {}
    for one in given:
        name, _, rest = one.partition("=")
        kind, _, file = rest.partition(":")
        if not (name and kind and file) or name in tasks:
            raise UserError(
                f"--extra {one}: write name=KIND:FILE, each name once, as stars=regression:stars.csv", code="bad_usage"
            )
        tasks[name] = {"task": kind, "train": file}
    return tasks


def chosen_recipe(
    given: dict[str, Any], out: Path, rungs: str | None, *, goes_on: bool, common: CommonOptions
) -> "LadderRecipe":
    """The ladder the options stand for; one that is gone on with may only get another limit of time."""
    from bertsmith.experiments import LADDER_RECIPE, ladder_recipe, picked
    from bertsmith.recipes import require_run, require_same_run

    stored = out / LADDER_RECIPE
    if goes_on:
        require_run(out)
    again = goes_on and stored.exists()
    recipe = ladder_recipe(given=given, file=common.recipe or (stored if again else None), settings=common.settings)
    if rungs is not None:
        names = [name for name in (part.strip() for part in rungs.split(",")) if name]
        recipe = recipe.but(ladder=recipe.ladder.but(rungs=picked(recipe.ladder.rungs, names)))
    if again:
        before = ladder_recipe(given={}, file=stored)
        require_same_run(recipe.base, before.base, where=stored)
        require_same_run(recipe.ladder.but(minutes=None), before.ladder.but(minutes=None), where=stored)
    return recipe


def print_summary(summary: dict[str, Any]) -> None:
    """Print the rungs and the figures on test for people."""
    baseline, *climbed = summary["rungs"]
    print(f"{'baseline':32} dev {summary['metric']} {baseline['dev']['mean']:.4f} ± {baseline['dev']['std']:.4f}")
    for rung in climbed:
        for one in rung["options"]:
            change, kept = one["difference"], " (kept)" if one["name"] == rung["kept"] else ""
            stuck = f"; {one['not_converged']} did not converge" if one["not_converged"] else ""
            print(
                f"{rung['name'] + ' ' + one['name']:32} {one['dev']['mean']:.4f} ± {one['dev']['std']:.4f}  "
                f"{change['mean']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})  {one['minutes']:6.1f} min  "
                f"{one['verdict']}{kept}{stuck}"
            )
    for one in summary["skipped"]:
        print(f"{one['rung'] + ' ' + (one['option'] or ''):32} left out: {one['why']}")
    metric = summary["metric"]
    if summary["final_test"] is not None:
        print(f"\ntest {metric}: baseline {summary['baseline_test'][metric]:.4f}", end="")
        gain = summary["test_difference"]
        if gain is not None:
            print(
                f", final {summary['final_test'][metric]:.4f}, {gain['mean']:+.4f} "
                f"({gain['low']:+.4f} to {gain['high']:+.4f})",
                end="",
            )
        print()
    for note in summary["notes"]:
        print(note)
    print(f"model: {summary['out']}/best  report: {summary['out']}/report.html  ({summary['seconds']:.0f} s)")
