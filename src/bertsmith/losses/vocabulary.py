"""Cross entropy over a vocabulary without ever holding all scores: rows in chunks, gradients made on the way."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bertsmith.encoder.rounding import spare_rows
from bertsmith.losses.total import Total

_CPU_SCORES = 1 << 25
_CPU_TILE = 1 << 18
_DEVICE_SCORES = 1 << 26


class Guesses(NamedTuple):
    """What a model makes of the hidden tokens: the loss, how often the likeliest token is the right one, a draw."""

    total: Total
    hits: Int[Tensor, ""]
    samples: Int[Tensor, "rows"]
    """A token drawn for each row; empty where none was asked for. No gradient flows through it."""


def vocabulary_loss(
    vectors: Float[Tensor, "rows width"],
    table: Float[Tensor, "vocab width"],
    bias: Float[Tensor, "vocab"],
    labels: Int[Tensor, "rows"],
    *,
    temperature: float | None = None,
    scores_at_once: int | None = None,
) -> Guesses:
    """Cross entropy of softmax(vectors · tableᵀ + bias), summed over rows.

    Never more than `scores_at_once` scores exist at a time (None: as fits the device), going forward or
    back. The product is made in the dtype of autocast, if it is on; bias, softmax and sums are float32
    or wider. With a temperature, a token is drawn from softmax(scores / temperature) for each row by
    inverting its distribution function: the same law as adding Gumbel noise and taking the largest (authors'
    code of ELECTRA, Clark et al. 2020, arXiv 2003.10555), at a thirtieth of the random numbers' price.
    """
    device = vectors.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
    limit = scores_at_once or (_CPU_SCORES if device == "cpu" else _DEVICE_SCORES)
    tile = _CPU_TILE if device == "cpu" else limit
    way = _Way(temperature, max(1, limit // len(table)), max(1, tile // len(table)), gradients=torch.is_grad_enabled())
    rounded = F.pad(vectors, (0, 0, 0, spare_rows(len(vectors), vectors.device)))
    with torch.autocast(device, enabled=False):
        total, hits, samples = _Chunked.apply(  # type: ignore[no-untyped-call]
            rounded.to(dtype), table, bias, labels, way
        )
    return Guesses(Total(total, total.new_full((), len(labels))), hits, samples)


@dataclass(frozen=True, slots=True)
class _Way:
    """How the rows are gone through: `rows` at once, their softmax `tile` rows at a time, so that it stays in the
    processor's cache; a token is drawn for each if there is a temperature."""

    temperature: float | None
    rows: int
    tile: int
    gradients: bool


class _Gradients(NamedTuple):
    vectors: Tensor
    table: Tensor
    bias: Tensor


class _Chunked(torch.autograd.Function):
    """The gradient of a sum needs only its scale from above: all else is known while the scores are there.

    Vectors beyond the labels are rounding, and add nothing.
    """

    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, table: Tensor, bias: Tensor, labels: Tensor, way: _Way
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = torch.promote_types(bias.dtype, torch.float32)
        factors = table.to(vectors.dtype)
        gradients = None
        if way.gradients:
            gradients = _Gradients(torch.empty_like(vectors), torch.zeros_like(table), torch.zeros_like(bias))
        total, hits = bias.new_zeros((), dtype=exact), labels.new_zeros(())
        samples = []
        for start in range(0, len(vectors), way.rows):
            part = slice(start, start + way.rows)
            scores = _product(vectors[part], factors, exact)
            real = scores[: len(labels[part])]
            for tile, wanted in zip(torch.split(real, way.tile), torch.split(labels[part], way.tile), strict=True):
                chances = tile.to(exact).add_(bias)
                if way.temperature is not None:
                    samples.append(_drawn(chances, way.temperature))
                loss, right = _softmax_in_place(chances, wanted)
                total += loss
                hits += right
                if gradients is not None:
                    tile.copy_(_slope_in_place(chances, wanted, gradients.bias))
            if gradients is not None:
                scores[len(real) :] = 0.0
                _gather(gradients, part, scores.to(vectors.dtype), vectors[part], factors)
        drawn = torch.cat(samples) if samples else labels.new_zeros(0)
        ctx.save_for_backward(*(gradients or ()))
        ctx.mark_non_differentiable(hits, drawn)
        return total, hits, drawn

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        vectors, table, bias = (gradient * outer.to(gradient.dtype) for gradient in ctx.saved_tensors)
        return vectors, table, bias, None, None


def _product(vectors: Tensor, table: Tensor, exact: torch.dtype) -> Tensor:
    """All scores; on the CPU a product of bfloat16 is rounded to it once, on a GPU not at all."""
    if vectors.dtype == torch.bfloat16 and vectors.device.type == "cuda":
        return torch.mm(vectors, table.T, out_dtype=exact)
    return torch.mm(vectors, table.T)


def _softmax_in_place(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Turn scores into probabilities; the summed loss and how many labels had the highest score."""
    right = scores.gather(1, labels[:, None])[:, 0]
    highest = scores.amax(-1)
    sums = scores.sub_(highest[:, None]).exp_().sum(-1)
    scores.div_(sums[:, None])
    return (highest + sums.log() - right).sum(), (right >= highest).sum()


def _slope_in_place(probabilities: Tensor, labels: Tensor, of_bias: Tensor) -> Tensor:
    """What a score adds to the loss: its probability, minus one at the label. The sum goes to the bias."""
    probabilities[torch.arange(len(labels), device=labels.device), labels] -= 1.0
    of_bias.add_(probabilities.sum(0))
    return probabilities


def _gather(gradients: _Gradients, part: slice, slope: Tensor, vectors: Tensor, table: Tensor) -> None:
    """Add what these rows contribute: the slope of each score times the other factor."""
    gradients.vectors[part] = slope @ table
    gradients.table.add_(slope.T @ vectors)


def _drawn(scores: Tensor, temperature: float) -> Tensor:
    """One token a row from softmax(scores / temperature)."""
    sums = (scores / temperature).softmax(-1).cumsum_(-1)
    chance = torch.rand(len(scores), 1, device=scores.device, dtype=scores.dtype) * sums[:, -1:]
    return torch.searchsorted(sums, chance, right=True)[:, 0].clamp_(max=scores.shape[1] - 1)
