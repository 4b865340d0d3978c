"""A run over several tasks as a value: one encoder, for each task its data and what stands on top."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import BatchPlan
from bertsmith.encoder import Activations, AttentionPath
from bertsmith.features import Features
from bertsmith.finetuning import (
    AnyAim,
    AskedDocument,
    Classification,
    Distill,
    Fixed,
    Proportional,
    RDrop,
    Sampling,
    Truncate,
    require_comparable,
    require_fit,
)
from bertsmith.heads import AnyHead, Linear
from bertsmith.losses import AnyCriterion, CrossEntropy
from bertsmith.recipes.schema import (
    CRF_RATE,
    DataFiles,
    FinetuneRecipe,
    Start,
    gives_rates,
    is_crf,
    merged,
    read_yaml,
    usual_for,
    usual_for_start,
    with_named_task,
)
from bertsmith.training import (
    AdamW,
    Adversarial,
    Averaging,
    Budget,
    DeviceName,
    Freezing,
    Optimizer,
    Precision,
    Selection,
    TrainingConfig,
)

TaskName = Annotated[str, Field(pattern=r"^\w[\w-]*$", max_length=60)]
"""Letters, digits, `_` and `-`: a task's name stands in paths of settings, in columns and in names of files."""

MEAN = "mean"
"""The mean over tasks of the metric that each is chosen by."""


class TaskRecipe(Config):
    """One of several tasks: what it learns, from which files, and what stands on the encoder for it.

    `head_lr` is the peak rate of what lies above the encoder and has none by name (the optimizer's if None), `batches`
    how its texts are cut into updates (the run's if None), `weight` how much its loss counts, `metric` what chooses it.
    """

    task: AnyAim = Classification()
    data: DataFiles = DataFiles()
    document: AskedDocument = Truncate()
    features: Features = Features()
    head: AnyHead = Linear()
    criterion: AnyCriterion = CrossEntropy()
    head_lr: PositiveFloat | None = None
    batches: BatchPlan | None = None
    weight: PositiveFloat = 1.0
    metric: str = "accuracy"
    r_drop: RDrop | None = None
    distill: Distill | None = None
    calibrate: bool = False

    @model_validator(mode="before")
    @classmethod
    def _usual_for_the_task(cls, values: Any) -> Any:
        return merged(_usual(values.get("task")), with_named_task(values)) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _fits(self) -> "TaskRecipe":
        require_fit(self.task, document=self.document, features=self.features, head=self.head, criterion=self.criterion)
        if self.r_drop is not None or self.distill is not None:
            require_comparable(self.criterion)
        if self.calibrate and not self.task.calibrates:
            raise ValueError(f"calibrate needs one label a text; task {self.task.name} has no such probabilities")
        return self


class FinalStage(Config):
    """After all tasks together, each by itself at a lower rate (Sun et al. 2019, arXiv 1905.05583 table 7: MFiT-FiT).

    `tasks` are those that get it; None: all. Each starts from the weights chosen for all, learns with its own
    texts alone for `epochs` at the peak rate `lr` (None: half of the run's; heads in the same proportion), is
    chosen by its own metric, and becomes a model of its own in `final/NAME` of the output.
    """

    tasks: tuple[str, ...] | None = None
    lr: PositiveFloat | None = None
    epochs: PositiveInt = 2


