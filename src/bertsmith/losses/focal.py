"""Cross entropy that looks away from what is already known."""

from typing import Literal

from jaxtyping import Float, Int
from pydantic import NonNegativeFloat
from torch import Tensor

from bertsmith.batch import Layout
from bertsmith.losses.class_weights import WeightedByClass
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.cross_entropy import TINY, CrossEntropyCriterion
from bertsmith.losses.total import Total


class Focal(WeightedByClass):
    """−(1 − p)^γ · log p of the true label (Lin et al. 2017, arXiv 1708.02002 §3.2); γ = 0 is cross entropy.

    For many easy items beside few hard ones. Confidences come out lower than the share of right answers.
    """

    kind: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0

    def build(self, facts: LabelFacts) -> "FocalCriterion":
        """Make the module for these labels.

        Raises:
            UserError: the class weights do not fit the labels.
        """
        return FocalCriterion(self.weights(facts.counts), gamma=self.gamma)


class FocalCriterion(CrossEntropyCriterion):
    """Decoding as under cross entropy."""

    def __init__(self, class_weights: tuple[float, ...], *, gamma: float) -> None:
        super().__init__(class_weights)
        self.gamma = gamma

    def loss(
        self, scores: Float[Tensor, "items labels"], targets: Int[Tensor, "items"], layout: Layout | None = None
    ) -> Total:
        """The focal loss summed over items, in float32 or wider, and its weight; items of -100 are left out."""
        named = targets.clamp_min(0)
        known = self.log_probabilities(scores).gather(1, named[:, None])[:, 0]
        weights = self.class_weights.to(known.dtype)[named] * (targets >= 0)
        unsure = (-known.expm1()).clamp_min(TINY)
        return Total(-(weights * unsure**self.gamma * known).sum(), self.weight(targets))
