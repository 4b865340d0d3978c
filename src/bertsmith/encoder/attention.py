"""Attention over packed tokens: every layer's entrance to the kernels, and those that compute in buckets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bertsmith.batch import PackedBatch
from bertsmith.encoder.buckets import AttentionPlan, Bucket, Grain, Kernel, plan_attention
from bertsmith.encoder.dropout import keep_mask, keep_scale
from bertsmith.encoder.masks import Bidirectional
from bertsmith.encoder.memory import Memory, Shelf
from bertsmith.encoder.paths import Need, Path
from bertsmith.encoder.rounding import builds_kernels
from bertsmith.encoder.unpadded import FlexPlan, VarlenPlan, attend_flex, attend_varlen, plan_flex, plan_varlen

_CPU_TRAINING = Grain(rounding=16, area=1 << 17)
_CPU_MIXED_TRAINING = Grain(rounding=32, area=1 << 17, multiple=32)
_KEPT_BYTES = 1 << 26
_CPU_INFERENCE = Grain(rounding=1, area=1 << 22)
_DEVICE = Grain(rounding=64, area=1 << 26, multiple=8)


Plan = AttentionPlan | VarlenPlan | FlexPlan
"""What every layer does with one batch under one mask."""


def plan(batch: PackedBatch, need: Need, path: Path) -> Plan:
    """Lay out one batch for a path (`paths.chosen`); in buckets, sequences must be in ascending order of length."""
    match path:
        case "varlen":
            return plan_varlen(batch, need.mask)
        case "flex":
            return plan_flex(batch, need.mask)
        case _:
            return plan_attention(batch, need.mask, kernel=path, grain=_grain(path, need))


def _grain(path: Kernel, need: Need) -> Grain:
    if need.device.type != "cpu":
        return _DEVICE
    if path == "fused":
        return _CPU_INFERENCE
    return _CPU_MIXED_TRAINING if builds_kernels(need.device) else _CPU_TRAINING


def attend(
    qkv: Float[Tensor, "tokens 3 heads size"], plan: Plan, *, dropout: float
) -> Float[Tensor, "tokens heads size"]:
    """Scaled dot-product attention inside each sequence (Vaswani et al. 2017, arXiv 1706.03762 §3.2.1).

    `qkv` holds queries, keys and values side by side, sequences in the plan's order; rows beyond
    the plan's tokens are rounding, and nobody reads what comes of them. `dropout` is the chance to drop an
    attention probability; no kernel ignores it.

    Raises:
        ValueError: the plan is for a kernel without dropout, and there is some.
    """
    if isinstance(plan, VarlenPlan | FlexPlan):
        if dropout > 0.0:
            raise ValueError("the kernels on packed tokens drop nothing; plan for the fused one")
        return attend_varlen(qkv, plan) if isinstance(plan, VarlenPlan) else attend_flex(qkv, plan)
    if plan.kernel == "explicit":
        seed = int(torch.randint(1 << 62, ())) if dropout > 0.0 else 0
        result: Tensor = _Explicit.apply(qkv, plan, dropout, seed)  # type: ignore[no-untyped-call]
        return result
    spare = qkv.new_zeros(len(qkv) - plan.tokens, *qkv.shape[2:])
    return torch.cat([*(_fused(qkv[bucket.start : bucket.stop], bucket, dropout) for bucket in plan.buckets), spare])


def _fused(qkv: Tensor, bucket: Bucket, dropout: float) -> Tensor:
    padded = qkv if bucket.rows is None else qkv.index_select(0, bucket.rows)
    query, key, value = _by_head(padded, bucket).unbind(0)
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bucket.mask, dropout_p=dropout)
    rows = mixed.transpose(1, 2).reshape(-1, *qkv.shape[2:])
    return rows if bucket.places is None else rows.index_select(0, bucket.places)


def _by_head(padded: Tensor, bucket: Bucket) -> Tensor:
    """`[places, parts, heads, size]` as `[parts, sequences, heads, longest, size]`."""
    return padded.view(bucket.sequences, bucket.longest, *padded.shape[1:]).permute(2, 0, 3, 1, 4)


class _Explicit(torch.autograd.Function):
    """Bucket by bucket, in the dtype of the inputs; softmax and sums inside it are float32 or wider.

    Probabilities are kept for the way back where they are small; else they are computed again there,
    with the same dropout: each bucket draws it from a generator of its own, seeded from `seed`. What
    is kept by dropout is scaled up inside the products.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, plan: AttentionPlan, dropout: float, seed: int) -> Tensor:
        heads, size = qkv.shape[2:]
        ctx.plan, ctx.dropout, ctx.seed = plan, dropout, seed
        kept: list[Tensor | None] = []
        output = qkv.new_empty(len(qkv), heads, size)
        output[plan.tokens :] = 0.0
        for number, bucket in enumerate(plan.buckets):
            query, key, value = _rectangles(qkv, bucket, parts=3)
            probabilities, mask = _probabilities(query, key, bucket), None
            weights = probabilities
            if dropout > 0.0:
                mask = _mask(probabilities, dropout, seed + number)
                weights = probabilities * mask
            _write(output, _product(weights, value, keep_scale(dropout)), bucket)
            if _is_small(plan, qkv, dropout):
                kept += [probabilities, mask]
        ctx.save_for_backward(qkv, *kept)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        qkv, *kept = ctx.saved_tensors
        result = torch.empty_like(qkv, memory_format=torch.contiguous_format)
        result[ctx.plan.tokens :] = 0.0
        for number, bucket in enumerate(ctx.plan.buckets):
            query, key, value = _rectangles(qkv, bucket, parts=3)
            if kept:
                probabilities, mask = kept[2 * number : 2 * number + 2]
            else:
                probabilities = _probabilities(query, key, bucket)
                mask = _mask(probabilities, ctx.dropout, ctx.seed + number) if ctx.dropout > 0.0 else None
            outer = _rectangles(gradient, bucket, parts=1)[0]
            _write(result, _gradients((query, key, value), (probabilities, mask), outer, ctx.dropout), bucket)
        return result, None, None, None


