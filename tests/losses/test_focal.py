"""Focal loss and weights by the effective number, by hand and in their limits."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.losses import CrossEntropy, Focal, LabelFacts, Total, balanced_weights, effective_weights

SCORES = torch.randn(11, 3, generator=torch.Generator().manual_seed(0)) * 3
TARGETS = torch.tensor([0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0])
FACTS = LabelFacts.of("abc", (4, 4, 3))


def test_value_by_hand():
    criterion = Focal(gamma=2.0, class_weights=(1.0, 3.0)).build(LabelFacts.of("ab"))
    total = criterion.loss(torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0]]), torch.tensor([0, 1]))
    assert_close(total.sum.item(), -(0.25**2 * math.log(0.75) + 3 * 0.75**2 * math.log(0.25)))
    assert total.weight == 4


@pytest.mark.parametrize("weights", ["none", "balanced", "effective", (0.5, 2.0, 7.0)])
def test_without_focus_it_is_cross_entropy(weights):
    focal = Focal(gamma=0.0, class_weights=weights).build(FACTS)
    plain = CrossEntropy(class_weights=weights).build(FACTS)
    assert_close(focal.loss(SCORES, TARGETS), plain.loss(SCORES, TARGETS))
    assert_close(focal.probabilities(SCORES), plain.probabilities(SCORES))


@given(cut=st.integers(1, 10), gamma=st.floats(0.0, 5.0))
def test_parts_add_up_to_the_whole(cut, gamma):
    criterion = Focal(gamma=gamma, class_weights="balanced").build(FACTS)
    parts = [criterion.loss(SCORES[:cut], TARGETS[:cut]), criterion.loss(SCORES[cut:], TARGETS[cut:])]
    whole = criterion.loss(SCORES, TARGETS)
    assert_close(Total(parts[0].sum + parts[1].sum, parts[0].weight + parts[1].weight), whole)


@given(gamma=st.floats(0.0, 5.0))
def test_it_is_never_more_than_cross_entropy(gamma):
    focal, plain = (each.build(FACTS).loss(SCORES, TARGETS).sum for each in (Focal(gamma=gamma), CrossEntropy()))
    assert focal <= plain + 1e-5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_certain_items_have_a_gradient_that_is_a_number(gamma):
    scores = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    Focal(gamma=gamma).build(LabelFacts.of("ab")).loss(scores, torch.tensor([0, 0])).sum.backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_ignored_items_do_not_count():
    criterion = Focal(class_weights=(1.0, 2.0, 3.0)).build(FACTS)
    ignoring = torch.where(torch.arange(11) % 2 == 0, TARGETS, -100)
    assert_close(criterion.loss(SCORES, ignoring), criterion.loss(SCORES[::2], TARGETS[::2]))


def test_effective_numbers_by_hand():
    """β = 0.9: E(1) = 1, E(2) = 1.9, so the weights are as 1.9 to 1, their mean is one."""
    assert_close(effective_weights((1, 2), 0.9), (2 * 1.9 / 2.9, 2 * 1.0 / 2.9))


def test_effective_weights_lie_between_none_and_balanced():
    counts = (100, 10, 1)
    assert_close(effective_weights(counts, 0.0), (1.0, 1.0, 1.0))
    near, balanced = effective_weights(counts, 0.99999999), balanced_weights(counts)
    assert_close([one / near[0] for one in near], [one / balanced[0] for one in balanced], rtol=1e-4, atol=1e-4)


@given(counts=st.lists(st.integers(1, 10_000), min_size=2, max_size=9), beta=st.floats(0.0, 0.9999))
def test_rarer_labels_never_weigh_less_and_the_mean_is_one(counts, beta):
    weights = effective_weights(counts, beta)
    assert_close(sum(weights), float(len(counts)))
    pairs = sorted(zip(counts, weights, strict=True))
    assert all(left[1] >= right[1] - 1e-9 for left, right in pairwise(pairs))


def test_a_label_without_items_weighs_as_one_with_a_single_item():
    assert effective_weights((3, 0), 0.9) == effective_weights((3, 1), 0.9)
    assert balanced_weights((3, 0)) == balanced_weights((3, 1))
