"""What a run leaves in its folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertsmith.data import write_rows
from bertsmith.files import write_text
from bertsmith.recipes import (
    LOG,
    METRICS,
    RECIPE,
    FinetuneResult,
    MultiTaskResult,
    PretrainResult,
    finish_folder,
    recipe_yaml,
    save_bundle,
    save_pretrained,
    save_tasks,
)
from bertsmith.recipes.folder import FINAL
from bertsmith.recipes.stages import final_stage, stage_log
from bertsmith.report.card import model_card
from bertsmith.report.finetuning import finetune_report, log_lines
from bertsmith.report.multitask import multitask_card, multitask_page, multitask_report
from bertsmith.report.pretrained import counted_share, pretrain_report
from bertsmith.report.pretraining import pretrain_page
from bertsmith.report.pretraining_card import pretraining_card
from bertsmith.report.render import run_page

LAST = 10
"""How many updates the loss at the end is a mean of."""


def write_outputs(result: FinetuneResult, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write model, predictions, report, model card and metrics; then forget the snapshots.

    Returns the object that `metrics.json` holds and `finetune --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written; the snapshots are kept.
    """
    summary = _write_model(result, out, command=command, log=out / LOG)
    finish_folder(out)
    return summary


def _write_model(
    result: FinetuneResult, out: Path, *, command: Sequence[str], log: Path, recipe: str | None = None
) -> dict[str, Any]:
    """A model with all that tells of it; `recipe` is what to run again, where it is a part of a larger run."""
    save_bundle(result.bundle, out)
    for name, measured in result.measured.items():
        write_rows(out / f"predictions_{name}.jsonl", measured.lines())
    report = finetune_report(result, log=log, command=command, recipe=recipe)
    write_text(out / "report.html", run_page(report))
    write_text(out / "README.md", model_card(report, folder=str(out)))
    if recipe is not None:
        write_text(out / RECIPE, recipe)
    summary = {"out": str(out), **result.summary()}
    write_text(out / METRICS, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    return summary


def write_multitask(result: MultiTaskResult, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write the shared encoder with its heads, predictions of every task, report, card and metrics.

    A task that went on alone becomes a model of its own, complete, in `final/NAME`. Then the snapshots are
    forgotten. Returns the object that `metrics.json` holds and `finetune --json` prints.

    Raises:
        UserError: the disk is full or the folder cannot be written; the snapshots are kept.
    """
    save_tasks(result.bundles, out)
    for task, one in result.tasks.items():
        for name, measured in one.measured.items():
            write_rows(out / f"predictions_{name}_{task}.jsonl", measured.lines())
    for task, one in result.final.items():
        log, recipe = stage_log(out, final_stage(task)), recipe_yaml(result.recipe)
        _write_model(one, out / FINAL / task, command=command, log=log, recipe=recipe)
    report = multitask_report(result, log=out / LOG, command=command)
    write_text(out / "report.html", multitask_page(report))
    write_text(out / "README.md", multitask_card(report, folder=str(out)))
    summary = {"out": str(out), **result.summary()}
    write_text(out / METRICS, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    finish_folder(out)
    return summary


def write_pretrained(result: PretrainResult, out: Path, *, command: Sequence[str]) -> dict[str, Any]:
    """Write encoder, heads, tokenizer, report, model card and metrics of a pre-training run; then forget the snapshots.

    Returns the object that `metrics.json` holds and `pretrain --json` prints; its `losses` are those at the end of
    training where nothing was held out.

    Raises:
        UserError: the disk is full or the folder cannot be written; the snapshots are kept.
    """
    notes = save_pretrained(result, out)
    lines = log_lines(out / "log.jsonl")
    losses = [line["loss"] for line in lines if "loss" in line]
    last = losses[-LAST:]
    degraded = counted_share(lines, "degraded_share")
    told = result.summary()
    notes = (*result.notes, *notes)
    report = pretrain_report(result, log=out / "log.jsonl", command=command, notes=notes, degraded=degraded)
    write_text(out / "report.html", pretrain_page(report))
    write_text(out / "README.md", pretraining_card(report, folder=str(out)))
    course = {"first": losses[0], "last": sum(last) / len(last), "heldout": result.heldout.get("loss")}
    ends = {each.name: float(each.values[-LAST:].mean()) for each in report.losses}
    summary = {"out": str(out), **told, "loss": course, "losses": told["losses"] or ends, "notes": list(notes)}
    if degraded is not None:
        summary["degraded_share"] = degraded
    write_text(out / "metrics.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    finish_folder(out)
    return summary
