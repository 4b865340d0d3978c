"""Windows over long texts: every token answered once, by the window that sees most around it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.finetuning import Windows
from bertsmith.finetuning.windows import owners, read_windows, window_starts
from bertsmith.text import train_vocabulary
from bertsmith.text.units import align, find_units

TOKENIZER = train_vocabulary(["彭小军认为国内银行 unbelievable words"] * 5, size=120)


@given(st.integers(0, 200), st.integers(1, 40), st.integers(0, 50))
def test_every_token_lies_in_its_window_farthest_from_an_edge(tokens, room, overlap):
    starts = window_starts(tokens, room, overlap)
    places = np.arange(tokens)
    owner = owners(places, starts, room)
    inside = (places[:, None] >= starts) & (places[:, None] < starts + room)
    assert inside[places, owner].all()
    ends = np.minimum(starts + room, tokens)
    left = np.where(starts == 0, tokens, places[:, None] - starts)
    right = np.where(ends == tokens, tokens, ends - 1 - places[:, None])
    margin = np.where(inside, np.minimum(left, right), -1)
    assert (margin[places, owner] >= margin.max(1, initial=0) - 1).all()
    assert (np.diff(owner) >= 0).all()
    if len(starts) > 1:
        assert starts[-1] + room == tokens
        assert (np.diff(starts) > 0).all()
        assert (starts[:-1] + room - starts[1:] >= min(overlap, room // 2)).all()


@given(st.lists(st.sampled_from(["彭", "小", "unbelievable", " ", "\u0301", "银"]), max_size=40), st.integers(6, 30))
def test_units_find_their_own_token_in_the_windows(pieces, max_length):
    text = "".join(pieces)
    units = find_units(text, "words")
    aligned = align([text], [units], TOKENIZER)
    prepared = read_windows(aligned, TOKENIZER, Windows(overlap=3), max_length=max_length)
    (reading,) = prepared.readings
    assert reading.items == len(units)
    assert all(len(sequence) <= max_length for sequence in reading.sequences)
    found = [
        sequence.token_ids[place]
        for sequence, places in zip(reading.sequences, reading.places, strict=True)
        for place in places
    ]
    known = aligned[0].firsts >= 0
    assert np.array(found, dtype=np.int64)[known].tolist() == aligned[0].token_ids[aligned[0].firsts[known]].tolist()
    assert prepared.truncated.tokens == 0


def test_no_room_is_refused():
    with pytest.raises(UserError, match="leaves no room"):
        read_windows([], TOKENIZER, Windows(), max_length=2)
