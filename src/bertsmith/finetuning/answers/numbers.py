"""A number for a text, or for two texts read together."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import PositiveFloat, model_validator

from bertsmith.data import LabelKind, Record
from bertsmith.errors import UserError
from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.preparation import Prepared
from bertsmith.finetuning.targets import Targets
from bertsmith.losses import LabelFacts
from bertsmith.metrics import (
    Interval,
    Weighted,
    correlation_intervals,
    correlation_metrics,
    weighted_correlation,
)


class Regression(Aim):
    """A number for a text; `texts: pair` for two texts read together, as in semantic similarity.

    Training sees standardised numbers (mean 0, standard deviation 1 on train), so that one learning
    rate fits every scale; predictions are on the scale of the labels again. `symmetric`: the order of
    the two texts does not matter, as in the task `pair`.
    """

    kind: Literal["regression"] = "regression"
    texts: Literal["one", "pair"] = "one"
    symmetric: bool = False

    reads: ClassVar[LabelKind] = "number"
    usual: ClassVar[Mapping[str, Any]] = {"criterion": {"kind": "squared_error"}, "selection": {"metric": "spearman"}}
    criteria: ClassVar[tuple[str, ...]] = ("squared_error", "absolute_error", "huber")

    @model_validator(mode="after")
    def _only_pairs_have_an_order(self) -> "Regression":
        if self.symmetric and self.texts == "one":
            raise ValueError("task.symmetric needs task.texts=pair: one text has no order")
        return self

    @property
    def pairs(self) -> bool:
        """Whether it reads two texts."""
        return self.texts == "pair"

    @property
    def both_orders(self) -> bool:
        """A pair without an order is read both ways."""
        return self.symmetric

    def learn(self, records: Sequence[Record]) -> "RegressionAnswers":
        """Where the numbers lie, and how far apart."""
        numbers = _numbers(records)
        return RegressionAnswers(**dict(self), centre=float(numbers.mean()), scale=float(numbers.std()) or 1.0)


class RegressionAnswers(Answers, Regression):
    """Mean and standard deviation of the training labels, which scores are counted in."""

    centre: float
    scale: PositiveFloat

    @property
    def names(self) -> tuple[str, ...]:
        """There is one score."""
        return ("score",)

    @property
    def shown(self) -> tuple[str, ...]:
        """A number has no labels."""
        return ()

    def require_measurable(self, records: Sequence[Record], source: str) -> None:
        """Two numbers differ."""
        numbers = _numbers(records)
        if len(set(numbers.tolist())) < 2:
            fact = f"all {len(numbers)} are {numbers[0]:g}" if len(numbers) > 1 else f"there are {len(numbers)} rows"
            raise UserError(
                f"{source}: a correlation needs two numbers that differ, but {fact}; give other rows",
                code="constant_scores",
                where=source,
            )

    def targets(self, records: Sequence[Record], prepared: Prepared | None = None) -> Targets:
        """The standardised numbers."""
        return Targets(((_numbers(records) - self.centre) / self.scale).astype(np.float32)[:, None])

    def facts(self, truth: Targets) -> LabelFacts:
        """How many texts there are."""
        return LabelFacts.of(self.names, (len(truth),), len(truth))

    def perfect(self, truth: Targets) -> Outputs:
        """The numbers themselves."""
        return Outputs(truth.values)

    def numbers(self, values: Float[np.ndarray, "texts one"]) -> Float[np.ndarray, "texts"]:
        """Standardised numbers on the scale of the labels."""
        return np.asarray(values[:, 0].astype(np.float64) * self.scale + self.centre)

    def metrics(self, outputs: Outputs, truth: Targets) -> dict[str, float]:
        """`spearman` and `pearson`, left out where all true numbers are equal; standardising changes neither."""
        return {} if _constant(truth) else correlation_metrics(truth.values[:, 0], outputs.values[:, 0])

    def intervals(self, outputs: Outputs, truth: Targets, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same."""
        return {} if _constant(truth) else correlation_intervals(truth.values[:, 0], outputs.values[:, 0], seed=seed)

    def figures(self, outputs: Outputs, truth: Targets) -> dict[str, Weighted]:
        """The same of samples."""
        return {} if _constant(truth) else weighted_correlation(truth.values[:, 0], outputs.values[:, 0])

    def row(self, record: Record, outputs: Outputs, *, probabilities: bool = False) -> dict[str, Any]:
        """The number; there is no confidence to state."""
        (number,) = self.numbers(outputs.values)
        return {"prediction": round(float(number), 6)}

    def truth_of(self, record: Record) -> float:
        """The number."""
        return float(_numbers([record])[0])

    def details(self, outputs: Outputs, truth: Targets) -> dict[str, Any]:
        """How far answers are from the truth, on the scale of the labels."""
        miss = self.numbers(outputs.values) - self.numbers(truth.values)
        return {
            "mean_absolute_error": float(np.abs(miss).mean()),
            "root_mean_squared_error": float(np.sqrt((miss**2).mean())),
            "mean_error": float(miss.mean()),
        }

    def config_json(self) -> dict[str, Any]:
        """A single score, counted in standard deviations from the mean (`centre`, `scale`)."""
        return {**super().config_json(), "problem_type": "regression"}


def _constant(truth: Targets) -> bool:
    return len(np.unique(truth.values)) < 2


def _numbers(records: Sequence[Record]) -> Float[np.ndarray, "rows"]:
    return np.array([record.label for record in records], dtype=np.float64)
