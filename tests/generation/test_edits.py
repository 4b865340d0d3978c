"""One edit of one character, no more and no less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.generation import one_edit


def test_every_edit_by_hand():
    assert set(one_edit("ab", 9, seed=0)) == {"b", "a", "aab", "abb", "ba"}
    assert one_edit("", 5, seed=0) == []
    assert one_edit("a", 5, seed=0) == ["aa"]


@given(st.text(min_size=1, max_size=12), st.integers(0, 30), st.integers(0, 3))
def test_different_from_the_text_and_from_each_other(text, number, seed):
    edits = one_edit(text, number, seed=seed)
    assert len(edits) == len(set(edits)) <= number
    assert text not in edits
    assert all(abs(len(edited) - len(text)) <= 1 for edited in edits)
    assert edits == one_edit(text, number, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_seed_chooses(seed):
    text = "怎么申请退款退货"
    assert one_edit(text, 4, seed=seed) != one_edit(text, 4, seed=seed + 10)
