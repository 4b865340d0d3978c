import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bertsmith.errors import UserError
from bertsmith.metrics import correlation_intervals, correlation_metrics, pearson, spearman


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=2, max_size=30))
def test_the_numbers_are_those_of_scipy(rows):
    first, second = np.array(rows, dtype=np.float64).T
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second)[0])
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second)[0])


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_has_no_correlation(correlation):
    assert np.isnan(correlation(np.full(3, 0.1), np.array([1.0, 2.0, 3.0])))


def test_a_model_that_always_answers_the_same_scores_nothing():
    truth = np.array([0.0, 2.5, 5.0])
    assert correlation_metrics(truth, np.full(3, 0.1)) == {"spearman": 0.0, "pearson": 0.0}
    assert correlation_intervals(truth, np.full(3, 0.1)) == {"spearman": (0.0, 0.0), "pearson": (0.0, 0.0)}


@pytest.mark.parametrize(
    ("truth", "fact"),
    [([4.5, 4.5], "all 2 true scores are 4.5"), ([4.5], "there are 1 rows"), ([], "there are 0 rows")],
)
def test_constant_truth_is_refused_with_a_reason(truth, fact):
    scores = np.array(truth, dtype=np.float64)
    with pytest.raises(UserError, match=fact) as caught:
        correlation_metrics(scores, scores)
    assert caught.value.code == "constant_scores"


def test_intervals_are_those_of_redrawn_rows():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 6, size=120).astype(np.float64)
    answers = (truth + rng.normal(0, 2, size=120)).round(0)
    draws = [rng.integers(120, size=120) for _ in range(600)]
    intervals = correlation_intervals(truth, answers)
    for name, theirs in (("spearman", stats.spearmanr), ("pearson", stats.pearsonr)):
        values = [theirs(truth[draw], answers[draw])[0] for draw in draws]
        assert intervals[name] == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.03)


def test_samples_of_one_distinct_row_do_not_vote():
    truth, answers = np.array([0.1, 0.3]), np.array([0.3, 0.7])
    assert correlation_intervals(truth, answers)["pearson"] == pytest.approx((1, 1))
