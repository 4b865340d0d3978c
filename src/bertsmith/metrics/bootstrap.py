"""How sure a number is: the same metric over many re-drawn test sets (Efron 1979).

A bootstrap sample of rows is fully told by how often each *kind* of row is in it. Rows that a
metric cannot tell apart share a kind (same truth, same answer), so a hundred thousand rows often
shrink to a few hundred counts, drawn at once from a multinomial.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 1000
Interval = tuple[float, float]
Weighted = Callable[[Int[np.ndarray, "some rows"]], Float[np.ndarray, " some"]]
"""A metric of many samples of the same rows, each told by how often every row is in it."""

_ENTRIES_AT_ONCE = 2_000_000


def resampled_counts(
    kinds: Int[np.ndarray, " rows"], *, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[Int[np.ndarray, "some kinds"]]:
    """Draw as many rows as there are, with replacement, and count each kind: a few samples at a time.

    Kinds are numbered from 0 and each occurs.
    """
    rng = np.random.default_rng(seed)
    counts = np.bincount(kinds)
    at_once = max(1, _ENTRIES_AT_ONCE // len(counts))
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        if 4 * len(counts) < len(kinds):
            yield rng.multinomial(len(kinds), counts / len(kinds), size=some)
        else:
            yield np.stack([_redrawn(kinds, len(counts), rng) for _ in range(some)])


def bootstrap(
    kinds: Int[np.ndarray, " rows"],
    statistic: Callable[[Int[np.ndarray, "some kinds"]], Float[np.ndarray, "*which some"]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Float[np.ndarray, "*which resamples"]:
    """Evaluate a statistic of the counts of each kind on every bootstrap sample."""
    draws = resampled_counts(kinds, resamples=resamples, seed=seed)
    return np.concatenate([statistic(counts) for counts in draws], axis=-1)


def percentile_interval(values: Float[np.ndarray, " resamples"], *, level: float = 0.95) -> Interval | None:
    """The middle `level` of the values; samples where the metric is undefined (NaN) do not vote."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def _redrawn(kinds: Int[np.ndarray, " rows"], number: int, rng: np.random.Generator) -> Int[np.ndarray, " kinds"]:
    return np.bincount(kinds[rng.integers(len(kinds), size=len(kinds))], minlength=number)
