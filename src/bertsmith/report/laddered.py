"""What a ladder leaves in its folder: ladder.json, the page, the final recipe, the best model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith.config import in_brief
from bertsmith.experiments import (
    BEST,
    LADDER,
    Attempt,
    Climbed,
    Climbing,
    OnTest,
    TrialRunner,
    Unseen,
    finish_experiment,
    in_words,
    link_model,
    on_test,
)
from bertsmith.experiments.places import COURSE, OUTCOME, OUTPUT, TRIAL
from bertsmith.files import write_text
from bertsmith.recipes import METRICS, RECIPE, FinetuneRecipe, load_bundle, measure, recipe_yaml
from bertsmith.report.finetuning import versions
from bertsmith.report.kept import write_kept
from bertsmith.report.ladder import LadderReport, Measured, OptionRow, RungTold, ladder_page
from bertsmith.report.ladder_plots import Dot
from bertsmith.training import resolve_device

_OF_TRIALS = (TRIAL, OUTCOME, COURSE, OUTPUT, "dev.safetensors", "test.safetensors")


def write_climbed(climbed: Climbed, runner: TrialRunner, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write everything a ladder leaves; test rows, if there are any, are read here for the first time.

    Returns the object that `ladder.json` holds and `ladder --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    device = resolve_device(climbed.recipe.base.device)
    tested = on_test(climbed, runner, device=device)
    recipe = _final_recipe(climbed)
    _write_best(climbed, tested, recipe, runner, out)
    write_text(out / RECIPE, recipe_yaml(recipe))
    summary = {**_summary(climbed, tested), "out": str(out)}
    write_text(out / "report.html", ladder_page(ladder_report(climbed, tested, command=command)))
    told = json.dumps(summary, ensure_ascii=False, indent=1) + "\n"
    for one in (climbed.baseline, climbed.final):
        for outcome in one.outcomes:
            runner.forget_model(outcome)
    write_text(out / METRICS, told)
    write_text(out / LADDER, told)
    finish_experiment(out)
    return summary


def _final_recipe(climbed: Climbed) -> FinetuneRecipe:
    outcome = climbed.final.best_outcome
    return climbed.final.recipe.but(seed=outcome.seed, threads=climbed.recipe.base.threads or 1)


def _write_best(
    climbed: Climbed, tested: OnTest | None, recipe: FinetuneRecipe, runner: TrialRunner, out: Path
) -> None:
    """The run of the final recipe that is best on dev, as complete as a single run."""
    outcome, splits = climbed.final.best_outcome, climbed.splits
    link_model(runner.place(outcome), out / BEST, without=_OF_TRIALS)
    bundle, said = load_bundle(out / BEST), runner.said(outcome)
    truth = said.answers.targets(splits.dev.records, bundle.prepare(splits.dev.records))
    measured = {"dev": measure(splits.dev, said.answers, truth, said.outputs, seed=climbed.baseline.recipe.seed)}
    if tested is not None:
        measured["test"] = tested.final.measured[climbed.final.outcomes.index(outcome)]
    write_kept(out / BEST, bundle=bundle, recipe=recipe, splits=splits, measured=measured, outcome=outcome)


def _summary(climbed: Climbed, tested: OnTest | None) -> dict[str, Any]:
    gain = None if tested is None or tested.gain is None else tested.gain
    return {
        "rungs": [_of_baseline(climbed), *(_of_rung(rung, climbed) for rung in climbed.rungs)],
        "baseline_test": None if tested is None else dict(tested.baseline.metrics),
        "final_test": None if tested is None else dict(tested.final.metrics),
        "test_difference": None if gain is None else {**_difference(gain.found), "verdict": gain.verdict},
        "test_runs": None
        if tested is None
        else {name: _values(getattr(tested, name)) for name in ("baseline", "final")},
        "final": {
            "kept": [f"{one.rung} {one.option.name}" for one in climbed.kept],
            "dev": _dev(climbed.final),
            "seed": climbed.final.best_outcome.seed,
        },
        "skipped": [{"rung": one.rung, "option": one.option, "why": one.why} for one in climbed.skipped],
        "curve": [
            {"share": one.share, "texts": one.texts, "further": one.further, "values": list(one.values)}
            for one in climbed.curve
        ],
        "metric": climbed.metric,
        "seeds": climbed.recipe.ladder.seeds,
        "seed": climbed.baseline.recipe.seed,
        "seconds": round(climbed.seconds, 3),
        "notes": _notes(climbed),
    }


def _of_baseline(climbed: Climbed) -> dict[str, Any]:
    one = climbed.baseline
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0}
    return {
        "name": "baseline",
        "dev": _dev(one),
        "difference": nothing,
        "verdict": "baseline",
        "minutes": one.seconds / 60,
        "not_converged": one.stuck,
    }


def _of_rung(rung: Climbing, climbed: Climbed) -> dict[str, Any]:
    """The option that speaks for the rung, and all of them."""
    told = _of_option(rung.told, climbed)
    del told["name"]
    return {
        "name": rung.name,
        **told,
        "minutes": rung.seconds / 60,
        "option": rung.told.option.name,
        "kept": rung.kept,
        "options": [_of_option(one, climbed) for one in rung.tried],
    }


def _of_option(one: Attempt, climbed: Climbed) -> dict[str, Any]:
    assert one.judged is not None
    return {
        "name": one.option.name,
        "set": {name: value for name, value in in_brief(one.option).items() if name in {"set", "encoder"}},
        "dev": _dev(one),
        "difference": _difference(one.judged.found),
        "p": one.judged.found.p,
        "p_adjusted": one.judged.adjusted,
        "verdict": one.judged.verdict,
        "minutes": one.seconds / 60,
        "not_converged": one.stuck,
    }


def _dev(one: Attempt) -> dict[str, Any]:
    return {"mean": one.runs.mean, "std": one.runs.std, "runs": [float(value) for value in one.runs.values]}


def _difference(found: Any) -> dict[str, float]:
    low, high = found.interval
    return {"mean": found.mean, "low": low, "high": high}


def _values(unseen: Unseen) -> list[float]:
    return [float(value) for value in unseen.runs.values]


def _notes(climbed: Climbed) -> list[str]:
    notes = [*climbed.splits.notes, *climbed.notes]
    encoders = [one for one in climbed.tried if one.option.encoder is not None]
    if encoders:
        notes.append(
            "all seeds of an option with further pre-training start from one encoder: the luck of that pre-training is "
            "not in the intervals"
        )
    return notes


def ladder_report(climbed: Climbed, tested: OnTest | None, *, command: Sequence[str]) -> LadderReport:
    """Gather the page of a ladder."""
    base = climbed.baseline.recipe
    kept = {id(one) for one in climbed.kept}
    rows = {id(one): _row(one, climbed, kept=id(one) in kept) for one in (climbed.baseline, *climbed.tried)}
    return LadderReport(
        title=f"Ladder: {climbed.splits.train.source}",
        about=[
            base.task.kind,
            base.start.model or f"{base.start.encoder} (random weights)",
            f"{len(climbed.splits.train.records):,} training texts, {len(climbed.splits.dev.records):,} to compare by",
        ],
        metric=climbed.metric,
        seeds=climbed.recipe.ladder.seeds,
        level=climbed.recipe.ladder.level,
        baseline=rows[id(climbed.baseline)],
        rungs=[
            RungTold(
                name=rung.name,
                question=rung.question,
                answer="Nothing here is shown to pay." if rung.kept is None else f"{rung.kept} is kept.",
                options=[rows[id(one)] for one in rung.tried],
            )
            for rung in climbed.rungs
        ],
        kept=[f"{one.rung}: {one.option.name}" for one in climbed.kept],
        final=rows.get(id(climbed.final), rows[id(climbed.baseline)]),
        on_test=None if tested is None else (_measured(tested.baseline), _measured(tested.final)),
        gain=None
        if tested is None or tested.gain is None
        else (tested.gain.found.mean, tested.gain.found.interval, tested.gain.verdict),
        skipped=[(f"{one.rung}{f' {one.option}' if one.option else ''}", one.why) for one in climbed.skipped],
        sweeps=_sweeps(climbed),
        curve=_curve(climbed),
        notes=_notes(climbed),
        seconds=climbed.seconds,
        command=command,
        versions=versions(),
        recipe=climbed.recipe.yaml(),
    )


def _row(one: Attempt, climbed: Climbed, *, kept: bool) -> OptionRow:
    found = None if one.judged is None else one.judged.found
    settings = in_words({name: _short(value) for name, value in one.option.set.items()})
    return OptionRow(
        rung=one.rung,
        name=one.option.name,
        settings=settings,
        values=[float(value) for value in one.runs.values],
        mean=one.runs.mean,
        std=one.runs.std,
        change=0.0 if found is None else found.mean,
        interval=(0.0, 0.0) if found is None else found.interval,
        p=1.0 if found is None else found.p,
        verdict="baseline" if one.judged is None else one.judged.verdict,
        minutes=one.seconds / 60,
        times=one.seconds / len(one.runs) / climbed.facts.seconds,
        kept=kept,
        stuck=one.stuck,
    )


def _short(value: Any) -> Any:
    """`{kind: max, numbers: last_4}` as `max last_4`."""
    return " ".join(map(str, value.values())) or "on" if isinstance(value, Mapping) else value


def _measured(unseen: Unseen) -> Measured:
    return Measured(metrics=unseen.metrics, values=_values(unseen))


def _sweeps(climbed: Climbed) -> dict[str, list[Dot]]:
    """Rungs whose options are values of one number, with what stood there before."""
    sweeps = {}
    for rung in climbed.rungs:
        fields = {name for one in rung.tried for name in one.option.set}
        if len(fields) != 1:
            continue
        (name,) = fields
        dots = [_dot(one, value) for one in (*rung.tried, rung.before) if (value := _number(one, name)) is not None]
        if len(dots) == len(rung.tried) + 1:
            sweeps[name] = dots
    return sweeps


def _number(one: Attempt, field: str) -> float | None:
    """The value of a field of a recipe, if it is a number above zero."""
    value: Any = one.recipe.model_dump(mode="json")
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _dot(one: Attempt, at: float) -> Dot:
    return Dot(at, [float(value) for value in one.runs.values], one.stuck)


def _curve(climbed: Climbed) -> tuple[list[Dot], list[Dot]]:
    sides: dict[bool, list[Dot]] = {False: [], True: []}
    for point in climbed.curve:
        sides[point.further].append(Dot(float(point.texts), point.values))
    return sides[False], sides[True]
