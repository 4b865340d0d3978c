"""Yes or no for every label: torch's own loss, weights, focus."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.errors import UserError
from bertsmith.losses import Binary, LabelFacts
from bertsmith.losses.sigmoid import MOST_WEIGHT

FACTS = LabelFacts(("a", "b", "c"), (4, 1, 0), 8)
SCORES = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)) * 3
TARGETS = (torch.rand(8, 3, generator=torch.Generator().manual_seed(1)) < 0.4).float()


@pytest.mark.parametrize("weights", ["none", (0.5, 2.0, 7.0)])
def test_mean_is_torchs_mean(weights):
    criterion = Binary(positive_weights=weights).build(FACTS)
    expected = F.binary_cross_entropy_with_logits(SCORES, TARGETS, pos_weight=criterion.positive_weights)
    assert_close(criterion.loss(SCORES, TARGETS).mean, expected)
    assert criterion.weight(TARGETS) == 24


def test_balanced_weights_are_noes_over_yeses_and_bounded():
    assert Binary(positive_weights="balanced").build(FACTS).positive_weights.tolist() == [1.0, 7.0, 8.0]
    rare = LabelFacts(("a",), (1,), 10**6)
    assert Binary(positive_weights="balanced").build(rare).positive_weights.tolist() == [MOST_WEIGHT]


def test_focus_by_hand():
    score = torch.tensor([[math.log(3.0)]])  # a probability of 3/4
    for truth, chance in ((1.0, 0.75), (0.0, 0.25)):
        total = Binary(focus=2.0).build(LabelFacts.of("a")).loss(score, torch.tensor([[truth]]))
        assert total.sum.item() == pytest.approx(-((1 - chance) ** 2) * math.log(chance), rel=1e-6)


def test_smoothing_moves_targets_to_one_half():
    plain = Binary().build(FACTS).loss(SCORES, 0.1 + 0.8 * TARGETS)
    assert_close(Binary(label_smoothing=0.2).build(FACTS).loss(SCORES, TARGETS), plain)


def test_totals_add_up_and_are_wide():
    criterion = Binary(positive_weights="balanced", focus=1.0).build(FACTS)
    whole = criterion.loss(SCORES, TARGETS)
    parts = [criterion.loss(SCORES[rows], TARGETS[rows]) for rows in (slice(0, 3), slice(3, 8))]
    assert_close(parts[0].sum + parts[1].sum, whole.sum)
    assert parts[0].weight + parts[1].weight == whole.weight
    assert criterion.loss(SCORES.bfloat16(), TARGETS).sum.dtype == torch.float32


def test_decoding():
    criterion = Binary().build(FACTS)
    assert_close(criterion.probabilities(SCORES), SCORES.sigmoid())
    assert_close(criterion.answer(SCORES), (SCORES.sigmoid() > 0.5).float())


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="2 positive_weights for 3 labels"):
        Binary(positive_weights=(1.0, 2.0)).build(FACTS)
