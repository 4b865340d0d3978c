"""Cheap dropout has the rate, the mean and the gradients of dropout."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.encoder.dropout import add_dropped, dropped, keep_mask, keep_scale


@pytest.mark.parametrize("dropout", [0.1, 0.3, 0.5, 0.9])
def test_rate_and_scale(dropout):
    torch.manual_seed(0)
    mask = keep_mask((1000, 999), dropout, torch.float32)
    deviation = (dropout * (1 - dropout) / mask.numel()) ** 0.5
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert abs(mask.mean() - (1 - dropout)) < 4 * deviation + 2**-17
    assert keep_scale(dropout) == pytest.approx(1 / (1 - dropout), rel=1e-4)


def test_elements_are_independent():
    """Neighbours share a random word, yet one says nothing about another: correlations are noise."""
    torch.manual_seed(1)
    mask = keep_mask((250_000, 4), 0.5, torch.float64)
    correlations = torch.corrcoef(mask.T) - torch.eye(4)
    assert correlations.abs().max() < 4 / 250_000**0.5


@pytest.mark.parametrize("numel", [1, 2, 3, 4, 5, 7])
def test_any_number_of_elements(numel):
    assert keep_mask((numel,), 0.5, torch.float32).shape == (numel,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_follow_what_was_kept(dtype):
    torch.manual_seed(2)
    residual = torch.randn(50, 3, requires_grad=True)
    values = torch.randn(50, 3, dtype=dtype).abs().add_(0.1).requires_grad_()
    result = add_dropped(residual, values, 0.4)
    result.sum().backward()
    kept = (result.detach() - residual.detach()).abs() > 1e-3
    assert_close(values.grad, torch.where(kept, keep_scale(0.4), 0.0).to(dtype))
    assert_close(residual.grad, torch.ones(50, 3))
    assert 0.4 < kept.float().mean() < 0.8


def test_the_same_seed_drops_the_same():
    values = torch.ones(40, 5)
    torch.manual_seed(3)
    once = dropped(values, 0.5)
    torch.manual_seed(3)
    assert torch.equal(once, dropped(values, 0.5))
    assert set(once.unique().tolist()) == {0.0, 2.0}


def test_without_dropout_nothing_is_drawn():
    state = torch.get_rng_state()
    values = torch.ones(3, 2)
    assert dropped(values, 0.0) is values
    assert torch.equal(add_dropped(values, values, 0.0), values + values)
    assert torch.equal(torch.get_rng_state(), state)
