"""A training run's choices: how long, how often to measure, which weights to keep, how precise."""

import math
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from bertsmith.config import Config
from bertsmith.training.averaging import Averaging
from bertsmith.training.freezing import Freezing
from bertsmith.training.optimizer import AdamW, Optimizer
from bertsmith.training.precision import Precision

FEWEST_EPOCHS, FEWEST_UPDATES = 3, 400


class Budget(Config):
    """How long to train: epochs, updates, or whichever ends first.

    `epochs: auto` is three, or as many as make 400 updates where texts are few: what looks like unsteady
    fine-tuning of few texts is mostly too few updates (Mosbach et al. 2021, arXiv 2006.04884 §6; Zhang et al. 2021,
    arXiv 2006.05987 §6). With `max_steps` it sets no limit.
    """

    epochs: PositiveInt | Literal["auto"] | None = "auto"
    max_steps: PositiveInt | None = None

    @model_validator(mode="after")
    def _ends(self) -> "Budget":
        if self.epochs is None and self.max_steps is None:
            raise ValueError("give epochs, max_steps or both: the run needs an end")
        return self

    def epochs_of(self, updates: int) -> int | None:
        """How many epochs of so many updates; None: `max_steps` alone ends the run."""
        if self.epochs != "auto":
            return self.epochs
        return None if self.max_steps is not None else max(FEWEST_EPOCHS, math.ceil(FEWEST_UPDATES / updates))


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
