import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from bertsmith.metrics import (
    accuracy,
    classification_intervals,
    classification_metrics,
    confusion,
    macro_f1,
    paired_difference,
    per_class,
    tally,
)

LABELS = ("体育", "财经", "科技", "never")


def rows_of(number, *, seed, labels=3, skill=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=number)
    answers = np.where(rng.random(number) < skill, truth, rng.integers(labels, size=number))
    return truth, answers


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
)
def test_the_numbers_are_those_of_scikit_learn(rows):
    truth, answers = np.array(rows).T
    ours = classification_metrics(truth, answers, labels=LABELS)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(truth, answers))
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(truth, answers, average="macro", zero_division=0))
    assert (confusion(truth, answers, labels=LABELS) == sk.confusion_matrix(truth, answers, labels=range(4))).all()
    theirs = sk.precision_recall_fscore_support(truth, answers, labels=range(4), zero_division=0)
    for place, row in enumerate(per_class(truth, answers, labels=LABELS)):
        assert (row.precision, row.recall, row.f1) == pytest.approx([column[place] for column in theirs[:3]])
        assert (row.label, row.support) == (LABELS[place], theirs[3][place])


def test_two_labels_with_probabilities_have_an_auc():
    truth, answers = rows_of(200, seed=5, labels=2)
    positive = np.clip(0.3 * truth + np.random.default_rng(7).random(200), 0, 1).round(1)
    probabilities = np.stack([1 - positive, positive], axis=1)
    metrics = classification_metrics(truth, answers, labels=("no", "yes"), probabilities=probabilities)
    assert metrics["auc"] == pytest.approx(sk.roc_auc_score(truth, positive))
    intervals = classification_intervals(truth, answers, labels=("no", "yes"), probabilities=probabilities)
    assert intervals.keys() == metrics.keys()
    assert all(low < metrics[name] < high for name, (low, high) in intervals.items())


def test_auc_is_left_out_when_one_label_is_absent():
    truth, probabilities = np.array([1, 1]), np.array([[0.5, 0.5], [0.2, 0.8]])
    metrics = classification_metrics(truth, truth, labels=("no", "yes"), probabilities=probabilities)
    assert metrics == {"accuracy": 1.0, "macro_f1": 1.0}


def test_the_interval_of_accuracy_is_the_binomial_one():
    truth, answers = rows_of(1000, seed=2)
    metrics = classification_metrics(truth, answers, labels=LABELS)
    low, high = classification_intervals(truth, answers, labels=LABELS)["accuracy"]
    half = 1.96 * np.sqrt(metrics["accuracy"] * (1 - metrics["accuracy"]) / 1000)
    assert low == pytest.approx(metrics["accuracy"] - half, abs=0.006)
    assert high == pytest.approx(metrics["accuracy"] + half, abs=0.006)


def test_redrawing_rows_and_redrawing_counts_agree():
    truth, answers = rows_of(300, seed=3)
    by_counts = classification_intervals(truth, answers, labels=LABELS)["macro_f1"]
    rng = np.random.default_rng(11)
    draws = (rng.integers(300, size=300) for _ in range(1000))
    by_rows = [macro_f1(tally(truth[draw], answers[draw], labels=4))[0] for draw in draws]
    assert by_counts == pytest.approx(np.percentile(by_rows, [2.5, 97.5]), abs=0.012)


def test_intervals_come_from_the_seed_and_narrow_with_rows():
    sizes = (50, 500, 5000)
    intervals = [classification_intervals(*rows_of(n, seed=1), labels=LABELS) for n in sizes]
    widths = [each["macro_f1"][1] - each["macro_f1"][0] for each in intervals]
    assert all(wide > 2 * narrow for wide, narrow in pairwise(widths))
    again = classification_intervals(*rows_of(50, seed=1), labels=LABELS)
    assert again == intervals[0]
    assert classification_intervals(*rows_of(50, seed=1), labels=LABELS, seed=1) != again


def test_many_rows_of_many_labels_are_quick():
    truth, answers = rows_of(100_000, seed=4, labels=60)
    start = time.perf_counter()
    intervals = classification_intervals(truth, answers, labels=[str(i) for i in range(60)])
    assert time.perf_counter() - start < 10
    assert intervals["macro_f1"][1] - intervals["macro_f1"][0] < 0.02


def test_a_difference_is_measured_in_pairs():
    truth, first = rows_of(2000, seed=8)
    second = np.where(np.arange(2000) % 40 == 0, truth, first)
    gain = paired_difference(truth, first, second, labels=LABELS)
    expected = (second == truth).mean() - (first == truth).mean()
    assert gain.value == pytest.approx(expected)
    assert 0 < gain.low < gain.value < gain.high
    alone = classification_intervals(truth, first, labels=LABELS)["accuracy"]
    assert gain.high - gain.low < (alone[1] - alone[0]) / 2


@pytest.mark.parametrize("metric", [accuracy, macro_f1])
def test_a_system_does_not_differ_from_itself(metric):
    truth, answers = rows_of(100, seed=9)
    gain = paired_difference(truth, answers, answers, labels=LABELS, metric=metric)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_no_rows_are_refused():
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one row"):
        classification_metrics(nothing, nothing, labels=LABELS)
    with pytest.raises(ValueError, match="at least one row"):
        classification_intervals(nothing, nothing, labels=LABELS)