def _is_small(plan: AttentionPlan, qkv: Tensor, dropout: float) -> bool:
    scores = sum(bucket.sequences * bucket.longest**2 for bucket in plan.buckets) * qkv.shape[2]
    return scores * qkv.element_size() * (2 if dropout > 0.0 else 1) <= _KEPT_BYTES


def _gradients(
    inputs: Sequence[Tensor], chances: tuple[Tensor, Tensor | None], outer: Tensor, dropout: float
) -> Tensor:
    """Gradients of queries, keys and values of one bucket, given that of its output."""
    query, key, value = inputs
    probabilities, mask = chances
    weights = probabilities if mask is None else probabilities * mask
    result = query.new_empty(3, *query.shape)
    kept, scale = keep_scale(dropout), query.shape[-1] ** -0.5
    _product(weights.transpose(1, 2), outer, kept, out=result[2])
    inner = torch.bmm(outer, value.transpose(1, 2))
    if mask is not None:
        inner *= mask
    scores = torch._softmax_backward_data(inner, probabilities, -1, probabilities.dtype)
    _product(scores, key, kept * scale, out=result[0])
    _product(scores.transpose(1, 2), query, kept * scale, out=result[1])
    return result


def _probabilities(query: Tensor, key: Tensor, bucket: Bucket) -> Tensor:
    scores = _product(query, key.transpose(1, 2), query.shape[-1] ** -0.5)
    if bucket.mask is not None:
        scores.view(bucket.sequences, -1, bucket.longest, bucket.longest).add_(bucket.mask.to(scores.dtype))
    return torch._softmax(scores, -1, False)  # noqa: FBT003  # autocast would make it float32


