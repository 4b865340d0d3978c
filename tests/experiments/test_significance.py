"""Differences between recipes: the formulas by hand, and their promise by simulation."""

import numpy as np
import pytest

from bertsmith.experiments.judging import Candidate, Judged, Jury, chosen
from bertsmith.experiments.significance import Difference, Runs, Spread, difference, holm, verdict
from bertsmith.metrics import critical

ROWS, SAMPLES, OPTIONS = 300, 200, (5, 6, 4, 3, 3, 5)
"""Rows of dev, bootstrap samples, and options of each rung of the simulated ladders."""


def right(rng, recipes, *, seeds=3, tau=0.1, effects=None):
    """Right and wrong answers: rows differ in difficulty, runs in quality by their seed."""
    logits = rng.normal(2.2, 2.0, size=ROWS) + rng.normal(size=(recipes, seeds, 1)) * tau
    if effects is not None:
        logits = logits + np.asarray(effects)[:, None, None]
    return rng.random((recipes, seeds, ROWS)) < 1 / (1 + np.exp(-logits))


def measured(answers, counts):
    draws = (answers.reshape(-1, ROWS).astype(np.float32) @ counts.T / ROWS).reshape(*answers.shape[:2], -1)
    return [Runs(values, each) for values, each in zip(answers.mean(-1), draws, strict=True)]


def ladder(rng, **settings):
    """Judge a simulated ladder as `climb` does; returns what was judged, rung by rung."""
    counts = rng.multinomial(ROWS, [1 / ROWS] * ROWS, size=SAMPLES).astype(np.float32)
    baseline, *options = measured(right(rng, 1 + sum(OPTIONS), **settings), counts)
    jury = Jury(planned=sum(OPTIONS))
    jury.know(baseline)
    for start, number in zip(np.cumsum((0, *OPTIONS)), OPTIONS, strict=False):
        jury.rung(baseline, options[start : start + number])
    return jury.all()


@pytest.mark.parametrize(("seeds", "tau"), [(3, 0.0), (3, 0.1), (3, 0.3), (2, 0.1), (5, 0.1)])
def test_tricks_that_do_nothing_are_called_noise(seeds, tau):
    """Any false "pays" in at most 5 % of ladders: no more than what 5 % give by chance, once in a thousand."""
    rng = np.random.default_rng(seeds)
    ladders = 400
    false = sum(any(judged.verdict == "pays" for judged in ladder(rng, seeds=seeds, tau=tau)) for _ in range(ladders))
    assert false <= 0.05 * ladders


def test_a_useful_trick_is_found():
    rng = np.random.default_rng(0)
    effects = np.zeros(1 + sum(OPTIONS))
    effects[3] = 1.2
    judged = [ladder(rng, effects=effects) for _ in range(60)]
    assert np.mean([each[2].verdict == "pays" for each in judged]) > 0.8
