"""Any number of labels at once: yes or no for each."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import Layout
from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.total import Total

MOST_WEIGHT = 100.0
"""No yes counts more than so many noes, however rare its label is."""


class Binary(Config):
    """A sigmoid and the logistic loss for every label, the mean over labels.

    `positive_weights`: what a yes counts against a no, `none` (1), `balanced` (noes over yeses of the
    label, at most 100) or one number a label. `focus` is the γ of focal loss, which lets easy decisions count
    less; 2 in the paper, 0 is off (Lin et al. 2017, arXiv 1708.02002 §3.2). `label_smoothing` moves
    targets that share of the way to one half.
    """

    kind: Literal["binary"] = "binary"
    positive_weights: Literal["none", "balanced"] | tuple[PositiveFloat, ...] = "none"
    focus: NonNegativeFloat = 0.0
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    def build(self, facts: LabelFacts) -> "BinaryCriterion":
        """Make the module for these labels.

        Raises:
            UserError: the weights do not fit the labels.
        """
        return BinaryCriterion(self, self._weights(facts))

    def _weights(self, facts: LabelFacts) -> tuple[float, ...]:
        if self.positive_weights == "none":
            return (1.0,) * len(facts.labels)
        if self.positive_weights == "balanced":
            return tuple(min(MOST_WEIGHT, max(facts.items - n, 1) / max(n, 1)) for n in facts.counts)
        if len(self.positive_weights) != len(facts.labels):
            raise UserError(
                f"{len(self.positive_weights)} positive_weights for {len(facts.labels)} labels: give one a label",
                code="bad_setting",
            )
        return tuple(self.positive_weights)


class BinaryCriterion(nn.Module):
    """Loss and decoding of independent yes-or-no decisions; targets are 0 or 1 for every label."""

    positive_weights: Tensor

    def __init__(self, config: Binary, positive_weights: Sequence[float]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("positive_weights", torch.tensor(positive_weights), persistent=False)

    def weight(self, targets: Float[Tensor, "items labels"]) -> Float[Tensor, ""]:
        """The number of decisions, as torch's mean divides by."""
        return self.positive_weights.new_full((), targets.numel())

    def loss(
        self,
        scores: Float[Tensor, "items labels"],
        targets: Float[Tensor, "items labels"],
        layout: Layout | None = None,
    ) -> Total:
        """Logistic loss summed over items and labels, in float32 or wider, and the number of decisions."""
        exact = _exact(scores)
        truth = targets.to(exact.dtype)
        smooth = truth + self.config.label_smoothing * (0.5 - truth)
        weights = self.positive_weights.to(exact.dtype)
        losses = F.binary_cross_entropy_with_logits(exact, smooth, pos_weight=weights, reduction="none")
        if self.config.focus:
            wrong = (truth - exact.sigmoid()).abs()
            losses = losses * wrong**self.config.focus
        return Total(losses.sum(), self.weight(targets))

    def probabilities(
        self, scores: Float[Tensor, "items labels"], layout: Layout | None = None
    ) -> Float[Tensor, "items labels"]:
        """How likely each label is, each by itself."""
        return _exact(scores).sigmoid()

    def answer(
        self, scores: Float[Tensor, "items labels"], layout: Layout | None = None
    ) -> Float[Tensor, "items labels"]:
        """1 for every label that is likelier than not."""
        return (scores > 0).to(_exact(scores).dtype)

    def divergence(
        self, one: Float[Tensor, "items labels"], other: Float[Tensor, "items labels"]
    ) -> Float[Tensor, "items"]:
        """The mean over labels of how far two decisions are apart: of KL(one ‖ other) and KL(other ‖ one) the mean."""
        first, second = _exact(one), _exact(other)
        return ((first.sigmoid() - second.sigmoid()) * (first - second)).mean(-1) / 2

    def distance(
        self, scores: Float[Tensor, "items labels"], chances: Float[Tensor, "items labels"], temperature: float
    ) -> Float[Tensor, "items"]:
        """The mean over labels of KL(chances ‖ scores), both softened by the temperature, times its square."""
        given = torch.logit(chances, eps=1e-7) / temperature
        ours, likely = _exact(scores) / temperature, given.sigmoid()
        apart = likely * (F.logsigmoid(given) - F.logsigmoid(ours))
        apart = apart + (1 - likely) * (F.logsigmoid(-given) - F.logsigmoid(-ours))
        return apart.mean(-1) * temperature**2


def _exact(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
