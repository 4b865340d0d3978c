import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from bertsmith.metrics import auc, auc_interval, ranks

TIED = st.integers(0, 5).map(float)


@given(st.lists(TIED | st.floats(-3, 3), min_size=1, max_size=30))
def test_ties_share_the_middle_rank(values):
    assert ranks(np.array(values)) == pytest.approx(stats.rankdata(values))


@given(st.lists(st.tuples(st.booleans(), TIED), min_size=2, max_size=30))
def test_auc_is_that_of_scikit_learn(rows):
    positive, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assume(0 < positive.sum() < len(positive))
    assert auc(positive, scores) == pytest.approx(roc_auc_score(positive, scores))


def test_auc_needs_both_classes():
    positive = np.array([True, True])
    assert np.isnan(auc(positive, np.array([0.1, 0.2])))
    assert auc_interval(positive, np.array([0.1, 0.2])) is None


def test_the_interval_is_that_of_redrawn_rows():
    rng = np.random.default_rng(3)
    positive = rng.random(150) < 0.4
    scores = (rng.random(150) + 0.4 * positive).round(1)
    values = []
    for _ in range(600):
        draw = rng.integers(150, size=150)
        values.append(roc_auc_score(positive[draw], scores[draw]))
    assert auc_interval(positive, scores) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)


def test_many_distinct_scores_are_quick():
    rng = np.random.default_rng(5)
    positive = rng.random(100_000) < 0.5
    scores = rng.random(100_000) + positive * 0.5
    start = time.perf_counter()
    low, high = auc_interval(positive, scores, resamples=200)
    assert time.perf_counter() - start < 10
    assert low < auc(positive, scores) < high < low + 0.01
