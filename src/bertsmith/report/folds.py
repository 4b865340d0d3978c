"""What a cross-validation leaves: its page, the answers to every row, the models of all folds as one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertsmith.data import write_rows
from bertsmith.experiments import CrossValidated, TrialRunner, finish_experiment
from bertsmith.files import write_text
from bertsmith.recipes import METRICS, RECIPE, Measured, Rows, evaluate_bundle, save_model
from bertsmith.report.card import model_card
from bertsmith.report.finetuning import base_model, language_of, split_of, versions
from bertsmith.report.markup import join, paragraph, table
from bertsmith.report.overview import story
from bertsmith.report.page import Section
from bertsmith.report.render import SECTIONS, run_page
from bertsmith.report.run import Notice, RunReport, Split
from bertsmith.report.wording import duration, metric_value, wording
from bertsmith.training import resolve_device

OUT_OF_FOLD = "Every text was answered by a model that never saw it. Thresholds, if labels have them, were chosen here."
ON_TEST = "None of these texts took part in training or in choosing; the models of all folds answered together."
PREDICTIONS = "predictions_folds.jsonl"


def write_folds(
    found: CrossValidated, runner: TrialRunner, out: Path, *, test: Rows | None, command: Sequence[str]
) -> dict[str, Any]:
    """Write the ensemble, the answers, report, card and metrics; test rows are read here for the first time.

    Returns the object that `metrics.json` holds and `folds --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    device, seed = resolve_device(found.recipe.device), found.recipe.seed
    measured = {"dev": found.measured}
    if test is not None:
        measured["test"], _ = evaluate_bundle(found.ensemble, test, device=device, seed=seed)
        write_rows(out / "predictions_test.jsonl", measured["test"].lines())
    save_model(found.ensemble, out)
    lines = zip(found.measured.lines(), found.fold_of.tolist(), strict=True)
    write_rows(out / PREDICTIONS, ({**line, "fold": fold + 1} for line, fold in lines))
    recipe = (out / RECIPE).read_text(encoding="utf-8") if (out / RECIPE).exists() else ""
    report = folds_report(found, measured, command=command, recipe=recipe)
    sections = (lambda _: _folds(found), *(section for section in SECTIONS if section is not story))
    write_text(out / "report.html", run_page(report, sections))
    write_text(out / "README.md", model_card(report, folder=str(out)))
    summary = {"out": str(out), **folds_summary(found, measured), "notes": list(found.notes)}
    write_text(out / METRICS, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    for outcome in found.outcomes:
        runner.forget_model(outcome)
    finish_experiment(out)
    return summary


def folds_summary(found: CrossValidated, measured: dict[str, Measured]) -> dict[str, Any]:
    """The figures as plain values."""
    counts = [int((found.fold_of == fold).sum()) for fold in range(found.folding.k)]
    return {
        "folds": [
            {"fold": number, "rows": rows, "metrics": dict(metrics), "seconds": outcome.seconds}
            for number, (rows, metrics, outcome) in enumerate(
                zip(counts, found.metrics, found.outcomes, strict=True), 1
            )
        ],
        "mean": found.mean,
        "std": found.std,
        "pooled": dict(found.measured.metrics),
        "intervals": {name: list(interval) for name, interval in found.measured.intervals.items()},
        **({"test": dict(measured["test"].metrics)} if "test" in measured else {}),
        "labels": list(found.ensemble.answers.shown),
        "rows": len(found.rows.records),
        "seconds": round(found.seconds, 3),
        "seed": found.recipe.seed,
    }


def folds_report(
    found: CrossValidated, measured: dict[str, Measured], *, command: Sequence[str], recipe: str
) -> RunReport:
    """Gather the report: the out-of-fold answers, then those of the ensemble on test."""
    start = found.recipe.start
    return RunReport(
        title=f"{found.folding.k} folds: {found.rows.source}",
        task=found.recipe.task.kind,
        model=start.model or f"{start.encoder} (random weights)",
        train_source=found.rows.source,
        train_texts=len(found.rows.records),
        labels=found.ensemble.answers.shown,
        splits=[_split(name, each) for name, each in measured.items()],
        notices=[Notice(level="info", what=note) for note in found.notes],
        speed=None,
        command=command,
        versions=versions(),
        recipe=recipe,
        language=language_of([record.text for record in found.rows.records[:200]]),
        base_model=base_model(start),
        members=len(found.ensemble.members),
    )


def _split(name: str, measured: Measured) -> Split:
    told = split_of(name, measured)
    if name == "test":
        return replace(told, remark=ON_TEST)
    return replace(told, called="rows held out", remark=OUT_OF_FOLD)


def _folds(found: CrossValidated) -> Section:
    names = list(found.mean)
    header = ("Fold", "Texts", *(wording(name).name for name in names), "Time")
    rows: list[tuple[object, ...]] = [
        (
            str(number),
            f"{int((found.fold_of == number - 1).sum()):,}",
            *(metric_value(name, metrics[name]) for name in names),
            duration(outcome.seconds),
        )
        for number, (metrics, outcome) in enumerate(zip(found.metrics, found.outcomes, strict=True), 1)
    ]
    rows.append(("mean", "", *(metric_value(name, found.mean[name]) for name in names), ""))
    rows.append(("± between folds", "", *(metric_value(name, found.std[name]) for name in names), ""))
    words = (
        "Each fold was answered by a model trained on the others. Folds share training texts, so the spread between "
        "them is no error of the mean; the interval above is by bootstrap over all rows. The models of all "
        "folds together are the model in this folder: its answer is their mean."
    )
    body = join(paragraph(words), table(header, rows, caption="Folds", numbers=range(1, len(header))))
    return Section("folds", "Fold by fold", body)
