"""Several tasks over one encoder, each answered by an estimator of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from bertsmith.errors import UserError
from bertsmith.estimators.base import Labelled, TextEstimator
from bertsmith.estimators.classifiers import Classifier, PairClassifier
from bertsmith.estimators.numbers import Regressor
from bertsmith.estimators.parameters import Parameters
from bertsmith.estimators.tagger import Tagger
from bertsmith.finetuning import AIMS
from bertsmith.recipes import (
    Bundle,
    MultiTaskRecipe,
    MultiTaskResult,
    load_tasks,
    make_task_splits,
    merged,
    multitask,
    multitask_recipe,
    save_tasks,
)
from bertsmith.recipes.schema import with_named_task
from bertsmith.training import DeviceName, progress_listener

_FRONTS: dict[str, type[TextEstimator]] = {
    kind: front for front in (Classifier, PairClassifier, Regressor, Tagger) for kind in front.tasks
}

TaskData = Mapping[str, tuple[Any, Any]]
"""Texts and labels of each task, as the estimator of its kind takes them."""


class MultiTask(Parameters):
    """One encoder that learns several tasks at once, with a head for each.

    `tasks` names them: a kind (`classification`, `multilabel`, `regression`, `pair`, `tagging`), or the
    fields of a task in a recipe, as `{"task": "pair", "head_lr": 1e-3}`. `model["topic"]` is then the
    estimator of a task: a `Classifier`, `Tagger` ... . All else as `Classifier`; `settings` reach every field of
    the recipe: `["sampling.kind=temperature", "final.epochs=1"]`. Tasks that went on alone are in `final_`.

    >>> tasks = {"topic": "classification", "stars": "regression"}
    >>> model = MultiTask("tiny-zh", tasks=tasks)  # doctest: +SKIP
    >>> model.fit({"topic": (texts, topics), "stars": (reviews, stars)})  # doctest: +SKIP
    >>> model["topic"].predict(["..."])  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        model: str | None = None,
        *,
        tasks: Mapping[str, str | Mapping[str, Any]] | None = None,
        encoder: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        max_length: int | None = None,
        truncation: Literal["head", "tail", "head_tail", "chunks", "auto"] | None = None,
        settings: Sequence[str] = (),
        seed: int = 0,
        device: DeviceName = "auto",
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.tasks = tasks
        self.encoder = encoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.max_length = max_length
        self.truncation = truncation
        self.settings = settings
        self.seed = seed
        self.device = device
        self.verbose = verbose

    def fit(self, data: TaskData, *, dev: TaskData | None = None) -> "MultiTask":
        """Train on the texts and labels of every task; the best weights are chosen on `dev`, or on 10 % set aside.

        Raises:
            UserError: tasks and data do not fit each other, or the checkpoint cannot be had.
        """
        fields = self._fields()
        _require_all(fields, data, "data")
        unknown = next((name for name in dev or {} if name not in fields), None)
        if unknown is not None:
            raise UserError(f"dev has a task {unknown!r}; the tasks are {', '.join(fields)}", code="bad_input")
        made = {name: _labelled(name, fields[name], data[name], (dev or {}).get(name)) for name in fields}
        recipe = self._recipe({name: merged(fields[name], {"task": made[name].task}) for name in fields})
        splits = make_task_splits({name: one.rows for name, one in made.items()}, recipe)
        listeners = (progress_listener(),) if self.verbose else ()
        self.result_: MultiTaskResult = multitask(recipe, splits, listeners=listeners)
        types = {name: one.label_type for name, one in made.items()}
        self._bundles = {name: replace(bundle, label_type=types[name]) for name, bundle in self.result_.bundles.items()}
        self.final_ = {
            name: self._front(replace(result.bundle, label_type=types[name]))
            for name, result in self.result_.final.items()
        }
        return self

    def __getitem__(self, name: str) -> Any:
        """The estimator of a task, fitted.

        Raises:
            UserError: there is no such task, or nothing is fitted yet.
        """
        bundles = self._fitted()
        if name not in bundles:
            raise UserError(f"there is no task {name!r}; the tasks are {', '.join(bundles)}", code="no_task")
        return self._front(bundles[name])

    def __iter__(self) -> Iterator[str]:
        """The names of the tasks."""
        return iter(self._fitted())

    def save(self, folder: str | Path) -> None:
        """Write the encoder and all heads so that `load`, `bertsmith predict` and transformers can read them.

        Raises:
            UserError: the folder cannot be written, or there is nothing to save yet.
        """
        save_tasks(self._fitted(), Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, device: DeviceName = "auto") -> "MultiTask":
        """Read a model that `save` or `bertsmith finetune` wrote.

        Raises:
            UserError: there is none, or it holds a single task.
        """
        bundles = load_tasks(folder)
        found = cls(str(folder), tasks={name: bundle.answers.name for name, bundle in bundles.items()}, device=device)
        found._bundles = bundles
        return found

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_bundles")

    def _front(self, bundle: Bundle) -> TextEstimator:
        return _FRONTS[bundle.answers.name].of_bundle(bundle, device=self.device)

    def _fitted(self) -> dict[str, Bundle]:
        if not hasattr(self, "_bundles"):
            raise UserError("this MultiTask is not fitted yet; call fit or load first", code="not_fitted")
        return self._bundles

    def _fields(self) -> dict[str, dict[str, Any]]:
        """What is said of every task, its kind as a mapping."""
        found = {}
        for name, said in (self.tasks or {}).items():
            fields = with_named_task({"task": said} if isinstance(said, str) else dict(said))
            kind = (fields.get("task") or {}).get("kind")
            if kind not in AIMS:
                raise UserError(
                    f"tasks[{name!r}]: no kind of task {kind!r}; there are {', '.join(AIMS)}", code="bad_input"
                )
            found[name] = fields
        if not found:
            raise UserError("name the tasks: MultiTask(..., tasks={'topic': 'classification', ...})", code="bad_input")
        return found

    def _recipe(self, tasks: Mapping[str, Mapping[str, Any]]) -> MultiTaskRecipe:
        cut = self.truncation
        document = {"max_length": self.max_length, "kind" if cut in ("chunks", "auto") else "keep": cut}
        own = {"document": {name: value for name, value in document.items() if value is not None}}
        shared: dict[str, dict[str, Any]] = {
            "start": {"model": self.model, "encoder": self.encoder},
            "budget": {"epochs": self.epochs},
            "batches": {"batch_size": self.batch_size},
            "optimizer": {"lr": self.lr},
        }
        given = {part: {k: v for k, v in values.items() if v is not None} for part, values in shared.items()}
        return multitask_recipe(
            given={
                **given,
                "tasks": {name: merged(own, fields) for name, fields in tasks.items()},
                "seed": self.seed,
                "device": self.device,
            },
            settings=self.settings,
        )


def _labelled(name: str, fields: Mapping[str, Any], train: tuple[Any, Any], dev: tuple[Any, Any] | None) -> Labelled:
    kind = fields["task"]["kind"]
    made = _FRONTS[kind]().labelled({"train": train} | ({} if dev is None else {"dev": dev}))
    found = made.task.get("kind", kind if kind != "multilabel" else "classification")
    if found != kind:
        raise UserError(
            f"{name}: the task is {kind}, but its labels are those of {found}; say so in tasks", code="bad_input"
        )
    return made


def _require_all(tasks: Mapping[str, Any], data: TaskData, name: str) -> None:
    differ = sorted(tasks.keys() ^ data.keys())
    if differ:
        where = name if differ[0] in tasks else "tasks"
        raise UserError(f"{where} lacks {differ[0]!r}: give texts and labels for every task", code="bad_input")
