"""Updates counted over the run, and their place in an epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bertsmith.training import Budget
from bertsmith.training.calendar import Calendar


class Sizes:
    def __init__(self, sizes):
        self.sizes = sizes

    def per_epoch(self, epoch):
        return self.sizes[epoch % len(self.sizes)]

    def update(self, epoch, index, *, at_least):
        raise NotImplementedError


@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5), epochs=st.integers(1, 9))
def test_every_update_has_one_place(sizes, epochs):
    updates = Sizes(sizes)
    calendar = Calendar(updates, Budget(epochs=epochs))
    expected = [(epoch, index) for epoch in range(epochs) for index in range(updates.per_epoch(epoch))]
    assert [calendar.place(update) for update in range(calendar.total)] == expected
    ends = [done for done in range(calendar.total + 1) if calendar.ends_epoch(done)]
    assert [calendar.epochs_done(done) for done in ends] == list(range(1, epochs + 1))


@pytest.mark.parametrize(("size", "epochs"), [(1, 400), (37, 11), (133, 4), (134, 3), (5000, 3)])
def test_few_texts_get_more_epochs_unless_told(size, epochs):
    assert Calendar(Sizes([size]), Budget()).total == epochs * size
    assert Calendar(Sizes([size]), Budget(epochs=2)).total == 2 * size
    assert Calendar(Sizes([size]), Budget(max_steps=9999)).total == 9999


def test_steps_and_epochs_whichever_ends_first():
    assert Calendar(Sizes([4]), Budget(epochs=3, max_steps=7)).total == 7
    assert Calendar(Sizes([4]), Budget(epochs=1, max_steps=7)).total == 4
    endless = Calendar(Sizes([4, 2]), Budget(epochs=None, max_steps=100))
    assert endless.total == 100
    assert endless.place(99) == (32, 3)


def test_epoch_fraction():
    calendar = Calendar(Sizes([4, 2]), Budget(epochs=2))
    assert [calendar.epochs_done(done) for done in range(7)] == [0, 0.25, 0.5, 0.75, 1, 1.5, 2]


def test_budget_needs_an_end():
    with pytest.raises(ValidationError, match="the run needs an end"):
        Budget(epochs=None)


def test_an_empty_epoch_is_our_mistake():
    with pytest.raises(ValueError, match="at least one"):
        Calendar(Sizes([0]), Budget(epochs=1))
