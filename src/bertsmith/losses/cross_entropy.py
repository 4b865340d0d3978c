"""One of several labels: softmax and cross entropy."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import Layout
from bertsmith.losses.class_weights import WeightedByClass
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.total import Total

TINY = 1e-30
"""A probability so small that its logarithm is still a number."""


class CrossEntropy(WeightedByClass):
    """Softmax over the labels.

    `label_smoothing` moves that share of the target evenly to all labels (Szegedy et al. 2016, arXiv 1512.00567).
    """

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    def build(self, facts: LabelFacts) -> "CrossEntropyCriterion":
        """Make the module for these labels.

        Raises:
            UserError: the class weights do not fit the labels.
        """
        return CrossEntropyCriterion(self.weights(facts.counts), label_smoothing=self.label_smoothing)


class CrossEntropyCriterion(nn.Module):
    """Loss and decoding in one object, so that they cannot disagree."""

    class_weights: Tensor

    def __init__(self, class_weights: Sequence[float], *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("class_weights", torch.tensor(class_weights), persistent=False)
        self.label_smoothing = label_smoothing

    def weight(self, targets: Int[Tensor, "items"]) -> Float[Tensor, ""]:
        """Sum of the class weights of the targets: what torch's mean divides by; ignored ones (-100) weigh nothing."""
        return (self.class_weights[targets.clamp_min(0)] * (targets >= 0)).sum()

    def loss(
        self, scores: Float[Tensor, "items labels"], targets: Int[Tensor, "items"], layout: Layout | None = None
    ) -> Total:
        """Cross entropy summed over items, in float32 or wider, and its weight."""
        exact = _exact(scores)
        total = F.cross_entropy(
            exact,
            targets,
            weight=self.class_weights.to(exact.dtype),
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        return Total(total, self.weight(targets))

    def probabilities(
        self, scores: Float[Tensor, "items labels"], layout: Layout | None = None
    ) -> Float[Tensor, "items labels"]:
        """How likely each label is."""
        return _exact(scores).softmax(-1)

    def answer(self, scores: Float[Tensor, "items labels"], layout: Layout | None = None) -> Int[Tensor, "items"]:
        """The label with the highest score, as its number."""
        return scores.argmax(-1)

    def log_probabilities(self, scores: Float[Tensor, "items labels"]) -> Float[Tensor, "items labels"]:
        """The logarithm of how likely each label is, in float32 or wider."""
        return _exact(scores).log_softmax(-1)

    def divergence(
        self, one: Float[Tensor, "items labels"], other: Float[Tensor, "items labels"]
    ) -> Float[Tensor, "items"]:
        """How far two scorings of each item are apart: the mean of KL(one ‖ other) and KL(other ‖ one)."""
        first, second = self.log_probabilities(one), self.log_probabilities(other)
        return ((first.exp() - second.exp()) * (first - second)).sum(-1) / 2

    def distance(
        self, scores: Float[Tensor, "items labels"], chances: Float[Tensor, "items labels"], temperature: float
    ) -> Float[Tensor, "items"]:
        """KL(chances ‖ scores) of each item, both softened by the temperature, times its square.

        The square keeps gradients as large as those of hard labels (Hinton et al. 2015, arXiv 1503.02531 §2).
        """
        given = (chances.clamp_min(TINY).log() / temperature).log_softmax(-1)
        ours = (_exact(scores) / temperature).log_softmax(-1)
        return F.kl_div(ours, given, reduction="none", log_target=True).sum(-1) * temperature**2


def _exact(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
