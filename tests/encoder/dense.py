"""Attention by its definition: every token against every token of the batch. For small inputs only."""

import torch
from torch import Tensor

from bertsmith.batch import PackedBatch
from bertsmith.encoder.masks import AttentionMask, Place


def dense_attend(qkv: Tensor, batch: PackedBatch, mask: AttentionMask) -> Tensor:
    lengths = torch.tensor(batch.lengths)
    sequence = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    index = torch.cat([torch.arange(length) for length in batch.lengths])

    def place(axis: int) -> Place:
        order = None if batch.order is None else batch.order.unsqueeze(axis)
        return Place(index.unsqueeze(axis), batch.segment_ids.unsqueeze(axis), order)

    allowed = (sequence[:, None] == sequence[None, :]) & mask(place(1), place(0))
    query, key, value = qkv.unbind(1)
    scores = torch.einsum("qhs,khs->hqk", query, key) / query.shape[-1] ** 0.5
    probabilities = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
    return torch.einsum("hqk,khs->qhs", probabilities, value)
