"""How far two scorings are apart, for every criterion that can tell: what R-Drop and a teacher build on."""

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence
from torch.testing import assert_close

from bertsmith.losses import (
    AbsoluteError,
    Binary,
    Comparable,
    Crf,
    CrossEntropy,
    Focal,
    Huber,
    LabelFacts,
    SquaredError,
)

LABELS, NUMBERS = 3, 1
CONFIGS = [
    (CrossEntropy(), LABELS),
    (CrossEntropy(class_weights="balanced", label_smoothing=0.1), LABELS),
    (Focal(), LABELS),
    (Binary(), LABELS),
    (Binary(focus=2.0, positive_weights="balanced"), LABELS),
    (SquaredError(), NUMBERS),
    (AbsoluteError(), NUMBERS),
    (Huber(), NUMBERS),
]


def scores(seed: int, outputs: int, items: int = 7) -> torch.Tensor:
    return 3 * torch.randn(items, outputs, generator=torch.Generator().manual_seed(seed))


def built(config, outputs):
    return config.build(LabelFacts.of([str(number) for number in range(outputs)]))


@pytest.mark.parametrize(("config", "outputs"), CONFIGS, ids=str)
def test_the_same_scores_are_not_apart(config, outputs):
    criterion, one = built(config, outputs), scores(0, outputs)
    assert isinstance(criterion, Comparable)
    assert not criterion.divergence(one, one).any()
    assert_close(criterion.distance(one, criterion.probabilities(one), 3.0), torch.zeros(7), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("config", "outputs"), CONFIGS, ids=str)
def test_others_are_and_neither_comes_first(config, outputs):
    criterion, one, other = built(config, outputs), scores(0, outputs), scores(1, outputs)
    found = criterion.divergence(one, other)
    assert found.shape == (7,)
    assert (found > 0).all()
    assert_close(found, criterion.divergence(other, one))
    assert (criterion.distance(one, criterion.probabilities(other), 2.0) > 0).all()
    assert criterion.divergence(one.bfloat16(), other.bfloat16()).dtype == torch.float32


def test_sets_of_labels_are_compared_label_by_label():
    criterion, one, other = built(Binary(), LABELS), scores(0, LABELS), scores(1, LABELS)
    forth, back = (kl_divergence(Bernoulli(logits=a), Bernoulli(logits=b)) for a, b in ((one, other), (other, one)))
    assert_close(criterion.divergence(one, other), ((forth + back) / 2).mean(1), atol=1e-5, rtol=1e-4)
    softened = kl_divergence(Bernoulli(logits=other / 2), Bernoulli(logits=one / 2)).mean(1) * 4
    assert_close(criterion.distance(one, other.sigmoid(), 2.0), softened, atol=1e-4, rtol=1e-3)


def test_numbers_are_compared_by_the_square():
    criterion = built(SquaredError(), NUMBERS)
    one, other = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.5], [5.0]])
    assert_close(criterion.divergence(one, other), torch.tensor([0.25, 4.0]))
    assert_close(criterion.distance(one, other, 5.0), torch.tensor([0.25, 4.0]))


def test_a_crf_cannot_compare():
    assert not isinstance(Crf().build(LabelFacts.of(["O", "B-A", "I-A"])), Comparable)
