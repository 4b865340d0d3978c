"""Does a ladder of tricks keep its word? Simulated ladders in which every trick is worth nothing, and one that is.

    python benchmarks/significance.py [--ladders 1000 --seeds 2 3 5 --rows 500]

A ladder here is a baseline and 20 options, judged together. Rows differ in difficulty, runs err independently on
them, and the quality of a run hangs on its seed (`tau`, in logits). Options may differ in how much: a fifth of
them are four times as unstable. Printed: the share of ladders with any false find ("pays": in favour of an
option), and how often an option that is truly better by so many points is found.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

OPTIONS = 20


@dataclass(frozen=True)
class Case:
    """Seeds a recipe, rows of dev, standard deviation of a run's quality, and whether some options are unstable."""

    seeds: int
    rows: int
    tau: float
    unstable: bool = False


@dataclass(frozen=True)
class Seen:
    """What every method may use: differences of each option, and the parts of their variance."""

    difference: np.ndarray
    rows: np.ndarray
    own: np.ndarray
    base: np.ndarray
    pooled: np.ndarray
    twice: np.ndarray
    seeds: int

    def p(self, option: np.ndarray, base: np.ndarray, freedom: np.ndarray | float, *, once: bool = True) -> np.ndarray:
        """P-values with these variances over seeds, each resting on so many degrees of freedom."""
        parts = [option / self.seeds, base / self.seeds]
        total = self.rows + np.maximum(sum(parts) - (self.twice if once else 0), 0)
        freedom = total**2 / (self.rows**2 / 1000 + sum(part**2 for part in parts) / freedom)
        return 2 * stats.t.sf(np.abs(self.difference) / np.sqrt(total), freedom)


def simulated(case: Case, ladders: int, rng: np.random.Generator, *, effect: float = 0.0) -> Seen:
    """Ladders of right and wrong answers; `effect`, in logits, is what the first option is worth."""
    logits = rng.normal(2.2, 2.0, size=(ladders, 1, 1, case.rows))
    wild = (rng.random((ladders, OPTIONS + 1, 1, 1)) < 0.2) & case.unstable
    quality = rng.normal(size=(ladders, OPTIONS + 1, case.seeds, 1)) * case.tau * np.where(wild, 4, 1)
    quality[:, 1] += effect
    right = rng.random((ladders, OPTIONS + 1, case.seeds, case.rows)) < special.expit(logits + quality)
    values, mean = right.mean(-1), right.mean(2, dtype=np.float32)
    over_seeds = values.var(-1, ddof=1)
    own_rows = (values * (1 - values)).mean(-1) / case.rows - mean.var(-1) / case.rows
    twice = np.maximum(own_rows, 0) / (case.seeds - 1)
    return Seen(
        difference=values[:, 1:].mean(-1) - values[:, :1].mean(-1),
        rows=(mean[:, 1:] - mean[:, :1]).var(-1) / case.rows,
        own=over_seeds[:, 1:],
        base=over_seeds[:, :1],
        pooled=over_seeds.mean(-1, keepdims=True),
        twice=twice[:, 1:] + twice[:, :1],
        seeds=case.seeds,
    )


def moderated(seen: Seen) -> np.ndarray:
    """Smyth (2004): each recipe's variance drawn towards a common one, by how alike they are."""
    freedom = seen.seeds - 1
    logs = np.log(np.maximum(np.concatenate([seen.base, seen.own], axis=1), 1e-12))
    logs = logs - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(-1, ddof=1) - special.polygamma(1, freedom / 2)
    prior = np.array([2 * _inverse_trigamma(each) if each > 0 else 1e6 for each in excess])[:, None]
    common = np.exp(logs.mean(-1, keepdims=True) + special.digamma(prior / 2) - np.log(prior / 2))
    weighed = [(prior * common + freedom * each) / (prior + freedom) for each in (seen.own, seen.base)]
    return seen.p(*weighed, np.minimum(prior + freedom, freedom * (OPTIONS + 1)))


def _inverse_trigamma(value: float) -> float:
    guess = 0.5 + 1 / value
    for _ in range(30):
        now = special.polygamma(1, guess)
        guess += now * (1 - now / value) / special.polygamma(2, guess)
    return float(guess)


METHODS: dict[str, Callable[[Seen], np.ndarray]] = {
    "bootstrap over rows alone": lambda s: 2 * stats.norm.sf(np.abs(s.difference) / np.sqrt(s.rows)),
    "two-level bootstrap": lambda s: (
        2 * stats.norm.sf(np.abs(s.difference) / np.sqrt(s.rows + (s.own + s.base) / s.seeds * (1 - 1 / s.seeds)))
    ),
    "two-level, small-sample factor": lambda s: (
        2 * stats.norm.sf(np.abs(s.difference) / np.sqrt(s.rows + (s.own + s.base) / s.seeds))
    ),
    "t, own spread": lambda s: s.p(s.own, s.base, s.seeds - 1),
    "t, own spread, counted twice": lambda s: s.p(s.own, s.base, s.seeds - 1, once=False),
    "t, common spread": lambda s: s.p(s.pooled, s.pooled, (s.seeds - 1) * (OPTIONS + 1)),
    "t, moderated (Smyth 2004)": moderated,
    "t, the larger of the two": lambda s: s.p(
        np.maximum(s.own, s.pooled), np.maximum(s.base, s.pooled), (s.seeds - 1) * (OPTIONS + 1)
    ),
}


def found(p_values: np.ndarray) -> np.ndarray:
    """Which are found at 5 % after Holm's correction."""
    order = np.argsort(p_values, axis=1)
    steps = np.take_along_axis(p_values, order, axis=1) * (OPTIONS - np.arange(OPTIONS))
    adjusted = np.empty_like(steps)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(steps, axis=1), axis=1)
    return adjusted < 0.05


def main() -> None:
    """Print a table a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ladders", type=int, default=1000, metavar="N")
    parser.add_argument("--seeds", type=int, nargs="+", default=(2, 3, 5), metavar="N", help="runs of an option")
    parser.add_argument("--rows", type=int, default=500, metavar="N", help="texts of dev")
    options = parser.parse_args()
    ladders = options.ladders
    rng = np.random.default_rng(0)
    spreads = ((0.0, False), (0.1, False), (0.1, True), (0.3, True))
    for case in (Case(seeds, options.rows, *spread) for seeds in options.seeds for spread in spreads):
        null = simulated(case, ladders, rng)
        better = [simulated(case, ladders // 2, rng, effect=effect) for effect in (0.45, 0.9)]
        gains = ", ".join(f"{100 * seen.difference[:, 0].mean():.1f}" for seen in better)
        print(f"\n{case}; power for {gains} points")
        for name, method in METHODS.items():
            hits = found(method(null))
            false_pays = (hits & (null.difference > 0)).any(1).mean()
            power = "  ".join(f"{found(method(seen))[:, 0].mean():.2f}" for seen in better)
            print(f"  {name:32} false pays {false_pays:.3f}  any false {hits.any(1).mean():.3f}  power {power}")


if __name__ == "__main__":
    main()
