"""Texts, or pairs of texts, to labels."""

from typing import Any, ClassVar, TypeVar

import numpy as np

from bertsmith.estimators.base import Given, Labelled, TextEstimator, Texts, records_of
from bertsmith.estimators.inputs import LabelSets, label_sets, label_type, pairs_of_texts, plain, strings, typed
from bertsmith.finetuning import MultiLabelAnswers
from bertsmith.recipes import Answering

T = TypeVar("T", bound="LabelEstimator")


class LabelEstimator(TextEstimator):
    """What both classifiers share; `classes_` are the labels in the order of the probabilities."""

    def fit(self: T, texts: Any, labels: Any, *, dev: tuple[Any, Any] | None = None) -> T:
        """Train on texts and labels; the best weights are chosen on `dev` (texts, labels), or on 10 % set aside.

        Raises:
            UserError: texts and labels do not fit, there is one label only, or the checkpoint cannot be had.
        """
        self._train(texts, labels, dev)
        return self

    def labelled(self, given: Given) -> Labelled:
        """One label a text."""
        kind = label_type(plain(given["train"][1]))
        rows = {
            name: records_of(self._texts(some), [str(label) for label in plain(theirs)], name)
            for name, (some, theirs) in given.items()
        }
        return Labelled(rows, {}, kind)

    def predict(self, texts: Any) -> np.ndarray:
        """The likeliest label of every text."""
        places = self.predict_proba(texts).argmax(1)
        found: np.ndarray = self.classes_[places]
        return found

    def predict_proba(self, texts: Any) -> np.ndarray:
        """The probability of every label, in the order of `classes_`."""
        self._fitted()
        parts = self._texts(texts)
        if not parts[0]:
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        ordered: np.ndarray = self._said(parts).values[:, self._order]
        return ordered

    def score(self, texts: Any, labels: Any) -> float:
        """Accuracy, as scikit-learn's classifiers score."""
        truth = [str(label) for label in plain(labels)]
        return float(np.mean([str(answer) == label for answer, label in zip(self.predict(texts), truth, strict=True)]))

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn wants to know: a classifier of strings."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label="multilabel" in self.tasks),
            input_tags=InputTags(one_d_array=True, two_d_array="pair" in self.tasks, string=True),
        )

    def _take(self, bundle: Answering) -> None:
        """Adopt a trained model; its labels become again what they were."""
        super()._take(bundle)
        names = [typed(label, bundle.label_type) for label in bundle.labels]
        self.classes_ = np.unique(np.asarray(names))
        places = {name: number for number, name in enumerate(names)}
        self._order = [places[name] for name in self.classes_.tolist()]


class Classifier(LabelEstimator):
    """One label for a text, or any number of labels.

    With several labels a text, `fit` takes a list of labels for each, or scikit-learn's indicator matrix
    (a row a text, a column a label, 0 or 1); `predict` then answers in the same form.

    >>> Classifier("tiny-zh").fit(texts, labels).predict(["..."])  # doctest: +SKIP
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification", "multilabel")

    def labelled(self, given: Given) -> Labelled:
        """One label a text, or a set of labels."""
        sets = label_sets(given["train"][1])
        if sets is None:
            return super().labelled(given)
        sets.require_every_column()
        rows = {
            name: records_of(self._texts(texts), _sets(labels).names, name) for name, (texts, labels) in given.items()
        }
        return Labelled(rows, {"kind": "multilabel"}, sets.kind)

    def predict(self, texts: Any) -> Any:
        """The likeliest label of every text; with several labels a text a list of tuples, or an indicator matrix."""
        answers = self._fitted().answers
        if not isinstance(answers, MultiLabelAnswers):
            return super().predict(texts)
        given = self.predict_proba(texts).astype(np.float64) >= np.array(answers.cuts)[self._order]
        if self._bundle.label_type == "indicator":
            return given.astype(np.int64)
        return [tuple(self.classes_[row].tolist()) for row in given]

    def score(self, texts: Any, labels: Any) -> float:
        """Accuracy; with several labels a text the share of texts of which all are right, as in scikit-learn."""
        if not isinstance(self._fitted().answers, MultiLabelAnswers):
            return super().score(texts, labels)
        said, truth = _sets(self.predict(texts)).names, _sets(labels).names
        return float(np.mean([set(one) == set(other) for one, other in zip(said, truth, strict=True)]))

    def _texts(self, inputs: Any) -> Texts:
        return strings(inputs), None


class PairClassifier(LabelEstimator):
    """One label for two texts read together; inputs are pairs: `[("a", "b"), ...]` or an array of two columns.

    Where the order of the two does not matter, say so: `settings=["task.symmetric=true"]`.
    """

    tasks: ClassVar[tuple[str, ...]] = ("pair",)

    def _texts(self, inputs: Any) -> Texts:
        return pairs_of_texts(inputs)


def _sets(labels: Any) -> LabelSets:
    return label_sets(labels, surely=True) or LabelSets([], "str")
