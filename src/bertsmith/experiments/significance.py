"""Is one recipe better than another? Seen on the same rows, by several seeds, beside many other questions.

Two sources of chance: which rows happen to be measured, and which seeds happen to be drawn. The first
is told by a paired bootstrap over rows (Efron 1979), shared by all runs. The second shows in the spread of
a recipe's runs, of which there are few, so it is estimated from all recipes of an experiment together.
Which of many ways to put the two together keeps its word was tried by simulation:
`benchmarks/significance.py`, numbers in LOG.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from bertsmith.metrics import Interval, Weighted, bootstrap, critical, two_sided

LEVEL = 0.05
"""How often an experiment may find a difference where there is none."""

Verdict = Literal["pays", "noise", "hurts"]


@dataclass(frozen=True, slots=True)
class Runs:
    """One recipe, several seeds: the metric of each run on all rows, and on every bootstrap sample of them.

    The samples of all runs that are compared must be the same ones.
    """

    values: Float[np.ndarray, " runs"]
    draws: Float[np.ndarray, "runs samples"]

    @classmethod
    def of(cls, figures: Sequence[Weighted], rows: int, *, seed: int = 0) -> "Runs":
        """Measure runs, each told as its metric of a sample; equal `rows` and `seed` give equal samples."""
        each = np.arange(rows)
        values = [float(figure(np.ones((1, rows), dtype=np.int64))[0]) for figure in figures]
        return cls(np.array(values), np.stack([bootstrap(each, figure, seed=seed) for figure in figures]))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(self.values.mean())

    @property
    def std(self) -> float:
        """The standard deviation over seeds, of a sample (one run: 0)."""
        return float(self.values.std(ddof=1)) if len(self) > 1 else 0.0

    @property
    def from_rows(self) -> float:
        """How much of the variance over seeds is due to the rows at hand: each run errs on others of them.

        A run varies over samples by what is common to all runs, and by what is its own; their mean by the
        first, and by a share of the second.
        """
        own = _variance(self.draws).mean() - _variance(self.draws.mean(axis=0))
        return float(max(own, 0.0)) * len(self) / (len(self) - 1)


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance of a recipe's runs over seeds, and on how many degrees of freedom it rests."""

    variance: float
    freedom: int

    @classmethod
    def pooled(cls, recipes: Iterable[Runs]) -> "Spread":
        """What recipes have in common, each with its own mean."""
        several = [runs for runs in recipes if len(runs) > 1]
        freedom = sum(len(runs) - 1 for runs in several)
        total = sum(runs.std**2 * (len(runs) - 1) for runs in several)
        return cls(total / freedom if freedom else 0.0, freedom)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second of two recipes is: mean over seeds, its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float
    p: float
    """Two-sided, of no difference."""

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        reach = critical(self.freedom) * self.error if self.error else 0.0
        return self.mean - reach, self.mean + reach


def difference(before: Runs, after: Runs, spread: Spread) -> Difference:
    """Compare two recipes on the same rows, at least two runs of each.

    The variance of the difference is that over rows (paired, seeds held) plus that over seeds (rows held);
    what both hold, each run's own errors on these rows, is counted once. The variance of a recipe over
    seeds is the common one of the experiment, or its own where that is larger: the large spread of an
    unstable recipe is no one else's. Degrees of freedom by Satterthwaite (1946).
    """
    mean = after.mean - before.mean
    over_rows = float(_variance(after.draws.mean(axis=0) - before.draws.mean(axis=0)))
    seeds = [max(runs.std**2, spread.variance) / len(runs) for runs in (before, after)]
    twice = [runs.from_rows / len(runs) for runs in (before, after)]
    over_seeds = max(sum(seeds) - sum(twice), 0.0)
    variance = over_rows + over_seeds
    freedom = _freedom(variance, over_rows, seeds, samples=before.draws.shape[1], spread=spread)
    error = variance**0.5
    return Difference(mean, error, freedom, p=two_sided(mean / error, freedom) if error else float(mean == 0))


def holm(p_values: Sequence[float], *, to_come: int = 0) -> list[float]:
    """Adjust p-values for how many there are, so that any false find is as rare as one was (Holm 1979).

    `to_come` counts comparisons not made yet: as if they will show nothing. When they are made, an adjusted value
    can only fall, so what was found stays found.
    """
    order = np.argsort(p_values, kind="stable")
    number = len(order) + to_come
    factors = number - np.arange(len(order))
    steps = np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * factors), 1.0)
    adjusted = np.empty(len(order))
    adjusted[order] = steps
    return [float(value) for value in adjusted]


def verdict(found: Difference, adjusted: float, *, level: float = LEVEL) -> Verdict:
    """Say it in a word."""
    if adjusted >= level or found.mean == 0:
        return "noise"
    return "pays" if found.mean > 0 else "hurts"


def _freedom(variance: float, over_rows: float, seeds: Sequence[float], *, samples: int, spread: Spread) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances: never fewer than the spread over seeds rests on.

    The variance over rows rests on as many as there are samples.
    """
    few = float(max(spread.freedom, 1))
    parts = over_rows**2 / samples + sum(each**2 for each in seeds) / few
    return max(variance**2 / parts, few) if parts else float(samples)


def _variance(draws: Float[np.ndarray, "*which samples"]) -> Float[np.ndarray, "*which"]:
    """Over samples; those where the metric is undefined (NaN) do not count."""
    return np.asarray((np.nanvar if np.isnan(draws).any() else np.var)(draws, axis=-1))
