"""Positions as angles: rotary ones turn queries and keys, sinusoids may be what a learned table begins as."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.encoder.config import Rotary


@dataclass(frozen=True, slots=True)
class Rotation:
    """Cosines and sines of every token's angles, one for each interleaved pair of a head."""

    cosine: Float[Tensor, "tokens 1 1 pairs"]
    sine: Float[Tensor, "tokens 1 1 pairs"]
    parts: int
    """How many of queries, keys and values are turned: 2, or 3 with `rotate_values`."""

    def turn(self, qkv: Float[Tensor, "tokens 3 heads size"]) -> Float[Tensor, "tokens 3 heads size"]:
        """Turn pair `(x0, x1)` into `(x0 cos - x1 sin, x1 cos + x0 sin)`."""
        even, odd = qkv[:, : self.parts, :, 0::2], qkv[:, : self.parts, :, 1::2]
        cosine, sine = self.cosine.to(qkv.dtype), self.sine.to(qkv.dtype)
        turned = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1).flatten(-2)
        return torch.cat([turned, qkv[:, self.parts :]], dim=1)


def rotation(position: Rotary, position_ids: Int[Tensor, "tokens"], head_size: int, dtype: torch.dtype) -> Rotation:
    """Angles `position * base ** (-2 i / head_size)` for pair `i` (Su et al. 2021, arXiv 2104.09864 §3.2.2)."""
    pairs = torch.arange(0, head_size, 2, dtype=torch.float64, device=position_ids.device)
    angles = position_ids[:, None].double() * position.base ** (-pairs / head_size)
    angles = angles[:, None, None, :]
    return Rotation(angles.cos().to(dtype), angles.sin().to(dtype), parts=3 if position.rotate_values else 2)


def sinusoids(positions: int, width: int) -> Float[Tensor, "positions width"]:
    """Sines in even columns, cosines in odd ones, at `10000 ** (-2 i / width)` (Vaswani et al. 2017 §3.5)."""
    pairs = torch.arange(0, width, 2, dtype=torch.float64)
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * 10000.0 ** (-pairs / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width].float()
