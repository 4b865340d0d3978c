"""The run over several tasks: rows of each and a recipe in, one encoder with a measured head for each out."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.finetuning import MixedUpdates, MultiTuner
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.finetuning import Rehearsal
from bertsmith.recipes.folder import SNAPSHOTS, holding_folder, prepare_folder
from bertsmith.recipes.leaks import Leak, without_leaks
from bertsmith.recipes.multitask_schema import MEAN, MultiTaskRecipe
from bertsmith.recipes.prepared import PreparedRun, prepared_run
from bertsmith.recipes.result import FinetuneResult
from bertsmith.recipes.splits import Splits, make_splits, read_splits
from bertsmith.recipes.stages import around_stage, final_stage, run_identity
from bertsmith.recipes.start import begin
from bertsmith.recipes.tricks import guided, step_for
from bertsmith.training import (
    Listener,
    Noticed,
    ParameterGroup,
    Snapshots,
    Surroundings,
    TrainingResult,
    joined_ranks,
    local_rank,
    parameter_groups,
    require_metric,
    resolve_device,
    train,
    using_threads,
)


@dataclass(frozen=True, slots=True)
class TaskSplits:
    """The rows of every task, as they may be trained on; what leaked between them, and what should be said."""

    tasks: dict[str, Splits]
    leaks: tuple[Leak, ...] = ()
    notes: tuple[str, ...] = ()


def read_task_splits(recipe: MultiTaskRecipe) -> TaskSplits:
    """Read the files of every task.

    Raises:
        UserError: a file cannot be read, splits do not fit each other, or tasks leak and must not.
    """
    for name, task in recipe.tasks.items():
        if not task.data.train:
            raise UserError(f"no training data for the task {name}: give --train {name}=FILE", code="bad_usage")
    return _apart({name: read_splits(recipe.single(name)) for name in recipe.tasks}, recipe)


def make_task_splits(
    records: Mapping[str, Mapping[str, Sequence[Record]]],
    recipe: MultiTaskRecipe,
    *,
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> TaskSplits:
    """The same from rows already read: by task, then by split.

    Raises:
        UserError: splits do not fit each other, or tasks leak and must not.
    """
    made = {
        name: make_splits(records[name], recipe.single(name), names=(names or {}).get(name)) for name in recipe.tasks
    }
    return _apart(made, recipe)


def _apart(splits: dict[str, Splits], recipe: MultiTaskRecipe) -> TaskSplits:
    return TaskSplits(*without_leaks(splits, recipe.leaks))


@dataclass(frozen=True, slots=True)
class MultiTaskResult:
    """Everything a run found out, by task; `final` of the tasks that went on alone. `updates` an epoch of each."""

    recipe: MultiTaskRecipe
    tasks: dict[str, FinetuneResult]
    training: TrainingResult
    groups: tuple[ParameterGroup, ...]
    updates: dict[str, int]
    leaks: tuple[Leak, ...]
    notes: tuple[str, ...]
    device: torch.device
    seconds: float
    final: dict[str, FinetuneResult] = field(default_factory=dict)
    leads: bool = True

    @property
    def bundles(self) -> dict[str, Bundle]:
        """A model for each task; all have the same encoder."""
        return {name: result.bundle for name, result in self.tasks.items()}

    def mean(self, split: str) -> float | None:
        """The mean over tasks of the metrics they are chosen by; None unless all were measured on this split."""
        values = [
            measured.metrics[self.recipe.tasks[name].metric]
            for name, result in self.tasks.items()
            if (measured := result.measured.get(split)) is not None
        ]
        return sum(values) / len(values) if len(values) == len(self.tasks) else None

    def summary(self) -> dict[str, Any]:
        """The object `finetune --json` prints, without `out`."""
        told = {name: result.summary() for name, result in self.tasks.items()}
        means = {split: value for split in ("dev", "test") if (value := self.mean(split)) is not None}
        cut = [each["truncated"] for each in told.values()]
        return {
            **{split: _by_task(self.tasks, split) for split in ("dev", "test") if _by_task(self.tasks, split)},
            MEAN: means,
            "labels": {name: each["labels"] for name, each in told.items()},
            "train_texts": {name: each["train_texts"] for name, each in told.items()},
            "document": {name: each["document"] for name, each in told.items()},
            "truncated": {
                **{unit: sum(each[unit] for each in cut) for unit in ("texts", "tokens")},
                "tasks": {name: each["truncated"] for name, each in told.items()},
            },
            **_calibrations(told),
            "updates_per_epoch": dict(self.updates),
            "leaks": [leak.to_json() for leak in self.leaks],
            **({"final": {name: _alone(result) for name, result in self.final.items()}} if self.final else {}),
            "steps": self.training.steps,
            "best_step": self.training.best_step,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": round(self.training.tokens / self.training.seconds, 1)
            if self.training.seconds
            else None,
            "seed": self.recipe.seed,
            "notes": list(self.notes),
        }


def multitask(
    recipe: MultiTaskRecipe,
    splits: TaskSplits,
    *,
    out: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> MultiTaskResult:
    """Train all tasks together, keep what is best on their dev parts, measure each; then single tasks, if asked for.

    As `finetune`, with which a run of one task agrees to the byte.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
        Interrupted: a signal came; the state is saved.
    """
    began = time.perf_counter()
    device = resolve_device(recipe.device, local_rank=local_rank())
    with using_threads(recipe.threads), joined_ranks(device) as ranks, holding_folder(out if ranks.leads else None):
        run = _prepared(recipe, splits, device)
        run.require_metric()
        if ranks.leads and out is not None:
            prepare_folder(out, recipe, keep_snapshots=resume)
        if ranks.leads:
            _tell(run.notes, listeners)
        identity = run.identity()
        updates = run.updates()
        result = train(
            run.model,
            updates,
            recipe.training,
            around=Surroundings(
                device=device,
                ranks=ranks,
                snapshots=None if out is None else Snapshots(out / SNAPSHOTS, identity=identity),
                resume=resume,
                listeners=listeners,
            ),
            evaluate=run.dev_metrics,
            step=step_for(run.any_task.model, run.any_task.recipe, device),
        )
        tasks = {name: one.result(result, ranks, seconds=result.seconds) for name, one in run.tasks.items()}
        final = {}
        for name in recipe.final_tasks:
            around = around_stage(final_stage(name), out, ranks, identity=identity, resume=resume, listeners=listeners)
            if ranks.leads:
                _tell([f"{name} goes on alone"], around.listeners)
            final[name] = _goes_on(run.tasks[name], recipe, name, around)
        return MultiTaskResult(
            recipe=recipe,
            tasks=tasks,
            training=result,
            groups=run.groups,
            updates=updates.quotas,
            leaks=splits.leaks,
            notes=(*run.notes, *_found(tasks, run)),
            device=device,
            seconds=time.perf_counter() - began,
            final=final,
            leads=ranks.leads,
        )


def rehearse_multitask(recipe: MultiTaskRecipe, splits: TaskSplits) -> Rehearsal:
    """Read and load everything, train nothing, write nothing; splits are called `task train` and so on.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    run = _prepared(recipe, splits, resolve_device(recipe.device))
    run.require_metric()
    return Rehearsal(
        rows={
            f"{name} {split}": len(rows.records)
            for name, one in run.tasks.items()
            for split, rows in one.splits.named().items()
        },
        truncated={
            f"{name} {split}": prepared.truncated
            for name, one in run.tasks.items()
            for split, prepared in one.prepared.items()
        },
        groups=run.groups,
        notes=run.notes,
        lengths=np.concatenate([one.prepared["train"].full_lengths for one in run.tasks.values()]),
        max_length=max(one.bundle.max_length for one in run.tasks.values()),
        num_layers=run.model.encoder.config.num_layers,
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All tasks ready to train over one encoder."""

    recipe: MultiTaskRecipe
    tasks: dict[str, PreparedRun]
    model: MultiTuner
    groups: tuple[ParameterGroup, ...]
    notes: tuple[str, ...]

    @property
    def any_task(self) -> PreparedRun:
        """The first task: what tasks share can be asked of it."""
        return next(iter(self.tasks.values()))

    def updates(self) -> MixedUpdates:
        return MixedUpdates(
            {name: run.updates() for name, run in self.tasks.items()}, self.recipe.sampling, seed=self.recipe.seed
        )

    def dev_metrics(self) -> dict[str, float]:
        """Every task's figures, and the mean of those that tasks are chosen by."""
        return _together({name: run.dev_metrics() for name, run in self.tasks.items()}, self.recipe)

    def require_metric(self) -> None:
        """Make sure that the best weights can be told."""
        found = {}
        for name, run in self.tasks.items():
            run.require_metric()
            found[name] = dict.fromkeys(run.measurable(), 0.0)
        require_metric(_together(found, self.recipe), self.recipe.selection)

    def identity(self) -> str:
        rows = {
            f"{name} {split}": rows.records
            for name, run in self.tasks.items()
            for split, rows in run.splits.named().items()
        }
        teachers = [run.teacher.fingerprint for run in self.tasks.values() if run.teacher is not None]
        return run_identity(self.recipe, rows, teachers)


def _prepared(recipe: MultiTaskRecipe, splits: TaskSplits, device: torch.device) -> _Prepared:
    texts = [text for parts in splits.tasks.values() for text in parts.train.all_texts]
    beginning = begin(recipe.start, texts, seed=recipe.seed)
    shared = replace(beginning, notes=())
    tasks = {
        name: prepared_run(recipe.single(name), splits.tasks[name], device, beginning=shared) for name in recipe.tasks
    }
    model = MultiTuner(
        {name: guided(run.model, run.recipe) for name, run in tasks.items()},
        {name: task.weight for name, task in recipe.tasks.items()},
    )
    groups = tuple(parameter_groups(model, recipe.training.optimizer, recipe.freeze))
    notes = [*splits.notes, *beginning.notes]
    notes += [f"{name}: {note}" for name, run in tasks.items() for note in run.notes]
    return _Prepared(recipe, tasks, model, groups, tuple(dict.fromkeys(notes)))


def _together(metrics: Mapping[str, Mapping[str, float]], recipe: MultiTaskRecipe) -> dict[str, float]:
    main = [metrics[name][task.metric] for name, task in recipe.tasks.items()]
    own = {f"{name}.{metric}": value for name, values in metrics.items() for metric, value in values.items()}
    return {MEAN: sum(main) / len(main), **own}


def _goes_on(run: PreparedRun, recipe: MultiTaskRecipe, name: str, around: Surroundings) -> FinetuneResult:
    """The final stage of a task, on a copy of the weights; the shared ones stay."""
    began = time.perf_counter()
    alone = recipe.last(name)
    model = copy.deepcopy(run.model)
    groups = tuple(parameter_groups(model, alone.optimizer, alone.freeze))
    own = replace(run, recipe=alone, bundle=replace(run.bundle, model=model), groups=groups)
    trained = guided(model, alone)
    result = train(
        trained,
        own.updates(),
        alone.training,
        around=around,
        evaluate=own.dev_metrics,
        step=step_for(model, alone, around.device),
    )
    told = own.result(result, around.ranks, seconds=time.perf_counter() - began)
    model.to("cpu")
    return told


def _found(tasks: Mapping[str, FinetuneResult], run: _Prepared) -> list[str]:
    """What measuring had to say: notes of a task that were not there before it."""
    return [
        f"{name}: {note}"
        for name, result in tasks.items()
        for note in result.notes
        if note not in run.tasks[name].notes
    ]


def _by_task(tasks: Mapping[str, FinetuneResult], split: str) -> dict[str, dict[str, float]]:
    return {name: dict(result.measured[split].metrics) for name, result in tasks.items() if split in result.measured}


def _alone(result: FinetuneResult) -> dict[str, Any]:
    told = {split: dict(measured.metrics) for split, measured in result.measured.items()}
    return {**told, "steps": result.training.steps, "best_step": result.training.best_step}


def _calibrations(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found = {name: each["calibration"] for name, each in told.items() if "calibration" in each}
    return {"calibration": found} if found else {}


def _tell(notes: Sequence[str], listeners: Sequence[Listener]) -> None:
    for note in notes:
        for listener in listeners:
            listener(Noticed(note))
