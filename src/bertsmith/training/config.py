"""A training run's choices: how long, how often to measure, which weights to keep, how precise."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from bertsmith.config import Config
from bertsmith.training.averaging import Averaging
from bertsmith.training.freezing import Freezing
from bertsmith.training.optimizer import AdamW, Optimizer
from bertsmith.training.precision import Precision


class Budget(Config):
    """How long to train: epochs, updates, or whichever ends first."""

    epochs: PositiveInt | None = 3
    max_steps: PositiveInt | None = None

    @model_validator(mode="after")
    def _ends(self) -> "Budget":
        if self.epochs is None and self.max_steps is None:
            raise ValueError("give epochs, max_steps or both: the run needs an end")
        return self


class Selection(Config):
    """When the model is measured on held-out data, and which weights are kept.

    `patience` stops the run after so many evaluations in a row without a new best. Of equal
    evaluations the earlier is the best.
    """

    every: PositiveInt | Literal["epoch"] = "epoch"
    metric: str = "accuracy"
    better: Literal["higher", "lower"] = "higher"
    keep: Literal["best", "last"] = "best"
    patience: PositiveInt | None = None


class TrainingConfig(Config):
    """Everything the loop needs to know besides the model and the data."""

    optimizer: Optimizer = AdamW()
    freeze: Freezing | None = None
    averaging: Averaging | None = None
    budget: Budget = Budget()
    selection: Selection = Selection()
    precision: Precision = "auto"
    snapshot_every: PositiveInt = 200
    """Updates between two snapshots."""
    seed: NonNegativeInt = 0
