"""The folder of a model that many runs have found: as complete as that of a single run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertsmith.data import write_rows
from bertsmith.experiments import Outcome
from bertsmith.files import write_text
from bertsmith.finetuning import Truncate
from bertsmith.recipes import METRICS, Bundle, FinetuneRecipe, Measured, Splits, recipe_yaml
from bertsmith.report.card import model_card
from bertsmith.report.finetuning import (
    base_model,
    curves_of,
    described_features,
    described_strategy,
    language_of,
    split_of,
    versions,
)
from bertsmith.report.render import run_page
from bertsmith.report.run import Notice, RunReport, Truncation


def write_kept(
    folder: Path,
    *,
    bundle: Bundle,
    recipe: FinetuneRecipe,
    splits: Splits,
    measured: Mapping[str, Measured],
    outcome: Outcome,
) -> dict[str, Any]:
    """Write predictions, report, model card and metrics beside a model; returns what metrics.json holds.

    Raises:
        UserError: the folder cannot be written.
    """
    for name, each in measured.items():
        write_rows(folder / f"predictions_{name}.jsonl", each.lines())
    report = kept_report(folder, bundle=bundle, recipe=recipe, splits=splits, measured=measured, outcome=outcome)
    write_text(folder / "report.html", run_page(report))
    write_text(folder / "README.md", model_card(report, folder=str(folder)))
    summary = {
        "out": str(folder),
        **{name: dict(each.metrics) for name, each in measured.items()},
        "labels": list(bundle.answers.shown),
        "train_texts": len(splits.train.records),
        "best_step": outcome.best_step,
        "seconds": outcome.seconds,
        "tokens_per_second": outcome.tokens_per_second,
        "seed": recipe.seed,
        "notes": list(outcome.notes),
    }
    write_text(folder / METRICS, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    return summary


def kept_report(
    folder: Path,
    *,
    bundle: Bundle,
    recipe: FinetuneRecipe,
    splits: Splits,
    measured: Mapping[str, Measured],
    outcome: Outcome,
) -> RunReport:
    """Gather the report of a run whose model lies in `folder`, with its `log.jsonl`."""
    prepared = bundle.prepare(splits.train.records)
    document, start = bundle.model.task.document, recipe.start
    return RunReport(
        title=f"{recipe.task.kind.capitalize()}: {splits.train.source}",
        task=recipe.task.kind,
        model=start.model or f"{start.encoder} (random weights)",
        train_source=splits.train.source,
        train_texts=len(splits.train.records),
        labels=bundle.answers.shown,
        splits=[split_of(name, each) for name, each in measured.items()],
        truncation=Truncation(
            strategy=described_strategy(document),
            whole=not isinstance(document, Truncate),
            max_length=bundle.max_length,
            texts=prepared.truncated.texts,
            tokens=prepared.truncated.tokens,
        ),
        setup={
            "Seed": str(recipe.seed),
            "Device": outcome.device,
            "Features": described_features(recipe.features),
            "Texts an update": str(recipe.batches.batch_size),
            "Peak rate": f"{recipe.optimizer.lr:.3g}",
        },
        notices=[Notice(level="info", what=note) for note in outcome.notes],
        curves=curves_of(folder / "log.jsonl", recipe.selection.metric, outcome.best_step),
        lengths=prepared.full_lengths,
        command=["bertsmith", "finetune", "--recipe", str(folder / "recipe.yaml"), "--out", "NEW"],
        versions=versions(),
        recipe=recipe_yaml(recipe),
        language=language_of([record.text for record in splits.train.records[:200]]),
        base_model=base_model(start),
    )
