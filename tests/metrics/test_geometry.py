"""Alignment and uniformity: by hand, and as the authors' few lines of torch have it."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bertsmith.metrics import alignment, normed, uniformity

RANDOM = np.random.default_rng(0)


def test_by_hand():
    first, second = np.array([[2.0, 0], [0, 3]]), np.array([[1.0, 0], [1, 0]])
    assert alignment(first, second) == pytest.approx((0 + 2) / 2)
    assert uniformity(first) == pytest.approx(-4)
    assert uniformity(np.ones((3, 2))) == pytest.approx(0)


@pytest.mark.parametrize("rows", [2, 50, 1500])
def test_as_the_authors_write_it(rows):
    first, second = (RANDOM.normal(size=(rows, 8)) for _ in range(2))
    one, two = (F.normalize(torch.from_numpy(side), dim=1) for side in (first, second))
    assert alignment(first, second) == pytest.approx((one - two).norm(p=2, dim=1).pow(2).mean().item())
    theirs = torch.pdist(one, p=2).pow(2).mul(-2).exp().mean().log().item()
    assert uniformity(first) == pytest.approx(theirs, rel=1e-9)


def test_nothing_to_measure():
    assert np.isnan(alignment(np.zeros((0, 3)), np.zeros((0, 3))))
    assert np.isnan(uniformity(np.ones((1, 3))))
    assert np.array_equal(normed(np.zeros((1, 2))), np.zeros((1, 2)))
