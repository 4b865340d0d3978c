"""Losses of numbers are torch's own, as sums that add up."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.losses import AbsoluteError, Huber, LabelFacts, SquaredError

SCORES = torch.randn(9, 1, generator=torch.Generator().manual_seed(0)) * 2
TARGETS = torch.randn(9, 1, generator=torch.Generator().manual_seed(1))
FACTS = LabelFacts.of(("score",))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SquaredError(), F.mse_loss(SCORES, TARGETS)),
        (AbsoluteError(), F.l1_loss(SCORES, TARGETS)),
        (Huber(delta=0.5), F.huber_loss(SCORES, TARGETS, delta=0.5)),
    ],
)
def test_mean_is_torchs_mean(config, expected):
    criterion = config.build(FACTS)
    total = criterion.loss(SCORES, TARGETS)
    assert_close(total.mean, expected)
    assert total.weight == criterion.weight(TARGETS) == 9
    parts = [criterion.loss(SCORES[rows], TARGETS[rows]).sum for rows in (slice(0, 4), slice(4, 9))]
    assert_close(parts[0] + parts[1], total.sum)


def test_the_score_is_the_answer_and_wide():
    criterion = SquaredError().build(FACTS)
    assert_close(criterion.probabilities(SCORES), SCORES)
    assert_close(criterion.answer(SCORES), SCORES)
    assert criterion.loss(SCORES.bfloat16(), TARGETS).sum.dtype == torch.float32
