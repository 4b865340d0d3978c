"""Learning from the vectors of another encoder: its similarities, or the vectors themselves."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from bertsmith.losses.total import Total
from bertsmith.losses.vectors import Truth, VectorCriterion, VectorLoss, Vectors, exact, unit


class TeacherSimilarities(VectorLoss):
    """All cosines of a batch are to be the teacher's (RoFormer-Sim, Su 2021, kexue.fm/archives/8454).

    (`weight` / n²) Σ Σ (cos of texts i, j - the teacher's cos of texts i, j)² over the n texts of a
    batch; widths may differ. The loss is one number a batch.
    """

    fewest_roles: ClassVar[int] = 1
    most_roles: ClassVar[int | None] = None
    taught: ClassVar[bool] = True
    kind: Literal["teacher_similarities"] = "teacher_similarities"
    weight: PositiveFloat = 100.0

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "SimilaritiesCriterion":
        """Make the module; it has no weights."""
        return SimilaritiesCriterion(self.weight)


class SimilaritiesCriterion(VectorCriterion):
    """One number a batch."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def weight(self, truth: Truth) -> Float[Tensor, ""]:
        """One: the loss is that of the batch."""
        return torch.tensor(1.0)

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """The loss of the batch, and 1."""
        ours, theirs = (unit(some).flatten(0, 1) for some in (vectors, _taught(truth)))
        return Total(self.factor * (ours @ ours.T - theirs @ theirs.T).square().mean(), self.weight(truth))


class TeacherVectors(VectorLoss):
    """The vectors are to be the teacher's, which must be as wide: mean squared error.

    Reimers & Gurevych 2020 (arXiv 2004.09813 §2), who so teach one encoder another language.
    """

    fewest_roles: ClassVar[int] = 1
    most_roles: ClassVar[int | None] = None
    taught: ClassVar[bool] = True
    kind: Literal["teacher_vectors"] = "teacher_vectors"

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "TeacherVectorsCriterion":
        """Make the module; it has no weights."""
        return TeacherVectorsCriterion()


class TeacherVectorsCriterion(VectorCriterion):
    """A mean square for every item."""

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """Mean squared error of each item, summed, and their number."""
        ours = exact(vectors)
        return Total((ours - _taught(truth).to(ours.dtype)).square().mean((1, 2)).sum(), self.weight(truth))


def _taught(truth: Truth) -> Float[Tensor, "items roles theirs"]:
    assert truth.teacher is not None, "this loss needs a teacher"
    return truth.teacher
