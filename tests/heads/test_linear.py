"""The linear head: its start, its dropout, its precision."""

import torch
from torch.testing import assert_close

from bertsmith.heads import Linear


def test_seed_decides_the_weights():
    one, two, other = (Linear().build(64, 7, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.linear.weight, two.linear.weight)
    assert not torch.equal(one.linear.weight, other.linear.weight)


def test_weights_start_small_and_bias_at_zero():
    head = Linear().build(768, 50, generator=torch.Generator().manual_seed(0))
    assert abs(head.linear.weight.std().item() - 0.02) < 0.001
    assert not head.linear.bias.any()


def test_dropout_only_while_training():
    head = Linear(dropout=0.5).build(32, 3, generator=torch.Generator().manual_seed(0))
    vectors = torch.ones(4, 32)
    assert not torch.equal(head(vectors), head(vectors))
    head.eval()
    assert_close(head(vectors), vectors @ head.linear.weight.T)


def test_scores_are_exact_under_autocast():
    head = Linear(dropout=0.0).build(32, 3, generator=torch.Generator().manual_seed(0))
    vectors = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        inside = head(vectors)
    assert torch.equal(inside, head(vectors))
