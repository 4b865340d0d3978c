"""Shares counted on the way add up over micro-batches and processes."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.pretraining.counts import Counts


def test_shares_add_up_and_begin_anew():
    counts = Counts(["right", "found", "never"])
    counts.add("right", torch.tensor(1), 4)
    counts.add("right", torch.tensor(3), torch.tensor(4))
    counts.add("found", 1, 2)
    assert counts.take() == {"right": 0.5, "found": 0.5}
    assert counts.take() == {}


def test_nothing_of_nothing_is_left_out():
    counts = Counts(["precision"])
    counts.add("precision", torch.tensor(0), torch.tensor(0))
    assert counts.take() == {}


def test_processes_are_added_before_dividing():
    counts = Counts(["one", "two"])
    counts.add("one", 1, 4)
    counts.add("two", 1, 1)

    def with_another(sums):
        assert sums.shape == (2, 2)
        return sums.add_(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))

    assert counts.take(with_another) == {"one": 0.5, "two": 0.5}


def test_no_gradient_is_kept():
    counts, value = Counts(["one"]), torch.ones(1, requires_grad=True).sum()
    counts.add("one", value, 2)
    assert_close(counts.take()["one"], 0.5)


def test_names_are_known_from_the_start():
    with pytest.raises(ValueError, match="'thre' is not counted here: one, two"):
        Counts(["one", "two"]).add("thre", 1, 1)
