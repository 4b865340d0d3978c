"""How the learning rate moves over a run."""

from typing import Annotated, Literal

from pydantic import Field

from bertsmith.config import Config


class Linear(Config):
    """Up in a straight line, then down in a straight line to the end (Devlin et al. 2019, arXiv 1810.04805 A.2).

    `warmup` below 1 is a share of all updates, from 1 on a number of updates. No update is made at
    rate zero: the first is one step above it, the last one step before it.
    """

    kind: Literal["linear"] = "linear"
    warmup: Annotated[float, Field(ge=0.0)] = 0.1

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        warmup = self.warmup_updates(total)
        if update < warmup:
            return (update + 1) / (warmup + 1)
        return (total - update) / max(1, total - warmup)

    def warmup_updates(self, total: int) -> int:
        """How many updates the warm-up takes."""
        return min(total, round(self.warmup * total if self.warmup < 1 else self.warmup))


class Constant(Config):
    """The same rate throughout, after a linear warm-up."""

    kind: Literal["constant"] = "constant"
    warmup: Annotated[float, Field(ge=0.0)] = 0.0

    def factor(self, update: int, total: int) -> float:
        """Share of the peak rate for update `update`, counted from 0, of `total`."""
        warmup = round(self.warmup * total if self.warmup < 1 else self.warmup)
        return min(1.0, (update + 1) / (warmup + 1))


Schedule = Annotated[Linear | Constant, Field(discriminator="kind")]
