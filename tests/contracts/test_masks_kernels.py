"""Every mask through every kernel equals its predicate, forward and gradient."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bertsmith.batch import PackedBatch
from bertsmith.encoder import attention
from bertsmith.encoder.attention import attend
from bertsmith.encoder.buckets import Grain, plan_attention
from bertsmith.encoder.masks import AttentionMask, Bidirectional, Causal, Permutation, PrefixLM, RightToLeft
from tests.encoder.dense import dense_attend
from tests.encoder.samples import batch_of

MASKS = [kind() for kind in get_args(AttentionMask)]
LENGTHS = (1, 1, 2, 3, 3, 7, 11, 13, 13, 17)
HEADS, SIZE = 3, 5


def with_order(batch: PackedBatch) -> PackedBatch:
    """Random prediction orders: about half of the tokens plain content, the others content and queries."""
    rng = np.random.default_rng(3)
    pieces = [rng.choice([-1, *range(2 * length)], length, replace=False) for length in batch.lengths]
    return replace(batch, order=torch.from_numpy(np.concatenate(pieces)))


def qkv_for(batch: PackedBatch) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch.num_tokens, 3, HEADS, SIZE, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
@pytest.mark.parametrize("kernel", ["explicit", "fused"])
@pytest.mark.parametrize("grain", [Grain(1, 1 << 20), Grain(16, 1 << 20), Grain(16, 300)], ids=str)
def test_kernel_equals_predicate(mask, kernel, grain):
    batch = with_order(batch_of(LENGTHS))
    plan = plan_attention(batch, mask, kernel=kernel, grain=grain)
    packed, dense = (qkv_for(batch).requires_grad_() for _ in range(2))
    left, right = attend(packed, plan, dropout=0.0), dense_attend(dense, batch, mask)
    assert_close(left, right)
    upstream = torch.randn(left.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (left * upstream).sum().backward()
    (right * upstream).sum().backward()
    assert_close(packed.grad, dense.grad)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
def test_everyone_sees_someone(mask):
    batch = with_order(batch_of(LENGTHS))
    assert dense_attend(qkv_for(batch), batch, mask).isfinite().all()


def test_rounding_is_counted():
    batch = batch_of((3, 5, 5, 20))
    assert plan_attention(batch, Bidirectional(), kernel="fused", grain=Grain(1, 10**6)).padded_tokens == 0
    assert plan_attention(batch, Bidirectional(), kernel="fused", grain=Grain(16, 10**6)).padded_tokens == 2


def test_buckets_stay_within_their_area():
    batch = batch_of((3, 4, 4, 4, 9))
    plan = plan_attention(batch, Causal(), kernel="explicit", grain=Grain(16, 32))
    assert [(bucket.sequences, bucket.longest) for bucket in plan.buckets] == [(2, 4), (2, 4), (1, 9)]


def test_unsorted_batches_are_refused():
    with pytest.raises(ValueError, match="ascending order"):
        plan_attention(batch_of((3, 2)), Causal(), kernel="fused", grain=Grain(1, 100))


def test_permutation_needs_an_order():
    with pytest.raises(ValueError, match=r"PackedBatch\.order"):
        plan_attention(batch_of((2, 3)), Permutation(), kernel="fused", grain=Grain(1, 100))


def visible(mask, batch):
    """For one sequence: which keys (columns) each query (row) reads, found by marking values."""
    plan = plan_attention(batch, mask, kernel="explicit", grain=Grain(16, 10**6))
    qkv = torch.zeros(batch.num_tokens, 3, 1, batch.num_tokens)
    qkv[:, 2, 0] = torch.eye(batch.num_tokens)
    return (attend(qkv, plan, dropout=0.0)[:, 0] > 0).int().tolist()


def test_masks_by_hand():
    batch = replace(batch_of((4,)), segment_ids=torch.tensor([0, 0, 1, 1]), order=torch.tensor([-1, 3, 1, 0]))
    assert visible(Bidirectional(), batch) == [[1, 1, 1, 1]] * 4
    assert visible(Causal(), batch) == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert visible(RightToLeft(), batch) == [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    assert visible(PrefixLM(), batch) == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert visible(Permutation(), batch) == [[1, 0, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1]]


@pytest.mark.parametrize("kernel", ["explicit", "fused"])
def test_dropout_has_the_right_mean_and_rate(kernel):
    """With values that mark their key, the output shows which probabilities were dropped."""
    batch = batch_of((16,) * 40)
    qkv = torch.zeros(batch.num_tokens, 3, 2, 16)
    qkv[:, 2] = torch.eye(16).repeat(40, 1)[:, None]
    plan = plan_attention(batch, Bidirectional(), kernel=kernel, grain=Grain(16, 1 << 14))
    torch.manual_seed(0)
    weights = attend(qkv, plan, dropout=0.3) * 16
    dropped = (weights == 0).float()
    deviation = (0.3 * 0.7 / weights.numel()) ** 0.5
    assert abs(dropped.mean() - 0.3) < 4 * deviation
    assert_close(weights[weights > 0], torch.full_like(weights[weights > 0], 1 / 0.7), rtol=1e-4, atol=0.0)
    assert dropped.std(dim=0).min() > 0


def test_dropout_is_the_same_for_the_same_seed_and_in_both_passes():
    batch = batch_of(LENGTHS)
    plan = plan_attention(batch, Bidirectional(), kernel="explicit", grain=Grain(16, 300))

    def run(qkv):
        torch.manual_seed(4)
        return attend(qkv, plan, dropout=0.4)

    qkv = qkv_for(batch)
    assert torch.equal(run(qkv), run(qkv))
    assert torch.autograd.gradcheck(run, qkv.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind)
def test_lengths_rounded_up_change_nothing(mask):
    batch = with_order(batch_of((3, 8, 8)))
    plans = [plan_attention(batch, mask, kernel="explicit", grain=Grain(8, 1 << 20, step)) for step in (1, 8)]
    assert [bucket.longest for bucket in plans[1].buckets] == [8]
    assert_close(*(attend(qkv_for(batch), plan, dropout=0.0) for plan in plans))
    lone = plan_attention(batch_of((3,)), Bidirectional(), kernel="explicit", grain=Grain(8, 1 << 20, 8))
    assert (lone.buckets[0].longest, lone.padded_tokens) == (8, 5)


def test_probabilities_too_many_to_keep_are_computed_again(monkeypatch):
    batch = batch_of(LENGTHS)
    plan = plan_attention(batch, Bidirectional(), kernel="explicit", grain=Grain(16, 300))
    gradients = []
    for limit in (0, 1 << 26):
        monkeypatch.setattr(attention, "_KEPT_BYTES", limit)
        torch.manual_seed(4)
        qkv = qkv_for(batch).requires_grad_()
        attend(qkv, plan, dropout=0.4).square().sum().backward()
        gradients.append(qkv.grad)
    assert torch.equal(*gradients)
