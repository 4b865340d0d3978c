"""Attention over packed tokens: the kernel is chosen here, and only here are sequences rounded up."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bertsmith.batch import PackedBatch
from bertsmith.encoder.buckets import AttentionPlan, Bucket, Grain, plan_attention
from bertsmith.encoder.dropout import keep_mask, keep_scale
from bertsmith.encoder.masks import AttentionMask

_CPU_TRAINING = Grain(rounding=16, area=1 << 17)
_CPU_INFERENCE = Grain(rounding=1, area=1 << 22)
_DEVICE = Grain(rounding=64, area=1 << 26)


def plan(batch: PackedBatch, mask: AttentionMask, *, dropout: float) -> AttentionPlan:
    """Choose the kernel for this device and this kind of pass, and group the sequences for it.

    On the CPU, products written out are several times faster than the fused kernel forward and
    backward, and they draw the same dropout whether gradients are recorded or not; a pass without
    either takes the fused kernel on sequences of equal length. Elsewhere: the fused kernel.
    """
    if batch.token_ids.device.type != "cpu":
        return plan_attention(batch, mask, kernel="fused", grain=_DEVICE)
    if torch.is_grad_enabled() or dropout > 0.0:
        return plan_attention(batch, mask, kernel="explicit", grain=_CPU_TRAINING)
    return plan_attention(batch, mask, kernel="fused", grain=_CPU_INFERENCE)


def attend(
    qkv: Float[Tensor, "tokens 3 heads size"], plan: AttentionPlan, *, dropout: float
) -> Float[Tensor, "tokens heads size"]:
    """Scaled dot-product attention inside each sequence (Vaswani et al. 2017, arXiv 1706.03762 §3.2.1).

    `qkv` holds queries, keys and values side by side, sequences in the plan's order; rows beyond
    the plan's tokens are rounding and come out as zeros. `dropout` is the chance to drop an attention
    probability; no kernel ignores it.
    """
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
    """Bucket by bucket, keeping nothing but the inputs: scores are computed again going back.

    Probabilities are float32 (or float64) whatever the inputs are. Each bucket draws its dropout
    from a generator of its own, seeded from `seed`, so that both passes see the same; what is kept is
    scaled up inside the products.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, plan: AttentionPlan, dropout: float, seed: int) -> Tensor:
        ctx.save_for_backward(qkv)
        ctx.plan, ctx.dropout, ctx.seed = plan, dropout, seed
        output = qkv.new_empty(qkv.shape[0], *qkv.shape[2:])
        output[plan.tokens :] = 0.0
        for number, bucket in enumerate(plan.buckets):
            query, key, value = _rectangles(qkv[bucket.start : bucket.stop], bucket)
            weights = _probabilities(query, key, bucket)
            if dropout > 0.0:
                weights *= _kept(weights, dropout, seed + number)
            _write(output, _product(weights.to(value.dtype), value, keep_scale(dropout)), bucket)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (qkv,) = ctx.saved_tensors
        result = torch.empty_like(qkv, memory_format=torch.contiguous_format)
        result[ctx.plan.tokens :] = 0.0
        for number, bucket in enumerate(ctx.plan.buckets):
            inputs = _rectangles(qkv[bucket.start : bucket.stop], bucket)
            (outer,) = _rectangles(gradient[bucket.start : bucket.stop, None], bucket, rounded=0.0)
            for part, values in enumerate(_gradients(inputs, outer, bucket, ctx.dropout, ctx.seed + number)):
                _write(result[:, part], values, bucket)
        return result, None, None, None


def _gradients(
    inputs: Sequence[Tensor], outer: Tensor, bucket: Bucket, dropout: float, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values of one bucket, given that of its output."""
    query, key, value = inputs
    weights = probabilities = _probabilities(query, key, bucket)
    inner = torch.bmm(outer, value.transpose(1, 2)).to(probabilities.dtype)
    if dropout > 0.0:
        mask = _kept(probabilities, dropout, seed)
        weights = probabilities * mask
        inner *= mask
    scores = torch._softmax_backward_data(inner, probabilities, -1, probabilities.dtype).to(query.dtype)
    kept, scale = keep_scale(dropout), query.shape[-1] ** -0.5
    return (
        _product(scores, key, kept * scale),
        _product(scores.transpose(1, 2), query, kept * scale),
        _product(weights.to(query.dtype).transpose(1, 2), outer, kept),
    )


def _probabilities(query: Tensor, key: Tensor, bucket: Bucket) -> Tensor:
    scores = _product(query, key.transpose(1, 2), query.shape[-1] ** -0.5)
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if bucket.mask is not None:
        scores.view(bucket.sequences, -1, bucket.longest, bucket.longest).add_(bucket.mask)
    return scores.softmax(-1)


def _kept(probabilities: Tensor, dropout: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return keep_mask(tuple(probabilities.shape), dropout, probabilities.dtype, generator)


def _product(left: Tensor, right: Tensor, factor: float) -> Tensor:
    """A matrix product times a number, which costs nothing inside it."""
    ignored = left.new_empty(left.shape[0], left.shape[1], right.shape[2])
    return torch.baddbmm(ignored, left, right, beta=0.0, alpha=factor)


def _rectangles(values: Tensor, bucket: Bucket, *, rounded: float | None = None) -> list[Tensor]:
    """The tokens of a bucket as one contiguous `[sequences * heads, longest, size]` a part."""
    if bucket.rows is not None and bucket.rounded is not None:
        values = values.index_select(0, bucket.rows)
        if rounded is not None:
            values.index_fill_(0, bucket.rounded, rounded)
    return [part.flatten(0, 1) for part in _by_head(values, bucket).contiguous().unbind(0)]


def _write(target: Tensor, rectangle: Tensor, bucket: Bucket) -> None:
    """Put `[sequences * heads, longest, size]` back into the bucket's rows, rounding left out."""
    heads, size = target.shape[1:]
    rows = rectangle.view(bucket.sequences, heads, bucket.longest, size).transpose(1, 2)
    if bucket.places is None:
        target[bucket.start : bucket.stop].view(bucket.sequences, bucket.longest, heads, size).copy_(rows)
    else:
        target[bucket.start : bucket.stop] = rows.reshape(-1, heads, size).index_select(0, bucket.places)
