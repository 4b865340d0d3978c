"""What a pre-training run found out, as the plain values its report is made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bertsmith.pretraining import fill_exercises, in_words
from bertsmith.pretraining.filling import FillIn
from bertsmith.pretraining.replacement import count_outcomes
from bertsmith.recipes import TOO_MANY_DEGRADED, PretrainRecipe, PretrainResult, degraded_warning, recipe_yaml
from bertsmith.report.finetuning import base_model, language_of, log_lines, peak_memory, versions
from bertsmith.report.pretraining import CorpusFacts, PretrainReport, SourceFile, courses
from bertsmith.report.run import Notice, Speed

SHOWN = 8
"""Texts of which fill-ins are shown."""
COUNTED = 512
"""Texts of which the report counts what became of hidden tokens."""


def pretrain_report(
    result: PretrainResult,
    *,
    log: Path,
    command: Sequence[str],
    notes: Sequence[str],
    degraded: float | None = None,
) -> PretrainReport:
    """Gather the report of a run; the curves come from its `log.jsonl`, as `degraded` does."""
    recipe, training = result.recipe, result.training
    course = courses(log_lines(log), result.model.loss_names)
    shards = result.corpus.shards
    return PretrainReport(
        title=f"Pre-training: {recipe.name}",
        objective=recipe.name,
        model=recipe.start.model or f"{recipe.start.encoder} (random weights)",
        corpus=CorpusFacts(
            sources=[path.name for path in recipe.corpus.paths],
            tokens=shards.tokens,
            documents=shards.documents,
            shards=len(shards),
            vocabulary=result.tokenizer.vocab_size,
            heldout_documents=result.heldout_documents,
            files=[SourceFile(source.name, source.size, source.checksum) for source in shards.meta.sources],
            excluded=shards.meta.excluded if recipe.corpus.exclude else None,
            excluded_by=[path.name for path in recipe.corpus.exclude],
        ),
        words=in_words(recipe.objective),
        setup={
            "Seed": str(recipe.seed),
            "Device": str(result.device),
            "Precision": recipe.precision,
            "Texts an update": str(recipe.texts.batch_size),
            "Tokens a text": str(recipe.texts.max_length),
            "Epochs": f"{training.epochs:.2f}",
        },
        notices=[*_warnings(degraded), *(Notice(level="info", what=note) for note in notes)],
        heldout=result.heldout,
        losses=course.losses,
        shares=course.shares,
        rate=course.rate,
        fill_ins=_fill_ins(result),
        counts=_counts(result),
        speed=Speed(
            seconds=float(training.seconds), tokens=training.tokens, updates=training.steps, memory=peak_memory()
        ),
        command=command,
        versions=versions(),
        recipe=recipe_yaml(recipe),
        language=language_of(_beginning(recipe)),
        base_model=base_model(recipe.start),
    )


def _beginning(recipe: PretrainRecipe) -> list[str]:
    """The first paragraphs of the corpus."""
    return [paragraph.text for paragraph in islice(recipe.corpus.paragraphs(), 200)]


def counted_share(lines: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """A share over the whole of training, from the lines of a log; None where it was never counted."""
    looks = [line for line in lines if name in line.get("counted", {})]
    updates = sum(line["updates"] for line in looks)
    return sum(line["counted"][name] * line["updates"] for line in looks) / updates if updates else None


def _warnings(degraded: float | None) -> list[Notice]:
    if degraded is None or degraded <= TOO_MANY_DEGRADED:
        return []
    return [Notice(level="warning", what=degraded_warning(degraded))]


def _fill_ins(result: PretrainResult) -> list[FillIn]:
    """What the model guesses for the hidden tokens of a few texts, held-out ones where there are some."""
    updates = result.samples
    exercises = [updates.exercise(0, 0, row) for row in range(SHOWN)]
    return fill_exercises(result.model, exercises, updates.parts[0].attend, result.tokenizer)


def _counts(result: PretrainResult) -> dict[str, int]:
    """What became of the hidden tokens of some texts, all parts of the objective together."""
    counts: Counter[str] = Counter()
    parts = len(result.samples.parts)
    for part in range(parts):
        for row in range(COUNTED // parts):
            outcomes = result.samples.exercise(part, 0, row).outcomes
            if outcomes is not None:
                counts.update(count_outcomes(outcomes))
    return dict(counts)