class MultiTaskRecipe(Config):
    """Several tasks at once: a shared encoder, a head for each (Sun et al. 2019, arXiv 1905.05583 table 7).

    `leaks` says what becomes of training rows whose very text stands in the dev or test part of another
    task: they are dropped from training and counted, refused, or kept. `selection.metric` is `mean` (of
    the tasks' own metrics) or one task's, as `topic.accuracy`.
    """

    kind: Literal["multitask"] = "multitask"
    tasks: Annotated[dict[TaskName, TaskRecipe], Field(min_length=1)]
    start: Start
    leaks: Literal["drop", "refuse", "keep"] = "drop"
    sampling: Sampling = Proportional()
    batches: BatchPlan = BatchPlan()
    optimizer: Optimizer = AdamW()
    freeze: Freezing | None = None
    averaging: Averaging | None = None
    budget: Budget = Budget()
    selection: Selection = Selection(metric=MEAN)
    adversarial: Adversarial | None = None
    final: FinalStage | None = None
    precision: Precision = "auto"
    activations: Activations = "kept"
    attention: AttentionPath = "auto"
    snapshot_every: PositiveInt = 200
    seed: NonNegativeInt = 0
    device: DeviceName = "auto"
    threads: PositiveInt | None = None
    """CPU threads to compute with; None: as many as torch likes."""

    @model_validator(mode="before")
    @classmethod
    def _usual_for_several(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        usual = merged({"selection": {"metric": MEAN}}, {} if gives_rates(values) else _crf_rates(values.get("tasks")))
        return merged(usual, values)

    @model_validator(mode="after")
    def _names_fit(self) -> "MultiTaskRecipe":
        if isinstance(self.sampling, Fixed) and self.sampling.by_task.keys() != self.tasks.keys():
            raise ValueError(f"sampling.by_task must name each task once: {', '.join(self.tasks)}")
        unknown = [name for name in (self.final and self.final.tasks) or () if name not in self.tasks]
        if unknown:
            raise ValueError(f"final.tasks names {unknown[0]!r}; the tasks are {', '.join(self.tasks)}")
        return self

    @property
    def training(self) -> TrainingConfig:
        """The part that the training loop reads; each head has the rate of its task."""
        names = TrainingConfig.model_fields.keys()
        heads = {rf"tasks\.{name}\..*": task.head_lr for name, task in self.tasks.items() if task.head_lr is not None}
        optimizer = self.optimizer.but(rates={**heads, **self.optimizer.rates})
        return TrainingConfig(**{**{name: getattr(self, name) for name in names}, "optimizer": optimizer})

    def single(self, name: str) -> FinetuneRecipe:
        """One of the tasks as a run of its own, everything else alike."""
        task, own_names = self.tasks[name], rf"tasks\.{name}\."
        rates = {
            pattern.removeprefix(own_names): rate
            for pattern, rate in self.optimizer.rates.items()
            if pattern.startswith(own_names)
        }
        shared = FinetuneRecipe.model_fields.keys() & MultiTaskRecipe.model_fields.keys() - {"kind"}
        own = FinetuneRecipe.model_fields.keys() & TaskRecipe.model_fields.keys()
        return FinetuneRecipe(
            **{field: getattr(self, field) for field in shared},
            **{field: getattr(task, field) for field in own - {"batches"}},
        ).but(
            batches=task.batches or self.batches,
            optimizer=self.optimizer.but(head_lr=task.head_lr or self.optimizer.head_lr, rates=rates),
            selection=self.selection.but(metric=task.metric),
        )

    @property
    def final_tasks(self) -> tuple[str, ...]:
        """The tasks that go on alone afterwards."""
        return () if self.final is None else tuple(self.tasks) if self.final.tasks is None else self.final.tasks

    def last(self, name: str) -> FinetuneRecipe:
        """The final stage of a task as a run of its own."""
        assert self.final is not None
        recipe, optimizer = self.single(name), self.optimizer
        lr = self.final.lr or optimizer.lr / 2
        head_lr = recipe.optimizer.head_lr and recipe.optimizer.head_lr * lr / optimizer.lr
        rates = {pattern: rate * lr / optimizer.lr for pattern, rate in recipe.optimizer.rates.items()}
        return recipe.but(
            optimizer=recipe.optimizer.but(lr=lr, head_lr=head_lr, rates=rates), budget=Budget(epochs=self.final.epochs)
        )


def _crf_rates(tasks: Any) -> dict[str, Any]:
    """The rates of the CRFs among the tasks, by the names their parameters have beside other tasks."""
    crfs = [name for name, task in tasks.items() if _is_crf(task)] if isinstance(tasks, Mapping) else []
    return {"optimizer": {"rates": {rf"tasks\.{name}\.criterion.*": CRF_RATE for name in crfs}}} if crfs else {}


def _is_crf(task: Any) -> bool:
    return is_crf(task if isinstance(task, Mapping) else {"criterion": getattr(task, "criterion", None)})


def _usual(task: Any) -> dict[str, Any]:
    """The defaults that are others for this kind of task."""
    usual = dict(usual_for(task))
    chosen = usual.pop("selection", {})
    return {**usual, **({"metric": chosen["metric"]} if "metric" in chosen else {})}


def multitask_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> MultiTaskRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    below = _with_named_tasks(read_yaml(file)) if file else {}
    if given.get("start"):
        below = merged(below, {"start": {"model": None, "encoder": None}})
    chosen = with_settings({"start": {}, "tasks": {}, **merged(below, _with_named_tasks(given))}, settings)
    return parse_config(MultiTaskRecipe, _completed(chosen), where=str(file) if file else None)


def _completed(chosen: dict[str, Any]) -> dict[str, Any]:
    """With the defaults for what the run starts from; those of a task lie with each task."""
    usual = usual_for_start(chosen["start"])
    own = {name: part for name, part in usual.items() if name in TaskRecipe.model_fields}
    rest = {name: part for name, part in usual.items() if name not in own}
    tasks = {
        name: merged(merged(own, _usual(task.get("task"))), task) if isinstance(task, Mapping) else task
        for name, task in chosen["tasks"].items()
    }
    return merged(rest, {**chosen, "tasks": tasks})


def _with_named_tasks(values: Mapping[str, Any]) -> dict[str, Any]:
    """`tasks: {topic: {task: pair}}` is short for `{task: {kind: pair}}`."""
    tasks = values.get("tasks")
    if not isinstance(tasks, Mapping):
        return dict(values)
    named = {name: with_named_task(task) if isinstance(task, Mapping) else task for name, task in tasks.items()}
    return {**values, "tasks": named}
