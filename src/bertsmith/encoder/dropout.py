"""Dropout, made cheap on the CPU: sixteen random bits decide an element instead of a float each.

The chance is a multiple of 2**-16 (0.1 becomes 0.100006); the scale is the inverse of the chance
really used, so that the expectation is exact (Srivastava et al. 2014).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_STEPS = 1 << 16


def keep_scale(dropout: float) -> float:
    """The factor for what is kept: one over the chance to be kept."""
    return _STEPS / (_STEPS - _threshold(dropout))


def keep_mask(
    shape: tuple[int, ...], dropout: float, dtype: torch.dtype, generator: torch.Generator | None = None
) -> Float[Tensor, "..."]:
    """Draw 1 for what is kept and 0 for what is dropped, on the CPU."""
    mask = torch.empty(shape, dtype=dtype)
    words = torch.empty((mask.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None, generator=generator)
    bits = words.view(torch.int16)[: mask.numel()].view(shape)
    return torch.ge(bits, _threshold(dropout) - (_STEPS >> 1), out=mask)


def dropped(values: Float[Tensor, "*shape"], dropout: float) -> Float[Tensor, "*shape"]:
    """Drop each value with this chance and scale up the rest."""
    if dropout == 0.0:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, dropout)
    result: Tensor = _Dropped.apply(None, values, dropout)  # type: ignore[no-untyped-call]
    return result


def add_dropped(
    residual: Float[Tensor, "*shape"], values: Float[Tensor, "*shape"], dropout: float
) -> Float[Tensor, "*shape"]:
    """Add values after dropout to a residual, in one pass on the CPU."""
    if dropout == 0.0:
        return residual + values
    if values.device.type != "cpu":
        return residual + F.dropout(values, dropout)
    result: Tensor = _Dropped.apply(residual, values, dropout)  # type: ignore[no-untyped-call]
    return result


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, residual: Tensor | None, values: Tensor, dropout: float) -> Tensor:
        mask = keep_mask(tuple(values.shape), dropout, values.dtype).mul_(keep_scale(dropout))
        ctx.save_for_backward(mask)
        return values * mask if residual is None else torch.addcmul(residual, values, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        (mask,) = ctx.saved_tensors
        return (gradient if ctx.needs_input_grad[0] else None), gradient.to(mask.dtype) * mask, None


def _threshold(dropout: float) -> int:
    return round(dropout * _STEPS)
