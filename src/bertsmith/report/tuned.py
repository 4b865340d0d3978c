"""What a search leaves in its folder: the table, the page, the best model, the seeds as an ensemble."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertsmith.data import write_rows
from bertsmith.experiments import (
    BEST,
    ENSEMBLE,
    TABLE,
    Range,
    TrialRunner,
    Tried,
    Tuned,
    finish_experiment,
    in_words,
    link_model,
)
from bertsmith.experiments.places import COURSE, OUTCOME, OUTPUT, TRIAL
from bertsmith.files import write_text
from bertsmith.recipes import METRICS, Bundle, Ensemble, Measured, evaluate_bundle, load_bundle, measure, save_model
from bertsmith.report.finetuning import versions
from bertsmith.report.kept import write_kept
from bertsmith.report.tuning import Figures, TrialRow, TuneReport, counted_statuses, tune_page
from bertsmith.training import resolve_device

_OF_TRIALS = (TRIAL, OUTCOME, COURSE, OUTPUT, "dev.safetensors", "test.safetensors")

CHOSEN = "The best set was chosen by this number, so it is a little too good, the more so the more sets were tried."
UNSEEN = "None of these texts took part in training or in choosing; they were read once, by this model alone."
TOGETHER = "The mean of what the models of all seeds say; they lie in ensemble/."


@dataclass(frozen=True, slots=True)
class Best:
    """The best model of a search, measured; `together` are the models of its seeds, if there are several."""

    bundle: Bundle
    measured: Mapping[str, Measured]
    together: Mapping[str, Measured]


def write_tuned(tuned: Tuned, runner: TrialRunner, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write everything a search leaves; test rows, if there are any, are read here for the first time.

    Returns the object that `metrics.json` holds and `tune --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    best = _best(tuned, runner, out)
    write_rows(out / TABLE, [_row(number, one) for number, one in enumerate(tuned.tried, 1)])
    report = tune_report(tuned, best, command=command)
    write_text(out / "report.html", tune_page(report))
    summary = {"out": str(out), **_summary(tuned, best), "notes": list(report.notes)}
    write_text(out / METRICS, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    finish_experiment(out)
    return summary


def _best(tuned: Tuned, runner: TrialRunner, out: Path) -> Best:
    """The folder `best/`, and with several seeds `ensemble/`."""
    outcome, device = tuned.best_outcome, resolve_device(tuned.base.device)
    link_model(runner.place(outcome), out / BEST, without=_OF_TRIALS)
    bundle = load_bundle(out / BEST)
    said = runner.said(outcome)
    dev = tuned.splits.dev
    truth = said.answers.targets(dev.records, bundle.prepare(dev.records))
    measured = {"dev": measure(dev, said.answers, truth, said.outputs, seed=tuned.base.seed)}
    if tuned.splits.test is not None:
        measured["test"], _ = evaluate_bundle(bundle, tuned.splits.test, device=device, seed=tuned.base.seed)
    recipe = tuned.recipe.recipe(tuned.best.settings).but(seed=outcome.seed, threads=tuned.base.threads or 1)
    write_kept(out / BEST, bundle=bundle, recipe=recipe, splits=tuned.splits, measured=measured, outcome=outcome)
    return Best(bundle, measured, _together(tuned, runner, out, device))


def _together(tuned: Tuned, runner: TrialRunner, out: Path, device: torch.device) -> dict[str, Measured]:
    if len(tuned.best.outcomes) < 2:
        return {}
    ensemble = Ensemble.of([load_bundle(runner.place(outcome)) for outcome in tuned.best.outcomes])
    dev = tuned.splits.dev
    prepared = ensemble.prepare(dev.records)
    outputs, truth = ensemble.outputs(prepared, device=device), ensemble.answers.targets(dev.records, prepared)
    ensemble = Ensemble.of(ensemble.members, answers=ensemble.answers.tuned(outputs, truth))
    save_model(ensemble, out / ENSEMBLE)
    measured = {"dev": measure(dev, ensemble.answers, truth, outputs, seed=tuned.base.seed)}
    if tuned.splits.test is not None:
        measured["test"], _ = evaluate_bundle(ensemble, tuned.splits.test, device=device, seed=tuned.base.seed)
    return measured


def _summary(tuned: Tuned, best: Best) -> dict[str, Any]:
    found, base, shares = tuned.best, tuned.base, tuned.importance
    together = {name: dict(each.metrics) for name, each in best.together.items()}
    return {
        "trials": len(tuned.tried),
        "best": {
            "value": found.value,
            "set": dict(found.settings),
            "std": found.spread,
            "metric": base.selection.metric,
            "seed": tuned.best_outcome.seed,
            "words": in_words(found.settings),
        },
        **{name: dict(each.metrics) for name, each in best.measured.items()},
        **({"ensemble": together} if together else {}),
        "counts": tuned.counts(),
        "importance": None if shares is None else dict(shares),
        "table": [_told(one) for one in (*tuned.ranked, *(one for one in tuned.tried if one not in tuned.ranked))],
        "labels": list(best.bundle.answers.shown),
        "train_texts": len(tuned.splits.train.records),
        "seconds": round(tuned.seconds, 3),
        "seed": base.seed,
    }


def _told(one: Tried) -> dict[str, Any]:
    return {
        "set": dict(one.settings),
        "words": in_words(one.settings),
        "status": one.status,
        "value": one.value,
        "std": one.spread,
        "values": list(one.values),
        "seconds": round(one.seconds, 3),
        "error": one.why,
    }


def _row(number: int, one: Tried) -> dict[str, Any]:
    """A line of trials.csv."""
    values = {
        name: value if isinstance(value, int | float | str) else json.dumps(value, ensure_ascii=False)
        for name, value in one.settings.items()
    }
    told = {"status": one.status, one.metric: one.value, "std": one.spread, "seeds": len(one.values)}
    return {"number": number, **values, **told, "seconds": round(one.seconds, 1), "error": one.why}


def tune_report(tuned: Tuned, best: Best, *, command: Sequence[str]) -> TuneReport:
    """Gather the page of a search."""
    base, asked = tuned.base, tuned.recipe.tune
    rows = {id(one): _trial_row(one) for one in tuned.tried}
    start = base.start.model or f"{base.start.encoder} (random weights)"
    return TuneReport(
        title=f"Search: {tuned.splits.train.source}",
        about=[base.task.kind, start, f"{len(tuned.splits.train.records):,} training texts"],
        metric=base.selection.metric,
        higher=base.selection.better == "higher",
        rows=list(rows.values()),
        best=rows[id(tuned.best)],
        seeds=asked.seeds,
        fields={name: isinstance(each, Range) and each.log for name, each in asked.space.items()},
        figures=_figures(best),
        importance=tuned.importance,
        method=_method(tuned),
        notes=_notes(tuned),
        seconds=tuned.seconds,
        command=command,
        versions=versions(),
        recipe=tuned.recipe.yaml(),
    )


def _figures(best: Best) -> list[Figures]:
    remarks = {"dev": CHOSEN, "test": UNSEEN}
    found = [
        Figures(title=f"On {name}", remark=remarks[name], metrics=each.metrics, intervals=each.intervals)
        for name, each in reversed(list(best.measured.items()))
    ]
    if best.together:
        name, each = list(best.together.items())[-1]
        words = Figures(
            title=f"All seeds together, on {name}", remark=TOGETHER, metrics=each.metrics, intervals=each.intervals
        )
        found.append(words)
    return found


def _trial_row(one: Tried) -> TrialRow:
    return TrialRow(
        settings=one.settings,
        written={name: in_words({"": value}).strip() for name, value in one.settings.items()},
        status=one.status,
        value=one.value,
        spread=one.spread,
        seconds=one.seconds,
        why=one.why,
    )


def _method(tuned: Tuned) -> str:
    asked, rule = tuned.recipe.tune, tuned.recipe.tune.rule
    how = (
        "Every combination was tried"
        if asked.tpe is None
        else "Sets were drawn by the tree-structured Parzen estimator"
    )
    given_up = "" if rule is None else f"; trials that did not keep up were given up ({rule.kind})"
    return f"{how}{given_up}: {counted_statuses(tuned.counts())}."


def _notes(tuned: Tuned) -> list[str]:
    notes, counts = list(tuned.splits.notes), tuned.counts()
    if counts["failed"]:
        first = next(one for one in tuned.tried if one.status == "failed")
        notes.append(f"{counts['failed']} of {len(tuned.tried)} sets failed; the first: {first.why}")
    if counts["unrun"]:
        notes.append(f"{counts['unrun']} sets were not tried to their end: the time was over; --resume goes on")
    if tuned.base.threads is None:
        notes.append("every trial was computed with one CPU thread, so that the number of processes changes nothing")
    ends = _at_the_ends(tuned)
    if ends:
        notes.append(
            f"the best {', '.join(ends)} is the first or last value of its range: a wider one may hold a better"
        )
    return notes


def _at_the_ends(tuned: Tuned) -> list[str]:
    """Fields whose best number is an end of what was tried: the search may have ended too early."""
    found = []
    for name, dimension in tuned.recipe.tune.space.items():
        value = tuned.best.settings[name]
        numbers = [dimension.low, dimension.high] if isinstance(dimension, Range) else list(dimension)
        if len(set(map(repr, numbers))) > 2 or isinstance(dimension, Range):
            numeric = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
            if numeric and value in (min(numbers), max(numbers)):
                found.append(f"{name} ({value:g})")
    return found
