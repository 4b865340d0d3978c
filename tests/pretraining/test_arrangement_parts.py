import gc
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data.shards import DOCUMENT, ENTITY, INSIDE, WORD, TokenRun
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement.cuts import CUT
from bertsmith.pretraining.arrangement.order import RowFile, Shuffle
from bertsmith.pretraining.arrangement.sentences import Sentences
from bertsmith.pretraining.arrangement.source import _shortened
from bertsmith.pretraining.arrangement.units import separated, units_of


@given(st.integers(1, 300), st.integers(0, 9), st.integers(0, 9))
def test_a_shuffle_is_a_permutation(size, seed, epoch):
    shuffle = Shuffle(size, seed, epoch)
    assert sorted(shuffle[row] for row in range(size)) == list(range(size))


def test_a_shuffle_leaves_nothing_of_the_order():
    size = 2000
    orders = np.array([[shuffle[row] for row in range(size)] for shuffle in (Shuffle(size, 1, e) for e in range(4))])
    chance = 4 / np.sqrt(size)
    assert np.abs(np.corrcoef(np.vstack([orders, np.arange(size)])) - np.eye(5)).max() < chance
    for order in orders:
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < chance
        assert (np.diff(order) == 1).sum() < 10


def test_a_shuffle_has_no_other_rows():
    assert len(Shuffle(7, 0)) == 7
    for row in (-1, 7):
        with pytest.raises(IndexError):
            Shuffle(7, 0)[row]


def test_rows_come_back_and_go_with_their_file():
    rows = np.zeros(5, dtype=CUT)
    rows["start"], rows["second"] = np.arange(5) << 40, -np.arange(5)
    file = RowFile(CUT)
    file.append(rows[:2])
    file.append(rows[2:])
    assert [file[row] for row in range(len(file))] == [(0, row << 40, 0, -row, 0) for row in range(5)]
    handle = file._file
    del file
    gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(handle)


def test_a_full_temporary_folder_is_said(monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    file = RowFile(CUT)
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(UserError, match="disk is full"):
        file.append(np.zeros(1, dtype=CUT))


@given(st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=5), min_size=1, max_size=5), st.integers(2, 30))
def test_long_sentences_are_cut_and_documents_kept(lengths, longest):
    flat = np.concatenate(lengths)
    starts = np.concatenate([[0], np.cumsum(flat)])
    pieces = np.cumsum([0, *map(len, lengths)])
    cut = Sentences(starts, pieces, 0).cut(longest)
    assert np.diff(cut.starts).max() <= longest
    assert set(starts.tolist()) <= set(cut.starts.tolist())
    assert len(cut.starts) - 1 == sum(-(-length // longest) for length in flat.tolist())
    np.testing.assert_array_equal(cut.starts[cut.pieces], starts[pieces])


def as_bert_does(first: int, second: int, room: int) -> tuple[int, int]:
    while first + second > room:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


def run_of(length: int) -> TokenRun:
    return TokenRun(np.arange(length, dtype=np.int32), np.zeros(length, dtype=np.uint8))


@given(st.integers(1, 80), st.integers(1, 80), st.integers(2, 60), st.integers(0, 99))
def test_pairs_are_shortened_as_bert_does_it(first, second, room, seed):
    short = _shortened(run_of(first), run_of(second), room, np.random.default_rng(seed))
    assert tuple(map(len, short)) == as_bert_does(first, second, room)
    assert all((np.diff(run.token_ids) == 1).all() for run in short)


def test_front_and_end_are_cut_alike():
    fronts = [
        _shortened(run_of(100), run_of(5), 55, np.random.default_rng(seed))[0].token_ids[0] for seed in range(200)
    ]
    assert 23.5 < np.mean(fronts) < 26.5


def flagged(*flags: int) -> TokenRun:
    return TokenRun(np.arange(len(flags), dtype=np.int32), np.array(flags, dtype=np.uint8))


def test_units_at_the_edges_are_what_is_left_of_them():
    units = units_of(flagged(INSIDE, WORD | INSIDE, WORD, WORD | ENTITY | INSIDE, INSIDE, WORD | ENTITY | INSIDE))
    assert units.words.tolist() == [[0, 1], [1, 2], [2, 3], [3, 5], [5, 6]]
    assert units.entities.tolist() == [[0, 2], [3, 5], [5, 6]]
    assert units_of(flagged()).words.tolist() == units_of(flagged(0)).entities.tolist() == []


def test_separators_move_what_follows():
    opens = WORD | DOCUMENT
    units = separated(flagged(opens, 0, opens, WORD | ENTITY | INSIDE, INSIDE, opens | ENTITY | INSIDE), separator=99)
    assert units.token_ids.tolist() == [0, 1, 99, 2, 3, 4, 99, 5]
    assert units.words.tolist() == [[0, 2], [3, 4], [4, 6], [7, 8]]
    assert units.entities.tolist() == [[4, 6], [7, 8]]
