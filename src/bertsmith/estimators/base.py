"""What all estimators share: parameters, training, prediction, saving."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from bertsmith.data import Label, Record
from bertsmith.errors import UserError
from bertsmith.estimators.parameters import Parameters
from bertsmith.finetuning import Outputs
from bertsmith.recipes import (
    Answering,
    FinetuneRecipe,
    FinetuneResult,
    LabelType,
    finetune,
    finetune_recipe,
    load_model,
    make_splits,
    save_model,
)
from bertsmith.training import DeviceName, progress_listener, resolve_device

T = TypeVar("T", bound="TextEstimator")

FRONTS = {
    "classification": "Classifier",
    "multilabel": "Classifier",
    "pair": "PairClassifier",
    "regression": "Regressor",
    "tagging": "Tagger",
}
"""The estimator of each kind of task."""

Texts = tuple[list[str], list[str] | None]
"""First texts, and second ones where the inputs are pairs."""


class Labelled(NamedTuple):
    """Rows by split, what the labels say of the task, and what they were in Python."""

    rows: dict[str, list[Record]]
    task: dict[str, Any]
    label_type: LabelType


Given = Mapping[str, tuple[Any, Any]]
"""Texts and labels by split."""


class TextEstimator(Parameters, ABC):
    """`fit` trains, `result_` tells how it went.

    `model` is a checkpoint to start from (a bundled name, a folder, a hub id); `encoder` instead
    names a shape to start from random weights. `warm_start` is for few texts a label: a number of epochs,
    or the fields of the recipe's `warm_start` (nothing that scikit-learn calls so: `fit` always begins anew).
    What is None keeps the recipe's default. `settings` reach every other recipe field:
    `["optimizer.layer_decay=0.95", "features.pooling=mean"]`.
    """

    tasks: ClassVar[tuple[str, ...]]
    """The kinds of task it can load; the first is the usual one."""

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        model: str | None = None,
        *,
        encoder: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        max_length: int | None = None,
        truncation: Literal["head", "tail", "head_tail", "chunks", "auto"] | None = None,
        warm_start: Mapping[str, Any] | int | None = None,
        settings: Sequence[str] = (),
        seed: int = 0,
        device: DeviceName = "auto",
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.max_length = max_length
        self.truncation = truncation
        self.warm_start = warm_start
        self.settings = settings
        self.seed = seed
        self.device = device
        self.verbose = verbose

    def recipe(self, **task: Any) -> FinetuneRecipe:
        """The recipe these parameters stand for, for this kind of task and its settings.

        Raises:
            UserError: a parameter does not fit, or neither model nor encoder is given.
        """
        given: dict[str, Any] = {"task": {"kind": self.tasks[0], **task}, "seed": self.seed, "device": self.device}
        given["start"] = _given(model=self.model, encoder=self.encoder)
        given["budget"] = _given(epochs=self.epochs)
        given["batches"] = _given(batch_size=self.batch_size)
        given["optimizer"] = _given(lr=self.lr)
        cut = self.truncation
        field = "kind" if cut in ("chunks", "auto") else "keep"
        given["document"] = _given(max_length=self.max_length, **{field: cut})
        if self.warm_start is not None:
            warm = self.warm_start
            given["warm_start"] = dict(warm) if isinstance(warm, Mapping) else {"epochs": warm}
        return finetune_recipe(given=given, settings=self.settings)

    def save(self, folder: str | Path) -> None:
        """Write the model so that `load`, `bertsmith predict` and transformers can read it.

        Raises:
            UserError: the folder cannot be written, or there is nothing to save yet.
        """
        save_model(self._fitted(), Path(folder))

    @classmethod
    def load(cls: type[T], folder: str | Path, *, device: DeviceName = "auto") -> T:
        """Read a model that `save` or `bertsmith finetune` wrote, or an ensemble of several.

        Raises:
            UserError: there is none, or it does something else.
        """
        bundle = load_model(folder)
        kind = bundle.answers.name
        if kind not in cls.tasks:
            raise UserError(f"{folder} holds a {kind} model; load it with {FRONTS[kind]}", code="wrong_task")
        estimator = cls(str(folder), device=device)
        estimator._take(bundle)
        return estimator

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_bundle")

    def _train(self, texts: Any, labels: Any, dev: tuple[Any, Any] | None) -> None:
        """Train on texts and labels; the best weights are chosen on `dev`, or on 10 % set aside."""
        made = self.labelled({"train": (texts, labels)} | ({} if dev is None else {"dev": dev}))
        recipe = self.recipe(**made.task)
        listeners = (progress_listener(),) if self.verbose else ()
        self.result_: FinetuneResult = finetune(recipe, make_splits(made.rows, recipe), listeners=listeners)
        self._take(self.result_.bundle.but(label_type=made.label_type))

    @classmethod
    def of_bundle(cls: type[T], bundle: Answering, *, device: DeviceName = "auto") -> T:
        """An estimator of a model that is there already."""
        estimator = cls(device=device)
        estimator._take(bundle)
        return estimator

    @abstractmethod
    def labelled(self, given: Given) -> Labelled:
        """Texts and labels as rows, and what they say of the task.

        Raises:
            UserError: texts and labels do not fit.
        """

    def _take(self, bundle: Answering) -> None:
        """Adopt a trained model."""
        self._bundle = bundle

    def _said(self, texts: Texts) -> Outputs:
        """What the model says of texts."""
        bundle = self._fitted()
        records = [Record(text, pair) for text, pair in _together(texts)]
        return bundle.outputs(bundle.prepare(records), device=resolve_device(self.device))

    def _fitted(self) -> Answering:
        if not hasattr(self, "_bundle"):
            raise UserError(f"this {type(self).__name__} is not fitted yet; call fit or load first", code="not_fitted")
        return self._bundle

    @abstractmethod
    def _texts(self, inputs: Any) -> Texts:
        """Take the inputs apart into first and second texts."""


def records_of(texts: Texts, labels: Sequence[Label], name: str) -> list[Record]:
    """Texts and labels as rows; `name` is what messages call them.

    Raises:
        UserError: there are not as many labels as texts.
    """
    if len(texts[0]) != len(labels):
        raise UserError(f"{name}: {len(texts[0])} texts but {len(labels)} labels; give one label a text", code="uneven")
    return [
        Record(text, pair, label, where=f"{name}[{number}]")
        for number, ((text, pair), label) in enumerate(zip(_together(texts), labels, strict=True))
    ]


def _together(texts: Texts) -> list[tuple[str, str | None]]:
    first, second = texts
    seconds: Sequence[str | None] = second if second is not None else [None] * len(first)
    return list(zip(first, seconds, strict=True))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
