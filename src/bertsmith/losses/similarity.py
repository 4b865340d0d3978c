"""Losses of pairs and triplets that say how alike their texts are: order, number, class, nearer and farther."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.losses.total import Total
from bertsmith.losses.vectors import Truth, VectorCriterion, VectorLoss, Vectors, cosines, exact, labels_of, unit


class CoSent(VectorLoss):
    """Pairs of a batch in the order of their labels (CoSENT, Su 2022, kexue.fm/archives/8847, eq. 2).

    log(1 + Σ exp(`scale` · (cos of the less alike pair - cos of the more alike pair))) over all two
    pairs of the batch whose labels differ. Any label with an order will do: 0 and 1, scores, levels. The
    loss is one number a batch.
    """

    labelled: ClassVar[bool] = True
    kind: Literal["cosent"] = "cosent"
    scale: PositiveFloat = 20.0

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "CoSentCriterion":
        """Make the module; it has no weights."""
        return CoSentCriterion(self.scale)


class CoSentCriterion(VectorCriterion):
    """One number a batch."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def weight(self, truth: Truth) -> Float[Tensor, ""]:
        """One: the loss is that of the batch."""
        return torch.tensor(1.0)

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """The loss of the batch, and 1."""
        scores, labels = cosines(vectors) * self.scale, labels_of(truth)
        wrong = scores[:, None] - scores[None]
        gaps = wrong.masked_fill(labels[:, None] >= labels[None], -torch.inf).flatten()
        return Total(torch.cat([gaps.new_zeros(1), gaps]).logsumexp(0), self.weight(truth))


class CosineRegression(VectorLoss):
    """The cosine is the label, from 0 to 1: squared error (Reimers & Gurevych 2019, arXiv 1908.10084 §3)."""

    labelled: ClassVar[bool] = True
    kind: Literal["cosine_regression"] = "cosine_regression"

    def build(
        self, width: int, outputs: int, *, generator: torch.Generator | None = None
    ) -> "CosineRegressionCriterion":
        """Make the module; it has no weights."""
        return CosineRegressionCriterion()


class CosineRegressionCriterion(VectorCriterion):
    """A square for every pair."""

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """Squared error summed over pairs, and their number."""
        found = cosines(vectors)
        return Total((found - labels_of(truth).to(found.dtype)).square().sum(), self.weight(truth))


class PairClasses(VectorLoss):
    """Classes of pairs from (u, v, |u - v|) by one linear map (Reimers & Gurevych 2019, arXiv 1908.10084 §3, eq. 1).

    For labels without an order, such as those of natural language inference; the map is forgotten after training.
    """

    labelled: ClassVar[bool] = True
    kind: Literal["pair_classes"] = "pair_classes"

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "PairClassesCriterion":
        """Make the module; the generator draws its weights."""
        return PairClassesCriterion(width, outputs, generator=generator)


class PairClassesCriterion(VectorCriterion):
    """Cross entropy of a linear map; weights from a normal distribution (0.02), bias zero."""

    def __init__(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * width, outputs)
        nn.init.normal_(self.linear.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """Cross entropy summed over pairs, and their number."""
        with torch.autocast(vectors.device.type, enabled=False):
            one, other = vectors.to(self.linear.weight.dtype).unbind(1)
            scores = self.linear(torch.cat([one, other, (one - other).abs()], dim=-1))
            return Total(F.cross_entropy(exact(scores), labels_of(truth), reduction="sum"), self.weight(truth))


class Triplet(VectorLoss):
    """The first text is nearer to the second than to the third by a margin (Schroff et al. 2015, arXiv 1503.03832).

    max(0, d(first, second) - d(first, third) + `margin`) with the Euclidean distance and a margin of 1,
    as in Reimers & Gurevych 2019 §3, or with 1 - cosine, for which a margin of 0.2 to 0.5 is usual.
    """

    fewest_roles: ClassVar[int] = 3
    most_roles: ClassVar[int | None] = 3
    kind: Literal["triplet"] = "triplet"
    margin: PositiveFloat = 1.0
    distance: Literal["euclidean", "cosine"] = "euclidean"

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "TripletCriterion":
        """Make the module; it has no weights."""
        return TripletCriterion(self)


class TripletCriterion(VectorCriterion):
    """A hinge for every triplet."""

    def __init__(self, config: Triplet) -> None:
        super().__init__()
        self.config = config

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """The hinge summed over triplets, and their number."""
        near, far = self._distances(vectors)
        return Total(F.relu(near - far + self.config.margin).sum(), self.weight(truth))

    def _distances(self, vectors: Vectors) -> tuple[Float[Tensor, "items"], Float[Tensor, "items"]]:
        if self.config.distance == "cosine":
            units = unit(vectors)
            return 1 - (units[:, 0] * units[:, 1]).sum(-1), 1 - (units[:, 0] * units[:, 2]).sum(-1)
        anchors, near, far = exact(vectors).unbind(1)
        return torch.linalg.vector_norm(anchors - near, dim=-1), torch.linalg.vector_norm(anchors - far, dim=-1)
