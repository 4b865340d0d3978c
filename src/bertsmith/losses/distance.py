"""A number: how far the score is from the truth."""

from abc import abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import Layout
from bertsmith.config import Config
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.total import Total


class Distance(Config):
    """What the losses of numbers share; targets are standardised, so that 1 is a standard deviation."""

    def build(self, facts: LabelFacts) -> "DistanceCriterion":
        """Make the module; a number has no labels to know of."""
        return DistanceCriterion(self)

    @abstractmethod
    def losses(
        self, scores: Float[Tensor, "items one"], targets: Float[Tensor, "items one"]
    ) -> Float[Tensor, "items one"]:
        """The loss of each item."""


class SquaredError(Distance):
    """The square of the distance: expects the mean, as BERT on STS-B does; far misses dominate."""

    kind: Literal["squared_error"] = "squared_error"

    def losses(
        self, scores: Float[Tensor, "items one"], targets: Float[Tensor, "items one"]
    ) -> Float[Tensor, "items one"]:
        """The loss of each item."""
        return F.mse_loss(scores, targets, reduction="none")


class AbsoluteError(Distance):
    """The distance: expects the median; a few wild labels do little harm."""

    kind: Literal["absolute_error"] = "absolute_error"

    def losses(
        self, scores: Float[Tensor, "items one"], targets: Float[Tensor, "items one"]
    ) -> Float[Tensor, "items one"]:
        """The loss of each item."""
        return F.l1_loss(scores, targets, reduction="none")


class Huber(Distance):
    """Square up to `delta` standard deviations, straight beyond (Huber 1964): between the other two."""

    kind: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0

    def losses(
        self, scores: Float[Tensor, "items one"], targets: Float[Tensor, "items one"]
    ) -> Float[Tensor, "items one"]:
        """The loss of each item."""
        return F.huber_loss(scores, targets, delta=self.delta, reduction="none")


class DistanceCriterion(nn.Module):
    """One score an item, which is the answer itself."""

    def __init__(self, config: Distance) -> None:
        super().__init__()
        self.config = config

    def weight(self, targets: Float[Tensor, "items one"]) -> Float[Tensor, ""]:
        """The number of items."""
        return torch.full((), float(len(targets)), device=targets.device)

    def loss(
        self, scores: Float[Tensor, "items one"], targets: Float[Tensor, "items one"], layout: Layout | None = None
    ) -> Total:
        """The loss summed over items, in float32 or wider, and their number."""
        exact = _exact(scores)
        return Total(self.config.losses(exact, targets.to(exact.dtype)).sum(), self.weight(targets))

    def probabilities(
        self, scores: Float[Tensor, "items one"], layout: Layout | None = None
    ) -> Float[Tensor, "items one"]:
        """The expected value."""
        return _exact(scores)

    def answer(self, scores: Float[Tensor, "items one"], layout: Layout | None = None) -> Float[Tensor, "items one"]:
        """The score is the answer."""
        return _exact(scores)

    def divergence(self, one: Float[Tensor, "items one"], other: Float[Tensor, "items one"]) -> Float[Tensor, "items"]:
        """The square of how far two scores are apart."""
        return (_exact(one) - _exact(other)).square().sum(-1)

    def distance(
        self, scores: Float[Tensor, "items one"], chances: Float[Tensor, "items one"], temperature: float
    ) -> Float[Tensor, "items"]:
        """The square of the distance to the other's number; a temperature has no meaning here."""
        return self.divergence(scores, chances)


def _exact(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
