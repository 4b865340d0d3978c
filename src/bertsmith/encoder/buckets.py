"""Sequences of similar length, side by side: the plan of attention, made once per batch and mask.

A bucket is a run of neighbouring sequences of a batch sorted by length. Its shorter sequences are
rounded up to its longest; the rounding is masked, never attended to, and counted. Buckets are small
enough that neither masks nor scores ever grow with the square of the tokens of a whole batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from bertsmith.batch import PackedBatch, sent
from bertsmith.encoder.masks import AttentionMask, Bidirectional, Place

Kernel = Literal["explicit", "fused"]
"""How a bucket is computed: products written out, or torch's fused scaled-dot-product attention."""


@dataclass(frozen=True, slots=True)
class Grain:
    """How coarse buckets are: lengths apart by less than `rounding` tokens share one, up to `area`
    scores a head; their longest length is rounded up to a multiple of `multiple`."""

    rounding: int
    area: int
    multiple: int = 1


@dataclass(frozen=True, slots=True)
class Routes:
    """Where the rows of single heads go between the packed batch and the rectangle of a bucket.

    `inward` names the packed row `(token, part, head)` for each place `(part, sequence, head, index)`,
    `outward` is its inverse, `rounded` are the places nobody reads, None where there are none.
    """

    inward: Int[Tensor, "places"]
    outward: Int[Tensor, "rows"]
    rounded: Int[Tensor, "rounding"] | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """The sequences whose tokens are rows `start : stop` of the packed batch.

    `rows` says which of these rows (counted from `start`) stands at each place of the rectangle, the
    `rounded` places repeating the last token of their sequence; `places` is its inverse. All three
    are None when all lengths are equal: then the rectangle is a view. `mask` is added to the scores
    (explicit) or tells which are allowed (fused).
    """

    start: int
    stop: int
    sequences: int
    longest: int
    rows: Int[Tensor, "area"] | None
    places: Int[Tensor, "tokens"] | None
    rounded: Int[Tensor, "rounding"] | None
    mask: Shaped[Tensor, "_ 1 _ longest"] | None
    _routes: dict[tuple[int, int], Routes] = field(default_factory=dict, compare=False)

    def routes(self, parts: int, heads: int) -> Routes:
        """For rows that hold so many parts of so many heads; every layer asks for the same."""
        if (parts, heads) not in self._routes:
            self._routes[parts, heads] = self._routed(parts, heads)
        return self._routes[parts, heads]

    def _routed(self, parts: int, heads: int) -> Routes:
        every_part, every_head = torch.arange(parts), torch.arange(heads)
        rows = torch.arange(self.stop - self.start) if self.rows is None else self.rows
        places = torch.arange(self.stop - self.start) if self.places is None else self.places
        rows = rows.view(1, self.sequences, 1, self.longest)
        inward = (rows * parts + every_part.view(-1, 1, 1, 1)) * heads + every_head.view(-1, 1)
        places, rounded = self._by_head(places.view(-1, 1, 1), every_part, every_head), self.rounded
        if rounded is not None:
            rounded = self._by_head(rounded.view(-1, 1, 1), every_part, every_head).flatten()
        return Routes(inward.flatten(), places.flatten(), rounded)

    def _by_head(self, places: Tensor, parts: Tensor, heads: Tensor) -> Tensor:
        """`(sequence, index)` as `(part, sequence, head, index)`, for every part and head."""
        sequence, index = places // self.longest, places % self.longest
        return ((parts[:, None] * self.sequences + sequence) * len(heads) + heads) * self.longest + index


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """What every layer does with one batch under one mask."""

    kernel: Kernel
    buckets: tuple[Bucket, ...]
    tokens: int
    padded_tokens: int
    """Places added by rounding; the only padding there is."""

    @property
    def rows(self) -> int:
        """Rows it takes: those of the tokens."""
        return self.tokens


def plan_attention(batch: PackedBatch, mask: AttentionMask, *, kernel: Kernel, grain: Grain) -> AttentionPlan:
    """Group the sequences of a batch sorted by length, and evaluate the mask once for each bucket.

    Raises:
        ValueError: the sequences are not sorted by length.
    """
    lengths = np.asarray(batch.lengths)
    if (np.diff(lengths) < 0).any():
        raise ValueError("attention is planned for sequences in ascending order of length; use in_order first")
    buckets = []
    start = 0
    for sizes in _runs(lengths, grain):
        buckets.append(_bucket(batch, mask, sizes, start, kernel, grain.multiple))
        start = buckets[-1].stop
    places = sum(bucket.sequences * bucket.longest for bucket in buckets)
    return AttentionPlan(kernel, tuple(buckets), batch.num_tokens, places - batch.num_tokens)


def _runs(lengths: np.ndarray, grain: Grain) -> Iterator[np.ndarray]:
    """Split ascending lengths where the rounded length changes or a bucket would grow too large."""
    begin = 0
    for end in range(1, len(lengths) + 1):
        if end < len(lengths):
            same = (lengths[end] - 1) // grain.rounding == (lengths[begin] - 1) // grain.rounding
            if same and (end + 1 - begin) * lengths[end] ** 2 <= grain.area:
                continue
        yield lengths[begin:end]
        begin = end


def _bucket(
    batch: PackedBatch, mask: AttentionMask, sizes: np.ndarray, start: int, kernel: Kernel, multiple: int
) -> Bucket:
    longest, stop = -(-int(sizes[-1]) // multiple) * multiple, start + int(sizes.sum())
    rows = places = rounded = None
    if sizes[0] < longest:
        device = batch.token_ids.device
        real = np.arange(longest) < sizes[:, None]
        columns = np.minimum(np.arange(longest), sizes[:, None] - 1)
        rows = sent((columns + (np.cumsum(sizes) - sizes)[:, None]).reshape(-1), device)
        places, rounded = sent(np.flatnonzero(real), device), sent(np.flatnonzero(~real), device)
    allowed = _allowed(batch, mask, sizes, slice(start, stop), rows, longest)
    return Bucket(start, stop, len(sizes), longest, rows, places, rounded, _formed(allowed, kernel))


def _allowed(
    batch: PackedBatch, mask: AttentionMask, sizes: np.ndarray, span: slice, rows: Tensor | None, longest: int
) -> Bool[Tensor, "_ 1 _ longest"] | None:
    """Who may attend to whom; None: everybody. A rounded query may see anything, for nobody reads it."""
    device = batch.token_ids.device
    real = None
    if rows is not None:
        real = sent(np.arange(longest) < sizes[:, None], device)
    if isinstance(mask, Bidirectional):
        return None if real is None else real[:, None, None, :]

    allowed = mask(*(_place(batch, span, rows, longest, axis) for axis in (2, 1)))
    if real is not None:
        allowed = (allowed & real[:, None, :]) | ~real[:, :, None]
    return allowed[:, None]


def _place(batch: PackedBatch, span: slice, rows: Tensor | None, longest: int, axis: int) -> Place:
    """The places of a bucket as queries (`axis` 2) or as keys (1) of a square."""

    def shaped(values: Tensor) -> Tensor:
        return (values[span] if rows is None else values[span][rows]).view(-1, longest).unsqueeze(axis)

    index = torch.arange(longest, device=batch.token_ids.device)[None].unsqueeze(axis)
    return Place(index, shaped(batch.segment_ids), None if batch.order is None else shaped(batch.order))


def _formed(allowed: Tensor | None, kernel: Kernel) -> Tensor | None:
    if allowed is None or kernel == "fused":
        return allowed
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill_(~allowed, -torch.inf)
