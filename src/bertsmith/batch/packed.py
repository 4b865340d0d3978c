"""Many sequences end to end on one device, without padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from bertsmith.batch.example import Example
from bertsmith.batch.moving import moved, sent


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Sequences laid end to end; sequence `i` is `cu_seqlens[i] : cu_seqlens[i + 1]`.

    `lengths` repeats the lengths on the host, so that no kernel has to wait for the device to plan
    its work. `order` is set only under the Permutation mask (see `encoder/masks.py`).
    """

    token_ids: Int[Tensor, "tokens"]
    segment_ids: Int[Tensor, "tokens"]
    position_ids: Int[Tensor, "tokens"]
    cu_seqlens: Int[Tensor, "boundaries"]
    lengths: tuple[int, ...]
    order: Int[Tensor, "tokens"] | None = None

    @property
    def max_seqlen(self) -> int:
        """Length of the longest sequence, in tokens."""
        return max(self.lengths, default=0)

    @property
    def num_tokens(self) -> int:
        """Number of real tokens; there are no others."""
        return self.token_ids.shape[0]

    def to(self, device: torch.device | str) -> "PackedBatch":
        """Copy the tensors to a device; the lengths stay on the host."""
        return replace(
            self,
            token_ids=moved(self.token_ids, device),
            segment_ids=moved(self.segment_ids, device),
            position_ids=moved(self.position_ids, device),
            cu_seqlens=moved(self.cu_seqlens, device),
            order=moved(self.order, device),
        )


def pack(examples: Sequence[Example]) -> PackedBatch:
    """Lay examples end to end; positions count from 0 in each of them.

    Raises:
        ValueError: there is nothing to pack, or an example has no tokens.
    """
    lengths = tuple(len(example) for example in examples)
    if not lengths or min(lengths) == 0:
        raise ValueError(f"a packed batch needs at least one example and no empty ones, got lengths {lengths[:8]}")
    return PackedBatch(
        token_ids=_joined([example.token_ids for example in examples]),
        segment_ids=_joined([example.segment_ids for example in examples]),
        position_ids=_joined([np.arange(length) for length in lengths]),
        cu_seqlens=torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32),
        lengths=lengths,
    )


def in_order(batch: PackedBatch, order: Sequence[int]) -> tuple[PackedBatch, Int[Tensor, "tokens"]]:
    """Lay the same sequences end to end in another order.

    Also returns where each token went: `values.index_select(0, places)` brings values computed on
    the new batch back into the old order.
    """
    lengths = np.asarray(batch.lengths)
    starts = np.cumsum(lengths) - lengths
    new_lengths = lengths[list(order)]
    new_starts = np.cumsum(new_lengths) - new_lengths
    rows = np.arange(batch.num_tokens) + np.repeat(starts[list(order)] - new_starts, new_lengths)
    places = np.empty_like(rows)
    places[rows] = np.arange(len(rows))
    device = batch.token_ids.device
    taken = sent(rows, device)
    sorted_batch = replace(
        batch,
        token_ids=batch.token_ids[taken],
        segment_ids=batch.segment_ids[taken],
        position_ids=batch.position_ids[taken],
        cu_seqlens=sent(np.append(new_starts, batch.num_tokens).astype(np.int32), device),
        lengths=tuple(new_lengths.tolist()),
        order=None if batch.order is None else batch.order[taken],
    )
    return sorted_batch, sent(places, device)


def cut(batch: PackedBatch, max_tokens: int) -> Iterator[PackedBatch]:
    """The same sequences in parts of at most so many tokens; a longer sequence is a part by itself."""
    ends = np.cumsum(batch.lengths)
    first = 0
    while first < len(batch.lengths):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + max_tokens, side="right")), first + 1)
        tokens = slice(before, int(ends[last - 1]))
        yield PackedBatch(
            token_ids=batch.token_ids[tokens],
            segment_ids=batch.segment_ids[tokens],
            position_ids=batch.position_ids[tokens],
            cu_seqlens=batch.cu_seqlens[first : last + 1] - before,
            lengths=batch.lengths[first:last],
            order=None if batch.order is None else batch.order[tokens],
        )
        first = last


def per_sequence(values: Shaped[Tensor, "tokens *rest"], batch: PackedBatch) -> list[Shaped[Tensor, "_ *rest"]]:
    """Cut per-token values back into one tensor a sequence, in the order they were packed."""
    return list(torch.split_with_sizes(values, list(batch.lengths)))


def _joined(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays).astype(np.int64))
