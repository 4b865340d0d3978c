"""How the learning rate moves over a run.

No update is wasted at rate zero: every schedule is that of a run one update longer at each end.
Where transformers would compute step `u` of `total` with `w` of warm-up, we compute step `u + 1`
of `total + 1` with `w + 1`.
"""

from math import cos, pi
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from bertsmith.config import Config

Warmup = Annotated[float, Field(ge=0.0)]
"""Below 1 a share of all updates, from 1 on a number of updates."""


def warmup_updates(warmup: float, total: int) -> int:
    """How many of `total` updates the warm-up takes."""
    return min(total, round(warmup * total if warmup < 1 else warmup))


def _risen(warmup: float, update: int, total: int) -> float | None:
    """Share of the peak rate on the straight way up; None once the peak is reached."""
    updates = warmup_updates(warmup, total)
    return (update + 1) / (updates + 1) if update < updates else None


def _progress(warmup: float, update: int, total: int) -> float:
    """How much of the way from the peak, at 0, to the end of the run, at 1, lies behind."""
    start = warmup_updates(warmup, total)
    return (update - start) / max(1, total - start)


class Linear(Config):
    """Up in a straight line, then down in a straight line to the end (Devlin et al. 2019, arXiv 1810.04805 A.2).

    `warmup` below 1 is a share of all updates, from 1 on a number of updates. No update is made at
    rate zero: the first is one step above it, the last one step before it. BERT's own code goes on at
    1 − update / total after the warm-up, below the peak at one stroke; this way down begins at the peak.
    """

    kind: Literal["linear"] = "linear"
    warmup: Warmup = 0.1

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        risen = _risen(self.warmup, update, total)
        return (total - update) / max(1, total - warmup_updates(self.warmup, total)) if risen is None else risen


class Constant(Config):
    """The same rate throughout, after a linear warm-up if there is one."""

    kind: Literal["constant"] = "constant"
    warmup: Warmup = 0.0

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        risen = _risen(self.warmup, update, total)
        return 1.0 if risen is None else risen


class Cosine(Config):
    """After a linear warm-up, down along half a wave (Loshchilov & Hutter 2017, arXiv 1608.03983 §3, one period)."""

    kind: Literal["cosine"] = "cosine"
    warmup: Warmup = 0.1

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        risen = _risen(self.warmup, update, total)
        return (1 + cos(pi * _progress(self.warmup, update, total))) / 2 if risen is None else risen


class CosineRestarts(Config):
    """Half a wave down `cycles` times, each from the peak again (Loshchilov & Hutter 2017, arXiv 1608.03983 §3)."""

    kind: Literal["cosine_restarts"] = "cosine_restarts"
    warmup: Warmup = 0.1
    cycles: PositiveInt = 2

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        risen = _risen(self.warmup, update, total)
        if risen is not None:
            return risen
        return (1 + cos(pi * (self.cycles * _progress(self.warmup, update, total) % 1.0))) / 2


class Polynomial(Config):
    """After a linear warm-up, down to the share `end` of the peak by a power of what is left of the run."""

    kind: Literal["polynomial"] = "polynomial"
    warmup: Warmup = 0.1
    power: PositiveFloat = 2.0
    end: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        risen = _risen(self.warmup, update, total)
        if risen is not None:
            return risen
        left: float = (1 - _progress(self.warmup, update, total)) ** self.power
        return self.end + (1 - self.end) * left


class SlantedTriangular(Config):
    """A short way up, a long way down, from and to the share 1 / `ratio` (Howard & Ruder 2018, arXiv 1801.06146 §3.2).

    `warmup` is their cut_frac. The way down ends with the run, also where the cut is rounded.
    """

    kind: Literal["slanted_triangular"] = "slanted_triangular"
    warmup: Warmup = 0.1
    ratio: Annotated[float, Field(ge=1.0)] = 32.0

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        cut = warmup_updates(self.warmup, total)
        share = update / cut if update < cut else 1 - _progress(self.warmup, update, total)
        return (1 + share * (self.ratio - 1)) / self.ratio


Schedule = Annotated[
    Linear | Constant | Cosine | CosineRestarts | Polynomial | SlantedTriangular, Field(discriminator="kind")
]
