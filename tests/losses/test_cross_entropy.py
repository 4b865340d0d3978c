"""Cross entropy as sums that add up to torch's mean."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.losses import CrossEntropy, LabelFacts, Total, balanced_weights

SCORES = torch.randn(11, 3, generator=torch.Generator().manual_seed(0)) * 3
TARGETS = torch.tensor([0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0])
CHOICES = [
    CrossEntropy(),
    CrossEntropy(class_weights="balanced"),
    CrossEntropy(class_weights=(0.5, 2.0, 7.0)),
    CrossEntropy(label_smoothing=0.1),
    CrossEntropy(class_weights=(0.5, 2.0, 7.0), label_smoothing=0.2),
    CrossEntropy(class_weights="effective", beta=0.9),
]


def facts(*counts: int) -> LabelFacts:
    return LabelFacts.of([str(number) for number in range(len(counts))], counts)


def test_value_by_hand():
    criterion = CrossEntropy().build(facts(1, 1))
    total = criterion.loss(torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    assert_close(total.sum.item(), math.log(4 / 3) + math.log(2))
    assert total.weight == 2


@pytest.mark.parametrize("config", CHOICES, ids=str)
def test_mean_is_torchs_mean(config):
    criterion = config.build(facts(4, 4, 3))
    expected = F.cross_entropy(
        SCORES, TARGETS, weight=criterion.class_weights, label_smoothing=criterion.label_smoothing
    )
    assert_close(criterion.loss(SCORES, TARGETS).mean, expected)


@pytest.mark.parametrize("config", CHOICES, ids=str)
@given(cut=st.integers(1, 10))
def test_parts_add_up_to_the_whole(config, cut):
    criterion = config.build(facts(4, 4, 3))
    parts = [criterion.loss(SCORES[:cut], TARGETS[:cut]), criterion.loss(SCORES[cut:], TARGETS[cut:])]
    whole = criterion.loss(SCORES, TARGETS)
    assert_close(Total(parts[0].sum + parts[1].sum, parts[0].weight + parts[1].weight), whole)


@pytest.mark.parametrize("config", CHOICES, ids=str)
@given(order=st.permutations(range(11)))
def test_order_of_items_does_not_matter(config, order):
    criterion = config.build(facts(4, 4, 3))
    assert_close(criterion.loss(SCORES[list(order)], TARGETS[list(order)]), criterion.loss(SCORES, TARGETS))


def test_low_precision_scores_are_summed_in_float32():
    assert CrossEntropy().build(facts(1, 1, 1)).loss(SCORES.bfloat16(), TARGETS).sum.dtype == torch.float32


def test_answer_is_the_likeliest_label():
    criterion = CrossEntropy().build(facts(1, 1, 1))
    probabilities = criterion.probabilities(SCORES)
    assert_close(probabilities.sum(-1), torch.ones(11))
    assert torch.equal(criterion.answer(SCORES), probabilities.argmax(-1))


def test_balanced_weights_give_every_label_the_same_say():
    counts = (10, 5, 1)
    weights = balanced_weights(counts)
    shares = [weight * count for weight, count in zip(weights, counts, strict=True)]
    assert_close(shares, [sum(counts) / 3] * 3)


def test_weights_that_do_not_fit_the_labels_are_refused():
    with pytest.raises(ValueError, match="2 class_weights for 3 labels"):
        CrossEntropy(class_weights=(1.0, 2.0)).build(facts(1, 1, 1))


def test_two_scorings_by_hand():
    criterion = CrossEntropy().build(facts(1, 1))
    one, other = torch.tensor([[0.8, 0.2]]).log(), torch.tensor([[0.5, 0.5]]).log()
    forth, back = 0.8 * math.log(1.6) + 0.2 * math.log(0.4), 0.5 * math.log(0.625) + 0.5 * math.log(2.5)
    assert_close(criterion.divergence(one, other).item(), (forth + back) / 2)
    assert_close(criterion.divergence(one + 7, one), torch.zeros(1))
    assert_close(criterion.distance(other, one.softmax(-1), 1.0).item(), forth)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_distance_to_a_teacher_is_hintons(temperature):
    """T² times the cross entropy with soft targets, less their entropy, which no student can change."""
    criterion = CrossEntropy().build(facts(1, 1, 1))
    teacher, student = torch.randn(11, 3, generator=torch.Generator().manual_seed(1)), SCORES.clone().requires_grad_()
    soft = (teacher / temperature).softmax(-1)
    expected = temperature**2 * F.cross_entropy(student / temperature, soft, reduction="none")
    found = criterion.distance(student, teacher.softmax(-1), temperature)
    entropy = temperature**2 * -(soft * soft.log()).sum(-1)
    assert_close(found, expected - entropy, atol=1e-4, rtol=1e-4)
    assert_close(
        torch.autograd.grad(found.sum(), student)[0],
        temperature * ((student / temperature).softmax(-1) - soft),
        atol=1e-4,
        rtol=1e-4,
    )


def test_a_teacher_that_is_certain_gives_no_infinity():
    criterion = CrossEntropy().build(facts(1, 1, 1))
    assert criterion.distance(SCORES, torch.eye(3)[TARGETS], 2.0).isfinite().all()
