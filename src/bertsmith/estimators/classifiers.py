"""Texts, or pairs of texts, to labels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.estimators.inputs import label_type, plain, strings, typed
from bertsmith.estimators.parameters import Parameters
from bertsmith.recipes import (
    Bundle,
    FinetuneRecipe,
    FinetuneResult,
    finetune,
    finetune_recipe,
    load_bundle,
    make_splits,
    save_bundle,
)
from bertsmith.training import DeviceName, progress_listener, resolve_device

T = TypeVar("T", bound="TextClassifier")


class TextClassifier(Parameters, ABC):
    """What both classifiers share; `fit` trains, `classes_` and `result_` tell how it went.

    `model` is a checkpoint to start from (a bundled name, a folder, a hub id); `encoder` instead
    names a shape to start from random weights. What is None keeps the recipe's default. `settings`
    reach every other recipe field: `["optimizer.layer_decay=0.95", "features.pooling=mean"]`.
    """

    task: ClassVar[str]

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        model: str | None = None,
        *,
        encoder: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        max_length: int | None = None,
        truncation: Literal["head", "tail", "head_tail"] | None = None,
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
        self.settings = settings
        self.seed = seed
        self.device = device
        self.verbose = verbose

    @abstractmethod
    def _texts(self, inputs: Any) -> tuple[list[str], list[str] | None]:
        """Take the inputs apart into first and second texts."""

    def fit(self: T, texts: Any, labels: Any, *, dev: tuple[Any, Any] | None = None) -> T:
        """Train on texts and labels; the best weights are chosen on `dev` (texts, labels), or on 10 % set aside.

        Raises:
            UserError: texts and labels do not fit, there is one label only, or the checkpoint cannot be had.
        """
        labels = plain(labels)
        kind = label_type(labels)
        records = {"train": self._records(texts, labels, "train")}
        if dev is not None:
            records["dev"] = self._records(*dev, "dev")
        recipe = self.recipe()
        listeners = (progress_listener(),) if self.verbose else ()
        self.result_: FinetuneResult = finetune(recipe, make_splits(records, recipe), listeners=listeners)
        self._take(replace(self.result_.bundle, label_type=kind))
        return self

    def predict(self, texts: Any) -> np.ndarray:
        """The likeliest label of every text."""
        places = self.predict_proba(texts).argmax(1)
        found: np.ndarray = self.classes_[places]
        return found

    def predict_proba(self, texts: Any) -> np.ndarray:
        """The probability of every label, in the order of `classes_`."""
        bundle = self._fitted()
        first, second = self._texts(texts)
        if not first:
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        seconds: Sequence[str | None] = second if second is not None else [None] * len(first)
        records = [Record(text, pair) for text, pair in zip(first, seconds, strict=True)]
        said = bundle.outputs(bundle.prepare(records), device=resolve_device(self.device))
        ordered: np.ndarray = said.values[:, self._order]
        return ordered

    def score(self, texts: Any, labels: Any) -> float:
        """Accuracy, as scikit-learn's classifiers score."""
        truth = [str(label) for label in plain(labels)]
        return float(np.mean([str(answer) == label for answer, label in zip(self.predict(texts), truth, strict=True)]))

    def save(self, folder: str | Path) -> None:
        """Write the model so that `load`, `bertsmith predict` and transformers can read it.

        Raises:
            UserError: the folder cannot be written, or there is nothing to save yet.
        """
        save_bundle(self._fitted(), Path(folder))

    @classmethod
    def load(cls: type[T], folder: str | Path, *, device: DeviceName = "auto") -> T:
        """Read a model that `save` or `bertsmith finetune` wrote.

        Raises:
            UserError: there is none, or it does something else.
        """
        bundle = load_bundle(folder)
        if bundle.model.task.kind != cls.task:
            other = {"classification": "Classifier", "pair": "PairClassifier"}[bundle.model.task.kind]
            raise UserError(f"{folder} holds a {bundle.model.task.kind} model; load it with {other}", code="wrong_task")
        estimator = cls(str(folder), device=device)
        estimator._take(bundle)
        return estimator

    def recipe(self) -> FinetuneRecipe:
        """The recipe these parameters stand for.

        Raises:
            UserError: a parameter does not fit, or neither model nor encoder is given.
        """
        given: dict[str, Any] = {"task": self.task, "seed": self.seed, "device": self.device}
        given["start"] = _given(model=self.model, encoder=self.encoder)
        given["budget"] = _given(epochs=self.epochs)
        given["batches"] = _given(batch_size=self.batch_size)
        given["optimizer"] = _given(lr=self.lr)
        given["document"] = _given(max_length=self.max_length, keep=self.truncation)
        return finetune_recipe(given=given, settings=self.settings)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn wants to know: a classifier of strings."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=self.task == "pair", string=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_bundle")

    def _records(self, texts: Any, labels: Any, name: str) -> list[Record]:
        first, second = self._texts(texts)
        names = [str(label) for label in plain(labels)]
        if len(first) != len(names):
            raise UserError(f"{name}: {len(first)} texts but {len(names)} labels; give one label a text", code="uneven")
        seconds: Sequence[str | None] = second if second is not None else [None] * len(first)
        return [
            Record(text, pair, label, where=f"{name}[{number}]")
            for number, (text, pair, label) in enumerate(zip(first, seconds, names, strict=True))
        ]

    def _take(self, bundle: Bundle) -> None:
        """Adopt a trained model; its labels become again what they were."""
        self._bundle = bundle
        names = [typed(label, bundle.label_type) for label in bundle.labels]
        self.classes_ = np.unique(np.asarray(names))
        places = {name: number for number, name in enumerate(names)}
        self._order = [places[name] for name in self.classes_.tolist()]

    def _fitted(self) -> Bundle:
        if not hasattr(self, "_bundle"):
            raise UserError(f"this {type(self).__name__} is not fitted yet; call fit or load first", code="not_fitted")
        return self._bundle


class Classifier(TextClassifier):
    """One label for a text.

    >>> Classifier("tiny-zh").fit(texts, labels).predict(["..."])  # doctest: +SKIP
    """

    task: ClassVar[str] = "classification"

    def _texts(self, inputs: Any) -> tuple[list[str], list[str] | None]:
        return strings(inputs), None


class PairClassifier(TextClassifier):
    """One label for two texts read together; inputs are pairs: `[("a", "b"), ...]` or an array of two columns."""

    task: ClassVar[str] = "pair"

    def _texts(self, inputs: Any) -> tuple[list[str], list[str] | None]:
        pairs = [tuple(pair) for pair in plain(inputs)]
        wrong = next((number for number, pair in enumerate(pairs) if len(pair) != 2), None)
        if wrong is not None:
            raise UserError(f"input {wrong} has {len(pairs[wrong])} texts; a pair has two", code="not_a_pair")
        return strings([a for a, _ in pairs]), strings([b for _, b in pairs])


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
