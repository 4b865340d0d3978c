"""Cross-validation: every row is answered by a model that never saw it, and the models together are one."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from bertsmith.config import Config, parse_config
from bertsmith.data import Record, fold_records, require_trainable, split_records
from bertsmith.errors import UserError
from bertsmith.experiments.chosen import ManyRuns, chosen_parts
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.trial import Outcome, Trial
from bertsmith.finetuning import Answers, Outputs
from bertsmith.recipes import Ensemble, FinetuneRecipe, Measured, Rows, Splits, load_bundle, measure
from bertsmith.recipes.splits import require_group_column


class Folding(Config):
    """Into how many folds the rows are dealt, and which texts choose the best weights of a fold's model.

    `inner`: a share of the other folds (`data.dev_share`), so that the fold held out is untouched by any choice;
    `fold`: the fold itself, which leaves more texts to learn from and makes the figures a little too good.
    """

    k: Annotated[int, Field(ge=2)] = 5
    select_on: Literal["inner", "fold"] = "inner"


class FoldsRecipe(ManyRuns):
    """A cross-validation as a value: a fine-tuning recipe, and how rows are dealt."""

    part: ClassVar[str] = "folds"
    kind: Literal["folds"] = "folds"
    folds: Folding


def folds_recipe(*, given: Mapping[str, object], file: Path | None = None, settings: Sequence[str] = ()) -> FoldsRecipe:
    """Put a cross-validation together: the YAML file (a recipe with a part `folds`), then options, then `--set`.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    chosen, own = chosen_parts("folds", given=given, file=file, settings=settings)
    return FoldsRecipe(chosen=chosen, folds=parse_config(Folding, own, where=str(file) if file else None))


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What cross-validation found out; rows are in the order in which they came.

    `measured` is the answer to every row by the model that did not see it. `metrics` has the figures of
    each fold by itself.
    """

    recipe: FinetuneRecipe
    folding: Folding
    rows: Rows
    fold_of: Int[np.ndarray, "rows"]
    outcomes: tuple[Outcome, ...]
    metrics: tuple[Mapping[str, float], ...]
    measured: Measured
    ensemble: Ensemble
    notes: tuple[str, ...]
    seconds: float

    @property
    def mean(self) -> dict[str, float]:
        """The mean over folds of each figure."""
        return {name: float(np.mean([each[name] for each in self.metrics])) for name in self._names}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation between folds; they share training texts, so it is no error of the mean."""
        return {name: float(np.std([each[name] for each in self.metrics], ddof=1)) for name in self._names}

    @property
    def _names(self) -> list[str]:
        """What every fold could measure."""
        return [name for name in self.metrics[0] if all(name in each for each in self.metrics)]


def cross_validate(recipe: FinetuneRecipe, folding: Folding, rows: Rows, runner: TrialRunner) -> CrossValidated:
    """Train a model for every fold on the others, and answer the fold by it.

    The labels, and the scale of numbers, are learned of all rows. Thresholds, where a task has them, are those
    that suit the out-of-fold answers; the ensemble keeps them.

    Raises:
        UserError: there are too few rows, or a fold failed.
        Interrupted: Ctrl-C or SIGTERM; the journal holds what is done.
    """
    began = time.monotonic()
    data = recipe.data
    require_trainable({"train": rows.records}, labels=recipe.task.reads)
    require_group_column(rows.records, data, rows.source)
    fold_of = fold_records(rows.records, folds=folding.k, seed=recipe.seed, group_column=data.group_column)
    _require_full(fold_of, folding, rows)
    answers = recipe.task.learn(rows.records)
    trials = []
    for fold in range(folding.k):
        name = f"fold-{fold + 1}"
        runner.add(name, _splits(rows, fold_of == fold, answers, recipe, folding))
        trial = Trial(recipe=recipe, splits=name, name=f"fold {fold + 1} of {folding.k}", keep=True)
        trials.append(trial.but(test=folding.select_on == "inner"))
    outcomes = runner.run(trials)
    _require_done(outcomes)
    part = "test" if folding.select_on == "inner" else "dev"
    said = [runner.said(outcome, part).outputs for outcome in outcomes]
    outputs = pooled(said, fold_of)
    truth = answers.targets(rows.records)
    tuned = answers.tuned(outputs, truth)
    return CrossValidated(
        recipe=recipe,
        folding=folding,
        rows=rows,
        fold_of=fold_of,
        outcomes=tuple(outcomes),
        metrics=tuple(outcome.metrics[part] for outcome in outcomes),
        measured=measure(rows, tuned, truth, outputs, seed=recipe.seed),
        ensemble=Ensemble.of([load_bundle(runner.place(outcome)) for outcome in outcomes], answers=tuned),
        notes=tuple(_notes(rows.records, fold_of, folding, recipe)),
        seconds=time.monotonic() - began,
    )


