"""Vectors of one class together, of different classes apart: losses of vectors and the classes of their texts."""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn import functional as F

from bertsmith.config import Config
from bertsmith.losses.total import Total

Vectors = Float[Tensor, "texts width"]
Classes = Int[Tensor, "texts"]


class SupervisedContrast(Config):
    """Every text finds all others of its class among the texts of a batch (Khosla et al. 2020, arXiv 2004.11362 eq. 2).

    For text i with the others of its class P(i): −1 / |P(i)| · Σ over p in P(i) of
    log (exp(cos(i, p) / τ) / Σ over all a ≠ i of exp(cos(i, a) / τ)). A text that is alone of its class is no
    anchor, only a negative of the others. `temperature` is τ.
    """

    kind: Literal["supervised_contrast"] = "supervised_contrast"
    temperature: PositiveFloat = 0.1

    def weight(self, classes: Classes) -> Float[Tensor, ""]:
        """The number of anchors: texts that are not alone of their class."""
        return _positives(classes).any(1).sum().float()

    def loss(self, vectors: Vectors, classes: Classes) -> Total:
        """Summed over anchors, in float32 or wider."""
        units = _unit(vectors)
        with torch.autocast(units.device.type, enabled=False):
            scores = units @ units.T / self.temperature
        itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
        chances = scores.masked_fill(itself, -torch.inf).log_softmax(1)
        positives = _positives(classes)
        sums = torch.where(positives, chances, 0).sum(1)
        return Total(-(sums / positives.sum(1).clamp(min=1)).sum(), self.weight(classes))


class ClassCosine(Config):
    """The cosine of two texts is to be 1 if they are of one class, 0 if not (SetFit: Tunstall et al. 2022, 2209.11055).

    Texts lie in pairs: each first one is compared with its own partner and with that of the next pair; the
    square of the difference is the loss, as in SetFit's code.
    """

    kind: Literal["class_cosine"] = "class_cosine"

    def weight(self, classes: Classes) -> Float[Tensor, ""]:
        """The number of comparisons: two for each pair."""
        return torch.full((), float(len(classes) // 2 * 2), device=classes.device)

    def loss(self, vectors: Vectors, classes: Classes) -> Total:
        """Summed over comparisons, in float32 or wider."""
        units = _unit(vectors)
        first, second = units[0::2], units[1::2]
        one, other = classes[0::2], classes[1::2]
        found = torch.cat([(first * second).sum(1), (first * second.roll(-1, 0)).sum(1)])
        alike = torch.cat([one == other, one == other.roll(-1, 0)])
        return Total(((found - alike.to(found.dtype)) ** 2).sum(), self.weight(classes))


ClassContrast = Annotated[SupervisedContrast | ClassCosine, Field(discriminator="kind")]
"""How vectors are drawn together and apart by class."""


def _positives(classes: Classes) -> Bool[Tensor, "texts texts"]:
    """Who is of one class with whom, itself aside."""
    alike = classes[:, None] == classes[None, :]
    return alike & ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)


def _unit(vectors: Vectors) -> Vectors:
    return F.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=1)
