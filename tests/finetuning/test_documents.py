"""Which tokens reach the encoder: never too many, in their order, by the papers' proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.finetuning import Truncate, Truncated, length_limit, prepare, shorten, shorten_pair
from bertsmith.text import Tokenizer, train_vocabulary

KEEP = st.sampled_from(["head", "tail", "head_tail"])


def ids(number: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + number)


@given(length=st.integers(0, 90), limit=st.integers(1, 60), keep=KEEP)
def test_one_text(length, limit, keep):
    kept = shorten(ids(length), limit, keep)
    assert len(kept) == min(length, limit)
    assert (np.diff(kept) > 0).all()
    if length > limit:
        assert (kept[0] == 0) == (keep == "head" or (keep == "head_tail" and limit >= 2))
        assert (kept[-1] == length - 1) == (keep != "head")


def test_head_and_tail_are_128_and_382_of_510():
    kept = shorten(ids(2000), 510, "head_tail")
    assert kept.tolist() == [*range(128), *range(2000 - 382, 2000)]


@given(first=st.integers(1, 40), second=st.integers(1, 40), limit=st.integers(2, 50), keep=KEEP)
def test_a_pair_gives_way_longest_first(first, second, limit, keep):
    one, two = shorten_pair(ids(first), ids(second, 100), limit, keep)
    sizes = [first, second]
    while sum(sizes) > limit:
        sizes[0 if sizes[0] > sizes[1] else 1] -= 1
    assert [len(one), len(two)] == sizes
    assert set(one) <= set(range(first))
    assert set(two) <= set(range(100, 100 + second))
    assert (np.diff(one) > 0).all()
    assert (np.diff(two) > 0).all()


# Preparing texts.


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(["one two three four five six seven"] * 3, size=200)


def test_what_is_lost_is_counted(tokenizer):
    texts = ["one two three four five six", "one two", "one two three four"]
    made = prepare(texts, None, tokenizer, Truncate(keep="tail"), max_length=5)
    assert made.truncated == Truncated(texts=2, tokens=4)
    assert made.full_lengths.tolist() == [8, 4, 6]
    assert made.lengths.tolist() == [5, 4, 5]
    assert tokenizer.tokens(made.readings[0].sequences[0].token_ids) == ["[CLS]", "four", "five", "six", "[SEP]"]


def test_pairs_are_counted_together(tokenizer):
    firsts, seconds = ["one two three four five", "one"], ["six seven", "two"]
    made = prepare(firsts, seconds, tokenizer, Truncate(), max_length=7)
    assert made.truncated == Truncated(texts=1, tokens=3)
    assert made.full_lengths.tolist() == [10, 5]
    assert tokenizer.tokens(made.readings[0].sequences[0].token_ids) == [
        "[CLS]",
        "one",
        "two",
        "[SEP]",
        "six",
        "seven",
        "[SEP]",
    ]
    assert made.readings[0].sequences[0].segment_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5), limit=st.integers(5, 14)
)
def test_nothing_is_longer_than_the_limit_and_every_token_is_accounted_for(tokenizer, sizes, limit):
    firsts, seconds = ([" ".join(["two"] * pair[side]) for pair in sizes] for side in (0, 1))
    for pairs in (None, seconds):
        made = prepare(firsts, pairs, tokenizer, Truncate(keep="head_tail"), max_length=limit)
        assert made.lengths.max() <= limit
        assert made.full_lengths.sum() - made.lengths.sum() == made.truncated.tokens
        assert (made.full_lengths > limit).sum() == made.truncated.texts


def test_losses_add_up():
    assert Truncated(1, 5) + Truncated(2, 7) == Truncated(3, 12)


@pytest.mark.parametrize(
    ("asked", "positions", "limit"), [(None, 512, 512), (None, 64, 64), (None, 8192, 512), (700, 8192, 700), (9, 64, 9)]
)
def test_length_limit(asked, positions, limit):
    assert length_limit(Truncate(max_length=asked), positions) == limit


def test_more_than_the_encoder_has_is_refused():
    with pytest.raises(UserError, match="encoder has 64 positions; set it to 64 or less"):
        length_limit(Truncate(max_length=65), 64)


@pytest.mark.parametrize(("pairs", "max_length"), [(None, 2), (["two"], 4)])
def test_no_room_for_text_is_refused(tokenizer, pairs, max_length):
    with pytest.raises(UserError, match="leaves no room for text"):
        prepare(["one"], pairs, tokenizer, Truncate(), max_length=max_length)
