"""What an evaluation on scored pairs found, and its means."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bertsmith.metrics import Interval
from bertsmith.recipes.sts_sets import Published, ScoredPairs
from bertsmith.sentences import TextCounts


@dataclass(frozen=True, slots=True)
class StsScore:
    """One model on one set with one pooling. Correlations lie between −1 and 1.

    `whitening` are the dimensions kept (None: no whitening); with `transductive` it was fitted on the very
    texts it is measured on. `alignment` is over pairs scored above four fifths of the best, `uniformity` over
    the texts of the set. `subsets` are the parts of the set by themselves.
    """

    model: str
    data: ScoredPairs
    pooling: str
    whitening: int | None
    transductive: bool
    spearman: float
    pearson: float
    interval: Interval
    alignment: float
    uniformity: float
    subsets: Mapping[str, tuple[int, float]]
    published: tuple[Published, ...]
    cosines: Float[np.ndarray, "pairs"]


@dataclass(frozen=True, slots=True)
class StsMean:
    """The mean over the sets, of each model, then mean and standard deviation (n − 1) over the models."""

    pooling: str
    whitening: int | None
    models: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over models."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float | None:
        """Over models; None for one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True, slots=True)
class StsResult:
    """All scores, model by model, set by set, pooling by pooling."""

    scores: tuple[StsScore, ...]
    counts: TextCounts
    notes: tuple[str, ...]

    @property
    def mean(self) -> float:
        """The mean Spearman correlation of all scores."""
        return float(np.mean([score.spearman for score in self.scores]))

    def means(self) -> list[StsMean]:
        """For each pooling the mean over the sets."""
        groups: dict[tuple[str, int | None], dict[str, list[float]]] = {}
        for score in self.scores:
            group = groups.setdefault((score.pooling, score.whitening), {})
            group.setdefault(score.model, []).append(score.spearman)
        return [
            StsMean(pooling, whitening, tuple(models), tuple(float(np.mean(values)) for values in models.values()))
            for (pooling, whitening), models in groups.items()
        ]
