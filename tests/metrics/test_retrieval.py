"""Ranks of the first right text, by hand."""

import numpy as np
import pytest

from bertsmith.metrics.retrieval import first_ranks, rank_intervals, rank_metrics

VECTORS = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]])


def same(owners):
    return lambda rows: owners[rows, None] == owners[None]


def test_ranks_of_groups():
    owners = np.array([0, 1, 0, 1])
    ranks = first_ranks(VECTORS, VECTORS, same(owners), own=np.arange(4))
    # nearest of 0: 1, 2, 3; of 1: 2, then 0 before 3; of 2: 1, 3, 0; of 3: 2, 1
    assert ranks.tolist() == [2, 3, 3, 2]
    found = rank_metrics(ranks)
    assert found["recall@1"] == 0
    assert found["recall@10"] == 1
    assert found["mrr"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)


def test_equal_scores_are_no_find_and_nothing_right_is_rank_zero():
    flat = np.ones((3, 1))
    owners = np.array([0, 0, 1])
    assert first_ranks(flat, flat, same(owners), own=np.arange(3)).tolist() == [2, 2, 0]
    assert rank_metrics(np.array([0, 1, 12])) == {
        "recall@1": pytest.approx(1 / 3),
        "recall@10": pytest.approx(1 / 3),
        "mrr": pytest.approx((1 + 1 / 12) / 3),
    }


def test_in_chunks_it_is_the_same(monkeypatch):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(50, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = random.integers(10, size=50)
    whole = first_ranks(vectors, vectors, same(owners), own=np.arange(50))
    monkeypatch.setattr("bertsmith.metrics.retrieval._SCORES_AT_ONCE", 7 * 50)
    assert (first_ranks(vectors, vectors, same(owners), own=np.arange(50)) == whole).all()


def test_intervals_hold_the_figures():
    ranks = np.random.default_rng(0).integers(0, 15, size=200)
    found, intervals = rank_metrics(ranks), rank_intervals(ranks)
    assert set(found) == set(intervals)
    for name, (low, high) in intervals.items():
        assert low < found[name] < high
