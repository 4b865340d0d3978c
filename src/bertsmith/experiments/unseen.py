"""The end of a ladder: baseline and final recipe on the test texts, which nothing has looked at before."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from bertsmith.experiments.climbed import Attempt, Climbed
from bertsmith.experiments.judging import Judged
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.significance import Runs, Spread, difference, verdict
from bertsmith.recipes import Measured, Rows, evaluate_bundle, load_bundle


@dataclass(frozen=True, slots=True)
class Unseen:
    """Every run of a recipe measured on test, in the order of its seeds."""

    measured: tuple[Measured, ...]
    runs: Runs

    @property
    def metrics(self) -> Mapping[str, float]:
        """The mean over seeds of every metric."""
        names = self.measured[0].metrics
        return {name: float(np.mean([each.metrics[name] for each in self.measured])) for name in names}


@dataclass(frozen=True, slots=True)
class OnTest:
    """Baseline and final recipe on test; `gain` is None where they are the same."""

    baseline: Unseen
    final: Unseen
    gain: Judged | None


def on_test(climbed: Climbed, runner: TrialRunner, *, device: torch.device) -> OnTest | None:
    """Measure once; None without test texts."""
    test, seed = climbed.splits.test, climbed.baseline.recipe.seed
    if test is None:
        return None
    baseline = _measured(climbed.baseline, test, climbed.metric, runner, device=device, seed=seed)
    if climbed.final is climbed.baseline:
        return OnTest(baseline, baseline, None)
    final = _measured(climbed.final, test, climbed.metric, runner, device=device, seed=seed)
    found = difference(baseline.runs, final.runs, Spread.pooled([baseline.runs, final.runs]))
    word = verdict(found, found.p, level=climbed.recipe.ladder.level)
    return OnTest(baseline, final, Judged(found, found.p, word))


def _measured(
    tried: Attempt, test: Rows, metric: str, runner: TrialRunner, *, device: torch.device, seed: int
) -> Unseen:
    found = []
    for outcome in tried.outcomes:
        measured, _ = evaluate_bundle(load_bundle(runner.place(outcome)), test, device=device, seed=seed)
        found.append(measured)
    figures = [each.answers.figures(each.outputs, each.truth)[metric] for each in found]
    return Unseen(tuple(found), Runs.of(figures, len(test.records), seed=seed))
