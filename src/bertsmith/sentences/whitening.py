"""Whitening: vectors turned and stretched so that their covariance is the identity.

Su et al. 2021, "Whitening Sentence Representations for Better Semantics and Faster Retrieval", arXiv
2103.15316: with the mean μ and the covariance U Λ Uᵀ of some vectors, x becomes (x − μ) U Λ^(−½), of
which the first k dimensions (largest λ) are kept.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.errors import UserError

Vectors = Float[np.ndarray, "texts width"]


class Whitening(nn.Module):
    """(x − mean) · matrix, in float32 or wider. Zeros until `set` or a checkpoint fills it; it never learns."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, width: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("matrix", torch.zeros(width, kept))

    def forward(self, vectors: Float[Tensor, "texts width"]) -> Float[Tensor, "texts kept"]:
        """Centre, turn, stretch and cut."""
        return (vectors - self.mean) @ self.matrix

    def set(self, numbers: "WhiteningNumbers") -> None:
        """Take fitted numbers."""
        self.mean.copy_(torch.from_numpy(numbers.mean))
        self.matrix.copy_(torch.from_numpy(numbers.matrix))


@dataclass(frozen=True, slots=True)
class WhiteningNumbers:
    """A fitted whitening: what is taken away, what is multiplied with, and how many vectors taught it.

    `rank` are the directions in which those vectors differ at all.
    """

    mean: Float[np.ndarray, "width"]
    matrix: Float[np.ndarray, "width kept"]
    vectors: int
    rank: int

    @property
    def kept(self) -> int:
        """Dimensions that are left."""
        return int(self.matrix.shape[1])

    def __call__(self, vectors: Vectors) -> Float[np.ndarray, "texts kept"]:
        """Whiten vectors on the host."""
        return np.asarray((vectors - self.mean) @ self.matrix)


class WhiteningFit:
    """Mean and covariance of vectors that come in parts, in float64 and constant memory (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.number = 0
        self._mean: np.ndarray | None = None
        self._scatter: np.ndarray | None = None

    def add(self, vectors: Vectors) -> None:
        """Take in some more vectors."""
        number = len(vectors)
        if not number:
            return
        part = vectors.astype(np.float64)
        mean = part.mean(0)
        scatter = (part - mean).T @ (part - mean)
        if self._mean is None or self._scatter is None:
            self.number, self._mean, self._scatter = number, mean, scatter
            return
        total, step = self.number + number, mean - self._mean
        self._scatter = self._scatter + scatter + np.outer(step, step) * (self.number * number / total)
        self._mean = self._mean + step * (number / total)
        self.number = total

    def numbers(self, kept: int | None = None) -> WhiteningNumbers:
        """Solve for the whitening; None keeps every direction in which the vectors differ.

        Directions without variance cannot be stretched to variance 1: asked for, they are refused.

        Raises:
            UserError: more dimensions are asked for than the vectors span, or they do not differ at all.
        """
        if self.number < 2 or self._mean is None or self._scatter is None:
            raise UserError(
                f"whitening needs the vectors of at least two texts, there are {self.number}; give more texts",
                code="whitening_rank",
            )
        turned, spread, _ = np.linalg.svd(self._scatter / (self.number - 1), hermitian=True)
        rank = int((spread > spread[0] * len(spread) * np.finfo(np.float32).eps).sum()) if spread[0] > 0 else 0
        if rank == 0 or (kept or 1) > rank:
            raise UserError(
                f"whitening to {kept or len(spread)} dimensions needs vectors that differ in as many directions, but "
                f"those of the {self.number:,} texts differ in {rank}; keep {rank or 1} or fewer, or give more texts",
                code="whitening_rank",
            )
        size = kept or rank
        turned = turned[:, :size]
        turned = turned * np.where(turned[np.abs(turned).argmax(0), np.arange(size)] < 0, -1.0, 1.0)
        matrix = turned / np.sqrt(spread[:size])
        return WhiteningNumbers(self._mean.astype(np.float32), matrix.astype(np.float32), self.number, rank)
