"""Quotas of mixtures and turns of stages."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bertsmith.pretraining.timetable import mixed, stage_at, texts_of_epoch, turns

SHARES = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5)
SIZES = st.lists(st.integers(1, 64), min_size=1, max_size=30)


@given(shares=SHARES, sizes=SIZES, seed=st.integers(0, 99))
def test_every_update_has_each_share_up_to_one_text(shares, sizes, seed):
    before = mixed(shares, np.array(sizes), seed=seed, epoch=0)
    counts = np.diff(before, axis=0)
    wanted = np.array(sizes)[:, None] * np.array(shares) / sum(shares)
    assert (counts >= 0).all()
    assert_array_equal(counts.sum(1), sizes)
    assert (abs(counts - wanted) < 1 + 1e-9).all()


def test_shares_of_unilm_hold_over_many_updates():
    shares = [1 / 3, 1 / 3, 1 / 6, 1 / 6]
    counts = np.diff(mixed(shares, np.full(3000, 32), seed=0, epoch=1), axis=0)
    assert set(np.unique(counts[:, 0])) == {10, 11}
    assert set(np.unique(counts[:, 2])) == {5, 6}
    assert_allclose(counts.sum(0) / counts.sum(), shares, atol=0.002)
    single = np.diff(mixed(shares, np.full(6000, 1), seed=0, epoch=0), axis=0)
    assert_allclose(single.mean(0), shares, atol=0.02)


def test_epochs_and_seeds_draw_anew_and_equal_ones_alike():
    one, two = (mixed([1.0, 2.0], np.full(50, 4), seed=3, epoch=1) for _ in range(2))
    assert_array_equal(one, two)
    assert not np.array_equal(one, mixed([1.0, 2.0], np.full(50, 4), seed=3, epoch=2))
    assert not np.array_equal(one, mixed([1.0, 2.0], np.full(50, 4), seed=4, epoch=1))


@given(shares=SHARES, sizes=SIZES, data=st.data())
def test_parts_of_a_group_share_its_texts_without_overlap(shares, sizes, data):
    groups = data.draw(st.lists(st.integers(0, 1), min_size=len(shares), max_size=len(shares)))
    before = mixed(shares, np.array(sizes), seed=0, epoch=0)
    met = {group: [] for group in groups}
    for update in range(len(sizes)):
        for turn in turns(before, update, groups):
            met[groups[turn.part]] += range(turn.first, turn.stop)
    for rows in met.values():
        assert sorted(rows) == list(range(len(rows)))
    assert sum(map(len, met.values())) == sum(sizes)


def test_stages_follow_one_another_by_share():
    stages = [stage_at([1.0, 2.0, 1.0], step, 8) for step in range(8)]
    assert stages == [0, 0, 1, 1, 1, 1, 2, 2]
    assert stage_at([1.0, 1.0], 11, 10) == 1
    assert [stage_at([1.0, 1.0, 1.0], step, 2) for step in range(2)] == [0, 2]


def test_an_epoch_reads_the_corpus_once():
    assert texts_of_epoch([1.0], [77]) == 77
    assert texts_of_epoch([1.0, 1.0], [100, 100]) == 100
    assert texts_of_epoch([0.5, 0.5], [100, 300]) == 150
