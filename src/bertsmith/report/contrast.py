"""What a run that made a sentence encoder found out, as the plain values its report is made of."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.data import write_rows
from bertsmith.files import write_text
from bertsmith.recipes import METHODS, ContrastResult, finish_folder, recipe_yaml, save_sentence_bundle
from bertsmith.recipes.contrast_result import MeasuredItems
from bertsmith.report.contrast_card import sentence_card
from bertsmith.report.finetuning import base_model, curves_of, group_rows, language_of, peak_memory, versions
from bertsmith.report.render import run_page
from bertsmith.report.run import Notice, Numbers, RunReport, Speed, Split, Truncation


def write_contrast(result: ContrastResult, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write the sentence encoder, predictions, report, model card and metrics; then forget the snapshots.

    Returns the object that `metrics.json` holds and `contrast --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written; the snapshots are kept.
    """
    notes = save_sentence_bundle(result.bundle, out)
    for name, measured in result.last.measured.items():
        write_rows(out / f"predictions_{name}.jsonl", measured.lines())
    report = contrast_report(result, log=out / "log.jsonl", command=command, notes=notes)
    write_text(out / "report.html", run_page(report))
    write_text(out / "README.md", sentence_card(report, result.bundle, folder=str(out)))
    summary = {"out": str(out), **result.summary()}
    summary["notes"] = [*summary["notes"], *notes]
    write_text(out / "metrics.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    finish_folder(out)
    return summary


def contrast_report(
    result: ContrastResult, *, log: Path, command: Sequence[str], notes: Sequence[str] = ()
) -> RunReport:
    """Gather the report of a run; the curves come from its `log.jsonl`."""
    recipe, last = result.recipe, result.last
    stage, training, bundle = last.stage, last.training, result.bundle
    metric = next((part.measure.metric for part in last.measured.values()), "loss")
    return RunReport(
        title=f"Sentence encoder: {stage.method}",
        task=stage.method,
        model=recipe.start.model or f"{recipe.start.encoder} (random weights)",
        train_source=last.splits.train.name,
        train_texts=len(last.read.ids),
        splits=[_split(name, measured) for name, measured in last.measured.items()],
        truncation=Truncation(
            strategy="the head is kept",
            max_length=stage.max_length or bundle.max_length,
            texts=last.read.truncated.texts,
            tokens=last.read.truncated.tokens,
        ),
        setup=_setup(result),
        notices=[Notice(level="info", what=note) for note in (*last.notes, *notes)],
        curves=curves_of(log, metric, training.best_step),
        lengths=last.read.full_lengths,
        groups=group_rows(last.groups),
        speed=Speed(
            seconds=float(training.seconds), tokens=training.tokens, updates=training.steps, memory=peak_memory()
        ),
        command=command,
        versions=versions(),
        recipe=recipe_yaml(recipe),
        language=language_of(last.splits.texts[:200]),
        base_model=base_model(recipe.start),
    )


def _split(name: str, measured: MeasuredItems) -> Split:
    file = measured.measure.file
    return Split(
        name="dev" if name == "dev" else "test",
        source=file.name,
        rows=len(file.items),
        metrics=measured.metrics,
        intervals=measured.intervals,
        answers=_numbers(measured) if file.kind == "scored" else None,
    )


def _numbers(measured: MeasuredItems) -> Numbers:
    """Cosines brought to the range of the true numbers, so that the two can be laid over each other."""
    truth, cosines = measured.measure.truth, measured.measure.cosines(measured.vectors)[:, 0]
    items = measured.measure.file.items
    spread = float(np.ptp(cosines)) or 1.0
    return Numbers(
        truth=truth,
        answers=truth.min() + (cosines - cosines.min()) / spread * np.ptp(truth),
        texts=[item.texts[0] for item in items],
        pairs=[item.texts[1] for item in items],
        where=[item.where for item in items],
    )


def _setup(result: ContrastResult) -> dict[str, str]:
    recipe, stage = result.recipe, result.last.stage
    words = METHODS[stage.method].words if stage.method in METHODS else stage.method
    earlier = " → ".join([*(told["method"] for told in result.earlier), stage.method])
    return {
        "Learned from": words,
        **({"Stages": earlier} if result.earlier else {}),
        "Loss": _loss(stage.loss.model_dump()),
        "Vectors": f"{result.bundle.width} dimensions, pooling {result.bundle.task.pooling}",
        "Items an update": str(stage.batches.batch_size),
        "Items": f"{result.last.items:,}",
        "Epochs": f"{result.last.training.epochs:g}",
        "Seed": str(recipe.seed),
        "Device": str(result.device),
        "Precision": recipe.precision,
        "Stopped early": "yes" if result.last.training.stopped_early else "no",
    }


def _loss(values: dict[str, Any]) -> str:
    kind = values.pop("kind")
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
    return f"{kind.replace('_', ' ')} ({told})" if told else kind.replace("_", " ")
