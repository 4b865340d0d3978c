"""What the losses of sentence vectors share: items of several texts, what is true of them, similarity."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import moved
from bertsmith.config import Config
from bertsmith.losses.total import Total

Vectors = Float[Tensor, "items roles width"]
"""The vectors of all texts of a batch: an item is a pair or a triplet, a role the place of a text in it."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of the items of a batch, known without any vector.

    `labels` are classes or numbers, `teacher` what another encoder makes of the same texts. `alike` are
    places of two texts (`item · roles + role`) that mean the same though they stand in different items:
    equal texts, and pairs known to be positive. In-batch losses do not take them for negatives.
    """

    items: int
    labels: Shaped[Tensor, "items"] | None = None
    alike: Int[Tensor, "pairs two"] | None = None
    teacher: Float[Tensor, "items roles theirs"] | None = None

    def to(self, device: torch.device | str) -> "Truth":
        """Copy to a device."""
        return replace(
            self,
            labels=moved(self.labels, device),
            alike=moved(self.alike, device),
            teacher=moved(self.teacher, device),
        )


class VectorLoss(Config, ABC):
    """A loss of vectors before it has weights.

    `fewest_roles` and `most_roles` say how many texts an item may have (None: any number). `labelled`,
    `taught`: it needs labels, a teacher. `negatives`: the texts of other
    items are negatives.
    """

    fewest_roles: ClassVar[int] = 2
    most_roles: ClassVar[int | None] = 2
    labelled: ClassVar[bool] = False
    taught: ClassVar[bool] = False
    negatives: ClassVar[bool] = False

    @abstractmethod
    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "VectorCriterion":
        """Make the module for vectors of this width; `outputs` is the number of classes, where there are classes."""


class VectorCriterion(nn.Module, ABC):
    """Vectors of a batch and what is true of them -> a loss, as a sum and the weight to divide it by."""

    def weight(self, truth: Truth) -> Float[Tensor, ""]:
        """What the sum is divided by: the number of items, where nothing else is said."""
        return torch.tensor(float(truth.items))

    @abstractmethod
    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """The loss summed over items, in float32 or wider, and its weight."""


def exact(vectors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """In float32 or wider: differences of similarities are small."""
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def unit(vectors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """At length 1, in float32 or wider; a vector of zeros stays one."""
    return F.normalize(exact(vectors), dim=-1)


def cosines(vectors: Vectors) -> Float[Tensor, "items"]:
    """The cosine of the first two texts of every item."""
    units = unit(vectors)
    return (units[:, 0] * units[:, 1]).sum(-1)


def labels_of(truth: Truth) -> Shaped[Tensor, "items"]:
    """The labels, which this loss needs."""
    assert truth.labels is not None, "this loss needs labels"
    return truth.labels
