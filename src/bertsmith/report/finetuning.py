"""What a fine-tuning run found out, as the plain values a report is made of."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.features import Features, One
from bertsmith.finetuning import (
    Chunks,
    ClassificationAnswers,
    MultiLabelAnswers,
    PairAnswers,
    ReadDocument,
    RegressionAnswers,
    TaggingAnswers,
    TagTargets,
    Truncate,
)
from bertsmith.recipes import FinetuneResult, Measured, Start, recipe_yaml
from bertsmith.recipes.tricks import tricks_used
from bertsmith.report.run import (
    Answers,
    Curves,
    LabelSets,
    MarkedTexts,
    Notice,
    Numbers,
    ParameterGroup,
    RunReport,
    Speed,
    Split,
    Truncation,
)
from bertsmith.report.wording import duration
from bertsmith.training import ParameterGroup as TrainedGroup

STRATEGIES = {
    "head": "the head is kept",
    "tail": "the tail is kept",
    "head_tail": "head and tail are kept, 128 + 382 of 510",
    "windows": "read in overlapping windows",
}


def finetune_report(
    result: FinetuneResult, *, log: Path | None, command: Sequence[str], recipe: str | None = None
) -> RunReport:
    """Gather the report of a run; the curves come from its `log.jsonl`.

    `recipe` is what to run again, where the result is only a part of it.
    """
    written = recipe_yaml(result.recipe) if recipe is None else recipe
    chosen, training = result.recipe, result.training
    start, document = chosen.start, result.bundle.model.task.document
    model = start.model or f"{start.encoder} (random weights)"
    return RunReport(
        title=f"{chosen.task.kind.capitalize()}: {result.splits.train.source}",
        task=chosen.task.kind,
        model=model,
        train_source=result.splits.train.source,
        train_texts=len(result.splits.train.records),
        labels=result.bundle.answers.shown,
        splits=[split_of(name, measured) for name, measured in result.measured.items()],
        truncation=Truncation(
            strategy=described_strategy(document),
            whole=not isinstance(document, Truncate),
            why=result.why,
            max_length=result.bundle.max_length,
            texts=result.truncated.texts,
            tokens=result.truncated.tokens,
        ),
        setup=_setup(result),
        notices=[Notice(level="info", what=note) for note in result.notes],
        curves=None if log is None else curves_of(log, chosen.selection.metric, training.best_step),
        lengths=result.prepared["train"].full_lengths,
        groups=group_rows(result.groups),
        speed=Speed(
            seconds=float(training.seconds), tokens=training.tokens, updates=training.steps, memory=peak_memory()
        ),
        command=command,
        versions=versions(),
        recipe=written,
        language=language_of([record.text for record in result.splits.train.records[:200]]),
        base_model=base_model(start),
        joined={} if result.joined is None else result.joined.metrics,
    )


def group_rows(groups: Sequence[TrainedGroup]) -> list[ParameterGroup]:
    """Which weights learned how fast."""
    return [
        ParameterGroup(
            name=group.name,
            parameters=group.size,
            rate=group.rate,
            decay=float(group.weight_decay),
            tensors=list(group.parameters),
        )
        for group in groups
    ]


def versions() -> dict[str, str]:
    """What the run was computed with."""
    names = ("bertsmith", "torch", "numpy", "tokenizers", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def described_strategy(document: ReadDocument) -> str:
    """What is read of long texts."""
    if isinstance(document, Chunks):
        return f"read in chunks, {document.most_chunks} at most, that are joined by {document.join}"
    return STRATEGIES[document.keep if isinstance(document, Truncate) else document.kind]


def split_of(name: str, measured: Measured) -> Split:
    """A measured split as the sections of a report want it."""
    records = measured.rows.records
    return Split(
        name="dev" if name == "dev" else "test",
        source=measured.rows.source,
        rows=len(records),
        metrics=measured.metrics,
        intervals=measured.intervals,
        answers=_answers(measured),
    )


def _answers(measured: Measured) -> Answers | LabelSets | Numbers | MarkedTexts | None:
    """The rows as the sections of a report want them; of a kind it does not know, none."""
    records, truth, said = measured.rows.records, measured.truth.values, measured.outputs.values
    texts: dict[str, Any] = {
        "texts": measured.rows.texts,
        "pairs": [record.text_pair or "" for record in records] if records[0].text_pair is not None else (),
        "where": [record.where for record in records],
    }
    match measured.answers:
        case ClassificationAnswers() | PairAnswers() as kind:
            chosen = said.argmax(1)
            return Answers(labels=kind.labels, truth=truth, answers=chosen, probabilities=said, **texts)
        case MultiLabelAnswers() as kind:
            given = kind.given(measured.outputs)
            sets = {"truth": truth > 0, "answers": given, "probabilities": said, "cuts": kind.cuts, **texts}
            return LabelSets(labels=kind.labels, **sets)
        case RegressionAnswers() as kind:
            return Numbers(truth=kind.numbers(truth), answers=kind.numbers(said), **texts)
        case TaggingAnswers() as kind:
            assert isinstance(measured.truth, TagTargets)
            found = kind.found(measured.outputs, measured.truth)
            return MarkedTexts(types=kind.types, truth=measured.truth.spans, answers=found, **texts)
    return None


def _setup(result: FinetuneResult) -> dict[str, str]:
    recipe = result.recipe
    return {
        "Seed": str(recipe.seed),
        "Device": str(result.device),
        "Precision": recipe.precision,
        "Features": described_features(recipe.features),
        "Epochs": f"{result.training.epochs:g}",
        "Texts an update": str(recipe.batches.batch_size),
        "Tricks": tricks_used(recipe),
        **_warmed(result),
        "Stopped early": "yes" if result.training.stopped_early else "no",
    }


def _warmed(result: FinetuneResult) -> dict[str, str]:
    """The stage before the head learned."""
    wanted, warmed = result.recipe.warm_start, result.warmed
    if wanted is None or warmed is None:
        return {}
    told = f"{wanted.loss.kind.replace('_', ' ')}, {wanted.epochs} epochs, {warmed.steps:,} updates"
    return {"Warm start": f"{told}, {duration(warmed.seconds)}"}


def described_features(features: Features) -> str:
    """How hidden states become vectors, in words."""
    layers = features.layers
    told = f"layer {layers.number}" if isinstance(layers, One) else f"the {layers.kind} of layers {layers.numbers}"
    return f"{features.pooling} of {told}"


def curves_of(log: Path, metric: str, best_step: int | None, *, task: str | None = None) -> Curves | None:
    """How training went, from the lines of its log; of several tasks at once, one of them.

    An update has texts of one task, and then no loss of the others.
    """
    lines = log_lines(log)
    updates = [(line, loss) for line in lines if "loss" in line and (loss := _loss(line, task)) is not None]
    key = metric if task is None else f"{task}.{metric}"
    evaluations = [line for line in lines if key in line.get("evaluation", {})]
    if not updates:
        return None
    return Curves(
        steps=np.array([line["step"] for line, _ in updates]),
        loss=np.array([loss for _, loss in updates], dtype=float),
        rate=np.array([line["lr"] for line, _ in updates], dtype=float),
        metric=metric,
        dev_steps=np.array([line["step"] for line in evaluations], dtype=np.int64),
        dev=np.array([line["evaluation"][key] for line in evaluations], dtype=float),
        best_step=best_step,
    )


def _loss(line: Mapping[str, Any], task: str | None) -> float | None:
    """The loss of an update, or of one task in it; None if it had no texts there."""
    parts = line.get("losses")
    if task is None or parts is None:
        return float(line["loss"])
    own = sum(value for name, value in parts.items() if name == task or name.startswith(f"{task}."))
    return own or None


def log_lines(log: Path) -> list[Mapping[str, Any]]:
    """The lines of a run's log.jsonl; none if there is no log."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def base_model(start: Start) -> str | None:
    """The hub id the weights come from, if they come from there."""
    return start.model if start.model and not Path(start.model).exists() else None


def language_of(texts: Sequence[str]) -> str:
    """`zh` where Chinese characters are a good part of the texts, else `en`."""
    sample = "".join(texts)
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in sample)
    return "zh" if chinese > 0.2 * max(len(sample), 1) else "en"


def peak_memory() -> int | None:
    """Most memory this process has held, in bytes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
