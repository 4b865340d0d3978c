"""A fine-tuned model measured on one split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bertsmith.finetuning import Answers, Outputs, Targets, Truncated
from bertsmith.metrics import Interval
from bertsmith.recipes.ensemble import Answering
from bertsmith.recipes.splits import Rows


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model says on a split, what is true there, and how good that is."""

    rows: Rows
    answers: Answers
    truth: Targets
    outputs: Outputs
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]

    def lines(self) -> Iterator[dict[str, Any]]:
        """The rows of predictions_*.jsonl."""
        for record, outputs in zip(self.rows.records, self.outputs.split(), strict=True):
            pair = {} if record.text_pair is None else {"text_pair": record.text_pair}
            label = self.answers.truth_of(record)
            yield {"text": record.text, **pair, "label": label, **self.answers.row(record, outputs)}

    def details(self) -> dict[str, Any]:
        """Tables beside the metrics."""
        return self.answers.details(self.outputs, self.truth)


def measure(rows: Rows, answers: Answers, truth: Targets, outputs: Outputs, *, seed: int) -> Measured:
    """Metrics with 95 % intervals (bootstrap over rows)."""
    return Measured(
        rows=rows,
        answers=answers,
        truth=truth,
        outputs=outputs,
        metrics=answers.metrics(outputs, truth),
        intervals=answers.intervals(outputs, truth, seed=seed),
    )


def evaluate_bundle(bundle: Answering, rows: Rows, *, device: torch.device, seed: int) -> tuple[Measured, Truncated]:
    """Measure a saved model on labelled rows; also what shortening cost them.

    Raises:
        UserError: a row has a label the model does not know, or all have the same number.
    """
    bundle.answers.require_measurable(rows.records, rows.source)
    prepared = bundle.prepare(rows.records)
    truth = bundle.answers.targets(rows.records, prepared)
    outputs = bundle.outputs(prepared, device=device)
    return measure(rows, bundle.answers, truth, outputs, seed=seed), prepared.truncated