def _mask(probabilities: Tensor, dropout: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return keep_mask(tuple(probabilities.shape), dropout, probabilities.dtype, generator)


def _product(left: Tensor, right: Tensor, factor: float, *, out: Tensor | None = None) -> Tensor:
    """A matrix product times a number, which costs nothing inside it."""
    out = left.new_empty(left.shape[0], left.shape[1], right.shape[2]) if out is None else out
    return torch.baddbmm(out, left, right, beta=0.0, alpha=factor, out=out)


def _rectangles(values: Tensor, bucket: Bucket, *, parts: int) -> Tensor:
    """The tokens of a bucket as `[parts, sequences * heads, longest, size]`; rounding is zero in gradients."""
    heads, size = values.shape[-2:]
    routes = bucket.routes(parts, heads)
    rows = values[bucket.start : bucket.stop].reshape(-1, size).index_select(0, routes.inward)
    if parts == 1 and routes.rounded is not None:
        rows.index_fill_(0, routes.rounded, 0.0)
    return rows.view(parts, bucket.sequences * heads, bucket.longest, size)


def _write(target: Tensor, rectangles: Tensor, bucket: Bucket) -> None:
    """Put the rectangles of a bucket back into its rows, rounding left out."""
    heads, size = target.shape[-2:]
    routes = bucket.routes(3 if target.dim() == 4 else 1, heads)
    rows = target[bucket.start : bucket.stop].view(-1, size)
    torch.index_select(rectangles.view(-1, size), 0, routes.outward, out=rows)


def plan_sources(batch: PackedBatch) -> AttentionPlan:
    """How the keys of sources are laid out for those who read them while they write."""
    grain = _CPU_INFERENCE if batch.token_ids.device.type == "cpu" else _DEVICE
    return plan_attention(batch, Bidirectional(), kernel="explicit", grain=grain)


def attend_onward(
    qkv: Float[Tensor, "tokens 3 heads size"], memory: Memory, layer: int
) -> Float[Tensor, "tokens heads size"]:
    """Attention of the next tokens of each row: over its source, what it has written, and themselves from the left.

    Equal to `attend` under PrefixLM on the whole text, without computing again what was read before.
    `qkv` holds the same number of new tokens for every row; source and own text are read apart, and the two
    softmaxes joined by their sums.
    """
    heads, size = qkv.shape[2:]
    new = len(qkv) // memory.rows
    query, *told = qkv.view(memory.rows, new, 3, heads, size).permute(2, 0, 3, 1, 4)
    keys, values = memory.written(layer, torch.stack(told))
    causal = None
    if new > 1:
        causal = keys.new_full((new, keys.shape[2]), -torch.inf).triu_(keys.shape[2] - new + 1)
    own = _share(query, keys, values, causal)
    source = [_source_share(query, shelf, layer) for shelf in memory.shelves]
    mixed = _together(own, _Share(*(torch.cat(parts) for parts in zip(*source, strict=True))))
    return mixed.transpose(1, 2).reshape(len(qkv), heads, size)


class _Share(NamedTuple):
    """A softmax over some of the keys: values weighted by e to the score less `peak`, and the `total` of weights."""

    mixed: Tensor
    peak: Tensor
    total: Tensor


def _share(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> _Share:
    scores = torch.matmul(query, keys.transpose(-1, -2)).mul_(query.shape[-1] ** -0.5)
    if mask is not None:
        scores += mask
    peak = scores.amax(-1, keepdim=True)
    weights = scores.sub_(peak).exp_()
    return _Share(torch.matmul(weights, values), peak, weights.sum(-1, keepdim=True))


def _source_share(query: Tensor, shelf: Shelf, layer: int) -> _Share:
    """All rows that read one source ask it together."""
    keys, values = shelf.kept[layer]
    heads, new, size = query.shape[1:]
    asked = query[shelf.start : shelf.stop]
    asked = asked if shelf.rows is None else asked.index_select(0, shelf.rows)
    rectangle = (
        asked.view(shelf.sources, shelf.most, heads, new, size).transpose(1, 2).reshape(*keys.shape[:2], -1, size)
    )

    def by_row(part: Tensor) -> Tensor:
        rows = (
            part.view(shelf.sources, heads, shelf.most, new, -1).transpose(1, 2).reshape(-1, heads, new, part.shape[-1])
        )
        return rows if shelf.places is None else rows.index_select(0, shelf.places)

    return _Share(*(by_row(part) for part in _share(rectangle, keys, values, shelf.mask)))


def _together(one: _Share, other: _Share) -> Tensor:
    """The softmax over the keys of both."""
    peak = torch.maximum(one.peak, other.peak)
    left, right = (one.peak - peak).exp(), (other.peak - peak).exp()
    return (one.mixed * left + other.mixed * right) / (one.total * left + other.total * right)
