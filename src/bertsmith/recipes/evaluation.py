"""A fine-tuned model measured on one split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from bertsmith.errors import UserError
from bertsmith.finetuning import Truncated
from bertsmith.metrics import Interval, classification_intervals, classification_metrics
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.splits import Rows, numbered


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model answers on a split, what is true there, and how good that is."""

    rows: Rows
    labels: tuple[str, ...]
    truth: Int[np.ndarray, "rows"]
    probabilities: Float[np.ndarray, "rows labels"]
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]

    @property
    def answers(self) -> Int[np.ndarray, "rows"]:
        """The number of the likeliest label of each row."""
        answers: np.ndarray = self.probabilities.argmax(1)
        return answers

    def lines(self) -> Iterator[dict[str, Any]]:
        """The rows of predictions_*.jsonl."""
        for record, truth, answer, chances in zip(
            self.rows.records, self.truth, self.answers, self.probabilities, strict=True
        ):
            pair = {} if record.text_pair is None else {"text_pair": record.text_pair}
            yield {
                "text": record.text,
                **pair,
                "label": self.labels[truth],
                "prediction": self.labels[answer],
                "confidence": round(float(chances[answer]), 6),
            }


def measure(
    rows: Rows,
    truth: Int[np.ndarray, "rows"],
    probabilities: Float[np.ndarray, "rows labels"],
    labels: tuple[str, ...],
    *,
    seed: int,
) -> Measured:
    """Metrics with 95 % intervals (bootstrap over rows)."""
    answers = probabilities.argmax(1)
    return Measured(
        rows=rows,
        labels=labels,
        truth=truth,
        probabilities=probabilities,
        metrics=classification_metrics(truth, answers, labels=labels, probabilities=probabilities),
        intervals=classification_intervals(truth, answers, labels=labels, probabilities=probabilities, seed=seed),
    )


def evaluate_bundle(bundle: Bundle, rows: Rows, *, device: torch.device, seed: int) -> tuple[Measured, Truncated]:
    """Measure a saved model on labelled rows; also what shortening cost them.

    Raises:
        UserError: a row has a label the model does not know.
    """
    _refuse_unseen(rows, bundle.labels)
    prepared = bundle.prepare(rows.texts, rows.pairs(bundle.model.task.kind))
    truth = numbered(rows, bundle.labels)
    chances = bundle.probabilities(prepared, device=device)
    return measure(rows, truth, chances, bundle.labels, seed=seed), prepared.truncated


def _refuse_unseen(rows: Rows, labels: tuple[str, ...]) -> None:
    unseen = next((record for record in rows.records if record.label not in labels), None)
    if unseen is not None:
        raise UserError(
            f"{unseen.where}: label {str(unseen.label)!r} is not one this model knows ({', '.join(labels[:20])}); "
            "mend the label or leave the row out",
            code="unseen_label",
            where=unseen.where,
        )
