"""The other texts of a batch as negatives: each text must find its partner among them (InfoNCE)."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn import functional as F

from bertsmith.losses.total import Total
from bertsmith.losses.vectors import Truth, VectorCriterion, VectorLoss, Vectors, unit


class InBatch(VectorLoss):
    """Each first text finds its second text among the second texts of all items (Gao et al. 2021, SimCSE).

    arXiv 2104.08821 eq. 1: cross entropy of cos / `temperature`; one direction, first texts are rows,
    second ones columns. Third and further texts of an item are hard negatives: more columns for every
    row (eq. 5); `hard_negative_weight` is α of the authors' code, whose logarithm is added where a row
    meets the negatives of its own item. `directions: both` also lets each second text find its first
    one, and takes the mean (Radford et al. 2021, CLIP). With named pairs it is the ranking loss of
    Henderson et al. 2017 (arXiv 1705.00652 §4.4), whose scale is 1 / temperature.
    """

    most_roles: ClassVar[int | None] = None
    negatives: ClassVar[bool] = True
    kind: Literal["in_batch"] = "in_batch"
    temperature: PositiveFloat = 0.05
    hard_negative_weight: PositiveFloat = 1.0
    directions: Literal["one", "both"] = "one"

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "InBatchCriterion":
        """Make the module; it has no weights."""
        return InBatchCriterion(self)


class InBatchCriterion(VectorCriterion):
    """Rows are first texts; columns all second texts, then all third ones, and so on."""

    def __init__(self, config: InBatch) -> None:
        super().__init__()
        self.config = config

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """Cross entropy summed over rows, and the number of rows."""
        scores = self.scores(vectors, truth)
        own = torch.arange(truth.items, device=scores.device)
        total = F.cross_entropy(scores, own, reduction="sum")
        if self.config.directions == "both":
            back = F.cross_entropy(scores[:, : truth.items].T, own, reduction="sum")
            total = (total + back) / 2
        return Total(total, self.weight(truth))

    def scores(self, vectors: Vectors, truth: Truth) -> Float[Tensor, "items columns"]:
        """What softmax sees: -inf where row and column are alike and not of one item."""
        units = unit(vectors)
        items, roles = units.shape[:2]
        scores = units[:, 0] @ units[:, 1:].transpose(0, 1).flatten(0, 1).T / self.config.temperature
        if (bonus := math.log(self.config.hard_negative_weight)) and roles > 2:
            own = torch.arange(items, device=scores.device)
            more = scores.new_zeros(items, roles - 1, items)
            more[own, 1:, own] = bonus
            scores = scores + more.flatten(1)
        return scores if truth.alike is None else scores.masked_fill(_alike(truth, roles), -math.inf)


class AllPairs(VectorLoss):
    """Each of the 2N texts of N pairs finds its partner among the 2N - 1 others (Su 2021; SimBERT, Su 2020).

    Authors' code (bojone/SimCSE, ZhuiyiTechnology/simbert): cosines times `scale`, the diagonal masked,
    partners in rows 2k and 2k + 1. Both directions, and negatives of both sides. The scale is 20 in
    Su's SimCSE, 30 in SimBERT.
    """

    negatives: ClassVar[bool] = True
    kind: Literal["all_pairs"] = "all_pairs"
    scale: PositiveFloat = 20.0

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "AllPairsCriterion":
        """Make the module; it has no weights."""
        return AllPairsCriterion(self.scale)


class AllPairsCriterion(VectorCriterion):
    """Rows and columns are all texts, the two of a pair beside each other."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def weight(self, truth: Truth) -> Float[Tensor, ""]:
        """The number of texts."""
        return torch.tensor(2.0 * truth.items)

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """Cross entropy summed over texts, and their number."""
        units = unit(vectors).flatten(0, 1)
        places = torch.arange(len(units), device=units.device)
        partners = places + 1 - places % 2 * 2
        hidden = torch.eye(len(units), dtype=torch.bool, device=units.device)
        if truth.alike is not None:
            hidden[truth.alike[:, 0], truth.alike[:, 1]] = True
            hidden[places, partners] = False
        scores = (units @ units.T * self.scale).masked_fill(hidden, -math.inf)
        return Total(F.cross_entropy(scores, partners, reduction="sum"), self.weight(truth))


def _alike(truth: Truth, roles: int) -> Tensor:
    """Where a row must not take a column for a negative; its own partner stays."""
    assert truth.alike is not None
    (rows, row_roles), (items, item_roles) = (
        (places // roles, places % roles) for places in (truth.alike[:, 0], truth.alike[:, 1])
    )
    met = (row_roles == 0) & (item_roles > 0) & ~((rows == items) & (item_roles == 1))
    width = (roles - 1) * truth.items
    hidden = torch.zeros(truth.items, width + 1, dtype=torch.bool, device=truth.alike.device)
    hidden[rows, torch.where(met, (item_roles - 1) * truth.items + items, width)] = True
    return hidden[:, :width]
