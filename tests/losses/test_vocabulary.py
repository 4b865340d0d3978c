"""Cross entropy over a vocabulary in chunks: torch's value and gradients, bounded memory, fair draws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.losses import binary_loss, vocabulary, vocabulary_loss


def inputs(rows=23, vocab=31, width=7, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    parts = [
        torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((rows, width), (vocab, width), (vocab,))
    ]
    return [part.requires_grad_() for part in parts], torch.randint(vocab, (rows,), generator=generator)


@given(at_once=st.integers(1, 31 * 23))
def test_value_and_gradients_are_torchs_however_the_rows_are_cut(at_once):
    factors, labels = inputs()
    found = vocabulary_loss(*factors, labels, scores_at_once=at_once)
    vectors, table, bias = factors
    scores = F.linear(vectors, table, bias)
    expected = F.cross_entropy(scores, labels, reduction="sum")
    assert_close(found.total.sum, expected)
    assert found.total.weight == 23
    assert found.hits == (scores.argmax(-1) == labels).sum()
    gradients = torch.autograd.grad(2.5 * found.total.sum, factors)
    assert_close(gradients, torch.autograd.grad(2.5 * expected, factors))


def test_gradient_agrees_with_finite_differences():
    factors, labels = inputs(rows=3, vocab=5, width=2)
    assert torch.autograd.gradcheck(lambda *values: vocabulary_loss(*values, labels).total.sum, factors)


def test_scores_of_a_chunk_are_all_there_ever_are(monkeypatch):
    factors, labels = inputs(dtype=torch.float32)
    shapes = []
    product = vocabulary._product
    monkeypatch.setattr(vocabulary, "_product", lambda *given: (shapes.append(len(given[0])), product(*given))[1])
    vocabulary_loss(*factors, labels, scores_at_once=31 * 5).total.sum.backward()
    assert shapes == [5, 5, 5, 5, 3]


def test_no_rows_are_no_loss_and_no_gradient():
    factors, labels = inputs()
    found = vocabulary_loss(factors[0][:0], *factors[1:], labels[:0], temperature=1.0)
    found.total.sum.backward()
    assert found.total.sum == 0
    assert found.total.weight == 0
    assert len(found.samples) == 0
    assert not factors[1].grad.any()


def test_nothing_is_made_for_gradients_that_nobody_wants(monkeypatch):
    factors, labels = inputs()
    monkeypatch.setattr(vocabulary, "_gather", lambda *given: pytest.fail("gradients were computed"))
    with torch.no_grad():
        assert vocabulary_loss(*factors, labels).total.sum > 0


def test_softmax_is_float32_under_autocast():
    factors, labels = inputs(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = vocabulary_loss(*factors, labels)
    assert found.total.sum.dtype == torch.float32
    exact = vocabulary_loss(*factors, labels).total
    assert_close(found.total.sum, exact.sum, rtol=0.01, atol=0.0)
    gradients = torch.autograd.grad(found.total.sum, factors)
    for rough, gradient in zip(gradients, torch.autograd.grad(exact.sum, factors), strict=True):
        assert_close(rough, gradient, rtol=0.05, atol=0.05)


def test_an_impossible_label_costs_much_but_not_infinitely():
    vectors, table = torch.tensor([[1.0]]), torch.tensor([[0.0], [1000.0]])
    assert_close(vocabulary_loss(vectors, table, torch.zeros(2), torch.tensor([0])).total.sum, torch.tensor(1000.0))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    chances = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05])
    scores = chances.log() * temperature
    torch.manual_seed(0)
    vectors, labels = torch.ones(20_000, 1), torch.zeros(20_000, dtype=torch.long)
    found = vocabulary_loss(vectors, torch.zeros(5, 1), scores, labels, temperature=temperature, scores_at_once=5_000)
    shares = torch.bincount(found.samples, minlength=5) / 20_000
    assert_close(shares, chances, atol=4 * math.sqrt(0.25 / 20_000), rtol=0.0)
    assert shares[1] == 0


def test_draws_follow_the_seed_and_carry_no_gradient():
    factors, labels = inputs()
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(vocabulary_loss(*factors, labels, temperature=1.0).samples)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not draws[0].requires_grad


def test_yes_or_no_by_hand():
    total = binary_loss(torch.tensor([0.0, math.log(3.0), -math.log(3.0)]), torch.tensor([True, True, True]))
    assert_close(total.sum.item(), math.log(2) + math.log(4 / 3) + math.log(4))
    assert total.weight == 3
