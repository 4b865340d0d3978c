"""How much an item of each label counts, so that rare labels are not drowned.

A label that the training texts lack (its only text was held out) weighs as one with a single item.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from bertsmith.config import Config
from bertsmith.errors import UserError


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights that give every label the same say: items / (labels × items of the label), as scikit-learn's."""
    known = _at_least_one(counts)
    return tuple(sum(known) / (len(known) * count) for count in known)


def effective_weights(counts: Sequence[int], beta: float) -> tuple[float, ...]:
    """Weights by the effective number of items, (1 − βⁿ) / (1 − β), inverse and with mean one.

    Cui et al. 2019, arXiv 1901.05555 §3.2 and §4: the more items, the more of them tell nothing new.
    β = 0 weighs all labels alike, β → 1 weighs them as `balanced_weights`, up to a factor.
    """
    inverse = [(1 - beta) / (1 - beta**count) for count in _at_least_one(counts)]
    return tuple(len(counts) * value / sum(inverse) for value in inverse)


class WeightedByClass(Config):
    """What criteria over several labels share: the weight of each label.

    `class_weights` is `none`, `balanced` (from the label counts), `effective` (from the counts and
    `beta`, milder: Cui et al. 2019, arXiv 1901.05555) or one number a label.
    """

    class_weights: Literal["none", "balanced", "effective"] | tuple[PositiveFloat, ...] = "none"
    beta: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999

    def weights(self, counts: Sequence[int]) -> tuple[float, ...]:
        """The weight of each label.

        Raises:
            UserError: there are not as many weights as labels.
        """
        if self.class_weights == "none":
            return (1.0,) * len(counts)
        if self.class_weights == "balanced":
            return balanced_weights(counts)
        if self.class_weights == "effective":
            return effective_weights(counts, self.beta)
        if len(self.class_weights) != len(counts):
            raise UserError(
                f"{len(self.class_weights)} class_weights for {len(counts)} labels: give one a label",
                code="bad_setting",
            )
        return tuple(self.class_weights)


def _at_least_one(counts: Sequence[int]) -> list[int]:
    return [max(count, 1) for count in counts]
