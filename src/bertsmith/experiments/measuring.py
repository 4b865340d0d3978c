"""The runs of a recipe measured on dev, so that they can be compared: the same bootstrap samples for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bertsmith.experiments.said import Said
from bertsmith.experiments.significance import Runs
from bertsmith.finetuning import Answers, Outputs, Targets
from bertsmith.recipes import Splits


@dataclass
class Bench:
    """Measures what models say of dev by one metric."""

    splits: Splits
    metric: str
    seed: int = 0

    def runs(self, said: Sequence[Said]) -> Runs:
        """The runs of one recipe."""
        figures = [each.answers.figures(each.outputs, self._truth)[self.metric] for each in said]
        return Runs.of(figures, len(self.splits.dev.records), seed=self.seed)

    def stuck(self, said: Sequence[Said], runs: Runs) -> int:
        """How many runs are not shown to be better than giving every text the same answer."""
        floors = [self._floor(each.answers) for each in said]
        gains = (draws - floor for draws, floor in zip(runs.draws, floors, strict=True))
        return sum(bool(np.nanpercentile(gain, 2.5) <= 0) for gain in gains)

    @cached_property
    def _truth(self) -> Targets:
        return self.splits.answers.targets(self.splits.dev.records)

    @cached_property
    def _usual(self) -> Outputs:
        """What is true of the training texts in the mean, said of every text of dev."""
        answers, truth = self.splits.answers, self._truth
        mean = answers.perfect(answers.targets(self.splits.train.records)).values.mean(axis=0)
        items = len(truth.values)
        best = None if truth.counts is None else np.full(items, mean.argmax())
        return Outputs(np.tile(mean, (items, 1)), truth.counts, best)

    def _floor(self, answers: Answers) -> np.ndarray:
        decided = answers.tuned(self._usual, self._truth)
        figure = decided.figures(self._usual, self._truth)[self.metric]
        draws: np.ndarray = Runs.of([figure], len(self.splits.dev.records), seed=self.seed).draws[0]
        return draws
