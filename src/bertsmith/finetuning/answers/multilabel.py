"""Any number of labels for a text, none included."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool
from pydantic import Field, model_validator

from bertsmith.data import LabelKind, Record
from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.answers.classes import label_names, probability_columns, refuse_unseen
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.preparation import Prepared
from bertsmith.finetuning.targets import Targets
from bertsmith.losses import LabelFacts
from bertsmith.metrics import (
    SCORES,
    USUAL_CUT,
    Interval,
    Weighted,
    best_cut,
    best_cuts,
    multilabel_intervals,
    multilabel_metrics,
    per_label,
    weighted_multilabel,
)

Cut = Annotated[float, Field(gt=0.0, lt=1.0)]


class MultiLabel(Aim):
    """Any number of labels for a text: yes or no for each.

    `threshold` is the probability from which on a label is given: a number, `tuned` (one for all labels,
    best on dev by `tune_for`) or `per_label` (each label's own, best on dev by its F1; a label that dev
    lacks keeps the one for all). Thresholds of rare labels rest on few texts: `per_label` needs a dev part
    with a good number of each.
    """

    kind: Literal["multilabel"] = "multilabel"
    threshold: Literal["tuned", "per_label"] | Cut = "tuned"
    tune_for: Literal["micro_f1", "macro_f1"] = "micro_f1"

    reads: ClassVar[LabelKind] = "several"
    usual: ClassVar[Mapping[str, Any]] = {"criterion": {"kind": "binary"}, "selection": {"metric": "micro_f1"}}
    criteria: ClassVar[tuple[str, ...]] = ("binary",)

    def learn(self, records: Sequence[Record]) -> "MultiLabelAnswers":
        """The labels in order: numbers by value, the rest by name."""
        labels = label_names(label for record in records for label in _labels(record))
        cut = self.threshold if isinstance(self.threshold, float) else USUAL_CUT
        return MultiLabelAnswers(**dict(self), labels=labels, cuts=(cut,) * len(labels))


class MultiLabelAnswers(Answers, MultiLabel):
    """The labels a text may have, and the probability from which on each is given."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    cuts: tuple[float, ...]

    @model_validator(mode="after")
    def _a_cut_a_label(self) -> "MultiLabelAnswers":
        if len(self.cuts) != len(self.labels):
            raise ValueError(f"{len(self.cuts)} cuts for {len(self.labels)} labels")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def require_measurable(self, records: Sequence[Record], source: str) -> None:
        """Every label is one of those learned."""
        refuse_unseen(records, self.labels)

    def targets(self, records: Sequence[Record], prepared: Prepared | None = None) -> Targets:
        """One or zero for every row and label."""
        places = {label: number for number, label in enumerate(self.labels)}
        values = np.zeros((len(records), len(self.labels)), dtype=np.float32)
        for row, record in enumerate(records):
            values[row, [places[label] for label in _labels(record)]] = 1.0
        return Targets(values)

    def facts(self, truth: Targets) -> LabelFacts:
        """How often each label occurs, in how many texts."""
        counts = truth.values.sum(axis=0).astype(np.int64).tolist()
        return LabelFacts.of(self.labels, counts, len(truth))

    def perfect(self, truth: Targets) -> Outputs:
        """Certain of everything that is true."""
        return Outputs(truth.values.astype(np.float64))

    def given(self, outputs: Outputs) -> Bool[np.ndarray, "texts labels"]:
        """Whether each label is given to each text."""
        return outputs.values.astype(np.float64) >= np.array(self.cuts)

    def metrics(self, outputs: Outputs, truth: Targets) -> dict[str, float]:
        """`micro_f1` and `macro_f1`."""
        return multilabel_metrics(truth.values > 0, self.given(outputs))

    def intervals(self, outputs: Outputs, truth: Targets, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same."""
        return multilabel_intervals(truth.values > 0, self.given(outputs), seed=seed)

    def figures(self, outputs: Outputs, truth: Targets) -> dict[str, Weighted]:
        """The same of samples."""
        return weighted_multilabel(truth.values > 0, self.given(outputs))

    def row(self, record: Record, outputs: Outputs, *, probabilities: bool = False) -> dict[str, Any]:
        """The labels given; the confidence is the chance that all of these decisions are right, each by itself."""
        (chances,), (given,) = outputs.values, self.given(outputs)
        sure = np.where(given, chances, 1 - chances).astype(np.float64).prod()
        told = {
            "prediction": [label for label, yes in zip(self.labels, given, strict=True) if yes],
            "confidence": round(float(sure), 6),
        }
        return {**told, **(probability_columns(self.labels, chances) if probabilities else {})}

    def truth_of(self, record: Record) -> list[str]:
        """The names of the labels."""
        return list(_labels(record))

    def details(self, outputs: Outputs, truth: Targets) -> dict[str, Any]:
        """How well each label is found, and from which probability on it is given."""
        found = per_label(truth.values > 0, self.given(outputs), labels=self.labels)
        return {
            "labels": list(self.labels),
            "per_class": [
                {
                    "label": scores.label,
                    "precision": scores.precision,
                    "recall": scores.recall,
                    "f1": scores.f1,
                    "support": scores.support,
                    "threshold": cut,
                }
                for scores, cut in zip(found, self.cuts, strict=True)
            ],
        }

    def tuned(self, outputs: Outputs, truth: Targets) -> "MultiLabelAnswers":
        """Choose the thresholds by development texts."""
        if isinstance(self.threshold, float):
            return self
        true = truth.values > 0
        one = best_cut(true, outputs.values, SCORES[self.tune_for])
        several = self.threshold == "per_label"
        cuts = best_cuts(true, outputs.values, otherwise=one) if several else (one,) * len(self.labels)
        return self.but(cuts=cuts)

    def config_json(self) -> dict[str, Any]:
        """Yes or no for each label."""
        return {**super().config_json(), "problem_type": "multi_label_classification"}


def _labels(record: Record) -> tuple[str, ...]:
    return record.label if isinstance(record.label, tuple) else ()