def pooled(said: Sequence[Outputs], fold_of: Int[np.ndarray, "rows"]) -> Outputs:
    """The outputs of all folds in the order of the rows."""
    rows = np.concatenate([np.flatnonzero(fold_of == fold) for fold in range(len(said))])
    parts = [one for outputs in said for one in outputs.split()]
    ordered = [parts[place] for place in np.argsort(rows, kind="stable")]
    values = np.concatenate([one.values for one in ordered])
    if said[0].counts is None:
        return Outputs(values)
    counts = np.array([len(one.values) for one in ordered], dtype=np.int64)
    best = [one.best for one in ordered if one.best is not None]
    return Outputs(values, counts, np.concatenate(best) if len(best) == len(ordered) else None)


def _splits(rows: Rows, held: np.ndarray, answers: Answers, recipe: FinetuneRecipe, folding: Folding) -> Splits:
    """The rows of one fold's run: the others to learn from, the fold to be measured on."""
    out = Rows(tuple(rows.records[row] for row in np.flatnonzero(held)), f"a fold of {rows.source}")
    others = [rows.records[row] for row in np.flatnonzero(~held)]
    if folding.select_on == "fold":
        return Splits(Rows(tuple(others), rows.source), out, None, answers)
    data = recipe.data
    split = split_records(others, share=data.dev_share, seed=recipe.seed, group_column=data.group_column)
    if not split.dev:
        raise UserError(
            f"{rows.source}: {len(others)} rows are too few to set {data.dev_share:.0%} of them aside in every fold; "
            "give more rows, or choose weights by the fold itself (--set folds.select_on=fold)",
            code="too_few_rows",
            where=rows.source,
        )
    return Splits(Rows(split.train, rows.source), Rows(split.dev, f"{data.dev_share:.0%} of it"), out, answers)


def _require_full(fold_of: Int[np.ndarray, "rows"], folding: Folding, rows: Rows) -> None:
    full = len(set(fold_of.tolist()))
    if full < folding.k:
        raise UserError(
            f"{rows.source}: {len(rows.records)} rows fill only {full} of {folding.k} folds, since equal texts and "
            "rows of one group stay together; give more rows or fewer folds (--k)",
            code="too_few_rows",
            where=rows.source,
        )


def _require_done(outcomes: Sequence[Outcome]) -> None:
    """A model is missing for some rows unless every fold is done."""
    for outcome in outcomes:
        if outcome.status == "unrun":
            done = sum(each.status == "done" for each in outcomes)
            message = (
                f"the time was over after {done} of {len(outcomes)} folds; go on with --resume, or raise --minutes"
            )
            raise UserError(message, code="no_time")
        if outcome.status != "done":
            raise UserError(
                f"{outcome.name} failed, so some rows have no answer: {outcome.error}; what is done is kept: "
                "mend it, and go on with --resume --retry-failed",
                code="fold_failed",
            )


def _notes(
    records: Sequence[Record], fold_of: Int[np.ndarray, "rows"], folding: Folding, recipe: FinetuneRecipe
) -> list[str]:
    sizes = np.bincount(fold_of, minlength=folding.k)
    notes = [
        f"{len(records):,} rows in {folding.k} folds of {sizes.min():,} to {sizes.max():,}, stratified by label, equal "
        f"texts kept together (seed {recipe.seed})"
    ]
    single = recipe.task.reads in ("single", "several", "spans")
    labels = Counter(
        label for record in records for label in (record.label if isinstance(record.label, tuple) else (record.label,))
    )
    rare = sorted(str(label) for label, number in labels.items() if number < folding.k) if single else []
    if rare:
        notes.append(f"labels with fewer texts than folds, so that some fold has none: {', '.join(rare[:10])}")
    if folding.select_on == "fold":
        notes.append("the best weights of each fold were chosen by the fold itself: the figures are a little too good")
    return notes
