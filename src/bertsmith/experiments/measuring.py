"""The runs of a recipe measured on dev, so that they can be compared: the same bootstrap samples for all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bertsmith.experiments.said import Said
from bertsmith.experiments.significance import Runs
from bertsmith.finetuning import Answers, Outputs, Targets
from bertsmith.recipes import Splits

FALLEN = 0.9
"""A training loss above this share of that at the beginning has not fallen."""


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

    def stuck(self, said: Sequence[Said], runs: Runs, logs: Sequence[Path]) -> int:
        """How many runs did not converge.

        Such a run is not shown to be better than giving every text the same answer, and its training loss has not
        fallen either.
        """
        floors = [self._floor(each.answers) for each in said]
        lost = [np.nanpercentile(draws - floor, 2.5) <= 0 for draws, floor in zip(runs.draws, floors, strict=True)]
        return sum(bool(each) and not loss_fell(log) for each, log in zip(lost, logs, strict=True))

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


def loss_fell(log: Path) -> bool:
    """Whether the last tenth of the updates in `log.jsonl` has at most `FALLEN` of the loss of the first tenth."""
    if not log.exists():
        return True
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    losses = [line["loss"] for line in lines if "loss" in line and "step" in line and "lr" in line]
    tenth = -(-len(losses) // 10)
    return not losses or bool(np.mean(losses[-tenth:]) <= FALLEN * np.mean(losses[:tenth]))
