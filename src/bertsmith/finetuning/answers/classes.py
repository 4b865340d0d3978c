"""One of several labels for a text, or for two texts read together."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.preparation import Prepared
from bertsmith.finetuning.targets import Targets
from bertsmith.losses import LabelFacts
from bertsmith.metrics import (
    Interval,
    Weighted,
    classification_intervals,
    classification_metrics,
    confusion,
    per_class,
    weighted_classification,
)

Labels = Annotated[tuple[str, ...], Field(min_length=2)]


class Classification(Aim):
    """One label for a text (Devlin et al. 2019, arXiv 1810.04805 §4.1)."""

    kind: Literal["classification"] = "classification"

    calibrates: ClassVar[bool] = True
    counts_ngrams: ClassVar[bool] = True

    def learn(self, records: Sequence[Record]) -> "ClassificationAnswers":
        """The labels in order: numbers by value, the rest by name."""
        return ClassificationAnswers(labels=label_names(str(record.label) for record in records))


class Pair(Aim):
    """One label for two texts read together (Devlin et al. 2019, arXiv 1810.04805 §4.1).

    `symmetric`: the order of the two does not matter. Training then sees each pair in an order drawn
    anew every epoch, and a prediction is the mean over both orders: swapping the texts changes nothing.
    """

    kind: Literal["pair"] = "pair"
    symmetric: bool = False

    calibrates: ClassVar[bool] = True
    counts_ngrams: ClassVar[bool] = True

    @property
    def pairs(self) -> bool:
        """It reads two texts."""
        return True

    @property
    def both_orders(self) -> bool:
        """A pair without an order is read both ways."""
        return self.symmetric

    def learn(self, records: Sequence[Record]) -> "PairAnswers":
        """The labels in order: numbers by value, the rest by name."""
        labels = label_names(str(record.label) for record in records)
        return PairAnswers(symmetric=self.symmetric, labels=labels)


class _OneOfSeveral(Answers):
    labels: Labels

    @property
    def names(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def require_measurable(self, records: Sequence[Record], source: str) -> None:
        """Every label is one of those learned."""
        refuse_unseen(records, self.labels)

    def targets(self, records: Sequence[Record], prepared: Prepared | None = None) -> Targets:
        """The number of each row's label."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        return Targets(np.array([numbers[str(record.label)] for record in records], dtype=np.int64))

    def facts(self, truth: Targets) -> LabelFacts:
        """How often each label occurs."""
        counts = np.bincount(truth.values, minlength=len(self.labels)).tolist()
        return LabelFacts.of(self.labels, counts)

    def perfect(self, truth: Targets) -> Outputs:
        """All the probability on the true label."""
        return Outputs(np.eye(len(self.labels))[truth.values])

    def metrics(self, outputs: Outputs, truth: Targets) -> dict[str, float]:
        """`accuracy`, `macro_f1`, of two labels `auc`."""
        return classification_metrics(truth.values, chosen(outputs), labels=self.labels, probabilities=outputs.values)

    def intervals(self, outputs: Outputs, truth: Targets, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same."""
        return classification_intervals(
            truth.values, chosen(outputs), labels=self.labels, probabilities=outputs.values, seed=seed
        )

    def figures(self, outputs: Outputs, truth: Targets) -> dict[str, Weighted]:
        """The same of samples."""
        return weighted_classification(truth.values, chosen(outputs), labels=self.labels, probabilities=outputs.values)

    def row(self, record: Record, outputs: Outputs, *, probabilities: bool = False) -> dict[str, Any]:
        """The likeliest label and its probability."""
        (chances,) = outputs.values
        best = int(chances.argmax())
        told = {"prediction": self.labels[best], "confidence": round(float(chances[best]), 6)}
        return {**told, **(probability_columns(self.labels, chances) if probabilities else {})}

    def truth_of(self, record: Record) -> str:
        """The name of the label."""
        return str(record.label)

    def details(self, outputs: Outputs, truth: Targets) -> dict[str, Any]:
        """The confusion table, and how well each label is found."""
        answers = chosen(outputs)
        return {
            "labels": list(self.labels),
            "confusion": confusion(truth.values, answers, labels=self.labels).tolist(),
            "per_class": [
                {
                    "label": scores.label,
                    "precision": scores.precision,
                    "recall": scores.recall,
                    "f1": scores.f1,
                    "support": scores.support,
                }
                for scores in per_class(truth.values, answers, labels=self.labels)
            ],
        }

    def config_json(self) -> dict[str, Any]:
        """One label a text."""
        return {**super().config_json(), "problem_type": "single_label_classification"}


class ClassificationAnswers(_OneOfSeveral, Classification):
    """The labels a text may have."""


class PairAnswers(_OneOfSeveral, Pair):
    """The labels a pair may have."""


def label_names(labels: Any) -> tuple[str, ...]:
    """The distinct labels in order: numbers by value, the rest by name."""
    return tuple(sorted(set(labels), key=_label_order))


def chosen(outputs: Outputs) -> Int[np.ndarray, "texts"]:
    """The number of the likeliest label of each text."""
    answers: np.ndarray = outputs.values.argmax(1)
    return answers


def probability_columns(labels: Sequence[str], chances: Any) -> dict[str, float]:
    """A column for the probability of each label."""
    return {f"probability_{label}": round(float(chance), 6) for label, chance in zip(labels, chances, strict=True)}


def refuse_unseen(records: Sequence[Record], labels: Sequence[str]) -> None:
    """Make sure that every label is one of these.

    Raises:
        UserError: names the first row whose label is not.
    """
    known = set(labels)
    for record in records:
        for label in record.label if isinstance(record.label, tuple) else (str(record.label),):
            if label not in known:
                raise UserError(
                    f"{record.where}: label {label!r} is not one this model knows ({', '.join(labels[:20])}); "
                    "mend the label or leave the row out",
                    code="unseen_label",
                    where=record.where,
                )


def _label_order(label: str) -> tuple[int, int, str]:
    return (0, int(label), label) if label.isdecimal() and len(label) < 19 else (1, 0, label)
