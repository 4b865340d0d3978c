"""Walking groups side by side: every row once, longest group first, and back again."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from bertsmith.batch import Layout, Steps

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_walk_is_the_order_of_a_packed_sequence(lengths):
    rows = torch.arange(sum(lengths))
    walk = Steps.of(Layout.of(lengths), CPU)
    longest_first = sorted(rows.split(lengths), key=len, reverse=True)
    theirs = pack_sequence(longest_first)
    assert walk.walked(rows).tolist() == theirs.data.tolist()
    assert list(walk.sizes) == theirs.batch_sizes.tolist()
    assert walk.back(walk.walked(rows)).tolist() == rows.tolist()


def test_empty_groups_take_no_part():
    walk = Steps.of(Layout.of([0, 2, 0, 1]), CPU)
    assert walk.sizes == (2, 1)
    assert walk.following == (1, 0)
    assert walk.order.tolist() == [0, 2, 1]
    assert [part.tolist() for part in walk.parts(walk.order)] == [[0, 2], [1]]
    assert Steps.of(Layout.of([]), CPU).sizes == ()
