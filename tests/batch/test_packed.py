"""Packing, cutting back and reordering."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.batch import Example, cut, in_order, pack, per_sequence


def example(tokens: list[int]) -> Example:
    return Example(np.array(tokens, dtype=np.int64), np.arange(len(tokens)) % 2)


TEXTS = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=7), min_size=1, max_size=6)


@given(texts=TEXTS)
def test_packing_and_cutting_back(texts):
    batch = pack([example(text) for text in texts])
    assert [piece.tolist() for piece in per_sequence(batch.token_ids, batch)] == texts
    assert [piece.tolist() for piece in per_sequence(batch.position_ids, batch)] == [list(range(len(t))) for t in texts]
    assert batch.cu_seqlens.tolist() == [0, *np.cumsum([len(text) for text in texts])]
    assert (batch.num_tokens, batch.max_seqlen) == (sum(map(len, texts)), max(map(len, texts)))


@given(texts=TEXTS, data=st.data())
def test_another_order_and_back(texts, data):
    order = data.draw(st.permutations(range(len(texts))))
    batch = pack([example(text) for text in texts])
    batch = replace(batch, order=torch.arange(batch.num_tokens))
    moved, places = in_order(batch, order)
    direct = pack([example(texts[number]) for number in order])
    assert moved.lengths == direct.lengths
    for name in ("token_ids", "segment_ids", "position_ids", "cu_seqlens"):
        assert torch.equal(getattr(moved, name), getattr(direct, name))
    assert torch.equal(moved.order.index_select(0, places), batch.order)
    assert torch.equal(moved.token_ids.index_select(0, places), batch.token_ids)


def test_nothing_to_pack_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        pack([])
    with pytest.raises(ValueError, match="no empty ones"):
        pack([example([1]), example([])])


def test_moving_to_a_device_keeps_the_lengths_on_the_host():
    batch = replace(pack([example([1, 2])]), order=torch.tensor([0, 1]))
    moved = batch.to("meta")
    assert moved.token_ids.device.type == moved.order.device.type == "meta"
    assert moved.lengths == (2,)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 20))
def test_cut_parts_hold_every_sequence_once(lengths, max_tokens):
    whole = pack([Example(np.arange(n), np.zeros(n, dtype=np.int64)) for n in lengths])
    parts = list(cut(whole, max_tokens))
    assert [length for part in parts for length in part.lengths] == lengths
    assert torch.cat([part.token_ids for part in parts]).equal(whole.token_ids)
    for part in parts:
        assert part.num_tokens <= max_tokens or len(part.lengths) == 1
        assert part.cu_seqlens.tolist() == [0, *np.cumsum(part.lengths)]
