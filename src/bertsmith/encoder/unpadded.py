"""Attention over packed tokens as they lie, no rectangles at all: torch's varlen and flex kernels, for GPUs.

Proven on the CPU as far as it goes (what stands around the kernels, the masks, the numbers of flex without
its kernel); neither kernel has ever run on a GPU in this project. `tests/encoder/test_gpu_attention.py` does
it wherever there is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from bertsmith.batch import PackedBatch, sent
from bertsmith.encoder.masks import AttentionMask, Causal, Place

BLOCK = 128
"""Tokens a side of the blocks that flex attention skips, or computes whole; rows are rounded up to twice as many, so
that there are never fewer than two blocks: a single one would be compiled for itself."""

_MULTIPLE = 8
"""What the head size is rounded up to for the varlen kernel, with zeros that change no score."""


@dataclass(frozen=True, slots=True)
class VarlenPlan:
    """Where sequences begin, in the order in which they lie."""

    cu_seqlens: Int[Tensor, "boundaries"]
    max_seqlen: int
    causal: bool
    tokens: int
    padded_tokens: int = 0

    @property
    def rows(self) -> int:
        """Rows it takes: those of the tokens."""
        return self.tokens


@dataclass(frozen=True, slots=True)
class FlexPlan:
    """Which blocks of scores are computed; the rows behind the tokens are a sequence of their own."""

    blocks: BlockMask
    tokens: int
    rows: int
    padded_tokens: int = 0


def plan_varlen(batch: PackedBatch, mask: AttentionMask) -> VarlenPlan:
    """For Bidirectional and Causal; sequences may lie in any order."""
    return VarlenPlan(batch.cu_seqlens, batch.max_seqlen, isinstance(mask, Causal), batch.num_tokens)


def attend_varlen(qkv: Float[Tensor, "tokens 3 heads size"], plan: VarlenPlan) -> Float[Tensor, "tokens heads size"]:
    """The Flash kernel on packed tokens (Dao 2023, arXiv 2307.08691): half precision, no dropout."""
    size, spare = qkv.shape[-1], len(qkv) - plan.tokens
    tokens = qkv[: plan.tokens]
    query, key, value = (F.pad(tokens, (0, -size % _MULTIPLE)) if size % _MULTIPLE else tokens).unbind(1)
    window = (-1, 0) if plan.causal else (-1, -1)
    bounds = (plan.cu_seqlens, plan.cu_seqlens, plan.max_seqlen, plan.max_seqlen)
    mixed: Tensor = varlen_kernel()(query, key, value, *bounds, scale=size**-0.5, window_size=window)
    mixed = mixed[..., :size]
    return F.pad(mixed, (0, 0, 0, 0, 0, spare)) if spare else mixed


@cache
def varlen_kernel() -> Callable[..., Tensor]:
    """torch's kernel, looked up when it is first needed."""
    from torch.nn.attention.varlen import varlen_attn

    return cast(Callable[..., Tensor], varlen_attn)


def plan_flex(batch: PackedBatch, mask: AttentionMask, *, block: int = BLOCK) -> FlexPlan:
    """For any mask. It is made on the device, and nothing waits for it: each token has the number of its sequence and
    two levels (`AttentionMask.levels`), each block the extremes of its tokens, and so the blocks to compute are known.
    """
    rows = -(-batch.num_tokens // (2 * block)) * 2 * block
    sequence, own, highest = scope = _scope(batch, mask, rows)
    some, every = _coarse(scope, block)
    blocks = BlockMask.from_kv_blocks(
        *_listed(some & ~every),
        *_listed(every),
        BLOCK_SIZE=block,
        mask_mod=lambda _, __, query, key: (
            (sequence[query] == sequence[key]) & ((own[key] <= highest[query]) | (query == key))
        ),
        seq_lengths=(rows, rows),
    )
    _of_any_size(blocks)
    return FlexPlan(blocks, batch.num_tokens, rows)


def attend_flex(qkv: Float[Tensor, "tokens 3 heads size"], plan: FlexPlan) -> Float[Tensor, "tokens heads size"]:
    """flex_attention (Dong et al. 2024, arXiv 2412.05496), compiled once for all batches and masks: no dropout."""
    missing = plan.rows - len(qkv)
    mixed: Tensor = flex_kernel()(F.pad(qkv, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else qkv, plan.blocks)
    return mixed[: len(qkv)]


@cache
def flex_kernel() -> Callable[[Tensor, BlockMask], Tensor]:
    """Compiled for any number of tokens and blocks; again only for another head size, dtype or kind of pass."""
    settings: dict[str, Any] = {"recompile_limit": 64}
    return torch.compile(mixed_by_flex, dynamic=True, fullgraph=True, **settings)


def mixed_by_flex(qkv: Tensor, blocks: BlockMask) -> Tensor:
    """What is compiled: all tokens as one sequence, whose mask keeps them apart."""
    query, key, value = qkv.permute(1, 2, 0, 3).unsqueeze(1).unbind(0)
    mixed: Tensor = flex_attention(query, key, value, block_mask=blocks)
    return mixed[0].transpose(0, 1)


def _of_any_size(blocks: BlockMask) -> None:
    """Tell the compiler that numbers of blocks change: it asks each tensor that hangs on a value, not on the call."""
    for kind in ("kv", "full_kv", "q", "full_q"):
        counts, indices = getattr(blocks, f"{kind}_num_blocks"), getattr(blocks, f"{kind}_indices")
        torch._dynamo.maybe_mark_dynamic(counts, 2)
        torch._dynamo.maybe_mark_dynamic(indices, (2, 3))


class _Scope(NamedTuple):
    """Of each row: its sequence, its own level, and the highest it sees."""

    sequence: Int[Tensor, "rows"]
    own: Int[Tensor, "rows"]
    highest: Int[Tensor, "rows"]


def _scope(batch: PackedBatch, mask: AttentionMask, rows: int) -> _Scope:
    lengths, device = np.asarray((*batch.lengths, rows - batch.num_tokens)), batch.token_ids.device
    sequence = sent(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths), device)
    index = sent(np.arange(rows) - np.repeat(np.cumsum(lengths) - lengths, lengths), device, torch.int32)
    place = Place(index[: batch.num_tokens], batch.segment_ids, batch.order)
    levels = mask.levels(place)
    own, highest = (F.pad(level, (0, rows - batch.num_tokens)).int() for level in levels)
    return _Scope(sequence, own, highest)


def _coarse(scope: _Scope, block: int) -> tuple[Bool[Tensor, "blocks blocks"], Bool[Tensor, "blocks blocks"]]:
    """Pairs of blocks (of queries, of keys) in which some pair of tokens may be allowed, and in which every one is."""
    sequence, own, highest = (values.view(-1, block) for values in scope)
    first, last = sequence[:, 0], sequence[:, -1]
    meet = (first[:, None] <= last[None]) & (first[None] <= last[:, None])
    some = meet & (own.amin(1)[None] <= highest.amax(1)[:, None])
    some |= torch.eye(len(first), dtype=torch.bool, device=some.device)
    whole = first == last
    every = meet & whole[:, None] & whole[None] & (own.amax(1)[None] <= highest.amin(1)[:, None])
    return some, every


def _listed(blocks: Bool[Tensor, "blocks blocks"]) -> tuple[Tensor, Tensor]:
    """How many keys' blocks each block of queries has, and which: those first, in ascending order."""
    order = blocks.int().argsort(dim=-1, descending=True, stable=True)
    return blocks.sum(-1, dtype=torch.int32)[None, None], order.int()[None, None]
