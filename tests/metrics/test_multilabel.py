"""Sets of labels: scikit-learn's F1, intervals that hold it, cuts that no other cut beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from bertsmith.metrics import SCORES, best_cut, best_cuts, multilabel_intervals, multilabel_metrics, per_label
from bertsmith.metrics.multilabel import tallies_at

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)


def sets(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(bool, shape)


def some(rows: int = 200, labels: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random((rows, labels)) < [0.5, 0.3, 0.1, 0.02][:labels]
    return truth, np.clip(0.25 * truth + random.random((rows, labels)) * 0.6, 0, 1)


def test_scores_are_scikit_learns():
    truth, chances = some()
    answers = chances > 0.4
    told = multilabel_metrics(truth, answers)
    assert told["micro_f1"] == pytest.approx(f1_score(truth, answers, average="micro"))
    assert told["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    for scores, column in zip(per_label(truth, answers, labels="abcd"), range(4), strict=True):
        assert scores.f1 == pytest.approx(f1_score(truth[:, column], answers[:, column]))
        assert scores.support == truth[:, column].sum()


def test_a_label_neither_true_nor_given_does_not_count():
    truth = np.array([[1, 0], [1, 0]], dtype=bool)
    assert multilabel_metrics(truth, truth) == {"micro_f1": 1.0, "macro_f1": 1.0}
    nothing = np.zeros((3, 2), dtype=bool)
    assert multilabel_metrics(nothing, nothing) == {"micro_f1": 0.0, "macro_f1": 0.0}


@given(st.data(), SHAPES)
def test_intervals_are_finite_and_hold_together(data, shape):
    truth, answers = data.draw(sets(shape)), data.draw(sets(shape))
    for low, high in multilabel_intervals(truth, answers, resamples=20).values():
        assert 0 <= low <= high <= 1


def test_intervals_lie_around_the_value_and_are_seeded():
    truth, chances = some()
    answers = chances > 0.4
    found = multilabel_intervals(truth, answers, seed=3)
    assert found == multilabel_intervals(truth, answers, seed=3)
    for name, value in multilabel_metrics(truth, answers).items():
        assert found[name][0] < value < found[name][1]


@given(st.data(), SHAPES)
def test_no_cut_is_better_than_the_best(data, shape):
    truth = data.draw(sets(shape))
    chances = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    for score in SCORES.values():
        cut = best_cut(truth, chances, score)
        others = np.append(np.linspace(0.01, 0.99, 99), chances.astype(np.float64).ravel())
        inside = others[(others > chances.min()) & (others <= chances.max())]
        assert (
            score(tallies_at(np.array([cut]), truth, chances))[0]
            >= score(tallies_at(np.append(inside, 0.5), truth, chances)).max() - 1e-12
        )


def test_tallies_at_a_cut_are_those_of_the_answers():
    truth, chances = some()
    counts = tallies_at(np.array([0.2, 0.4]), truth, chances)
    for row, cut in enumerate((0.2, 0.4)):
        answers = chances >= cut
        assert counts.hits[row].tolist() == (truth & answers).sum(0).tolist()
        assert counts.answers[row].tolist() == answers.sum(0).tolist()


def test_cuts_of_labels_are_their_own_and_a_label_without_positives_keeps_the_other():
    truth, chances = some()
    truth[:, 3] = False
    cuts = best_cuts(truth, chances, otherwise=0.77)
    assert cuts[3] == 0.77
    for label in range(3):
        best = best_cut(truth[:, [label]], chances[:, [label]], SCORES["micro_f1"])
        assert cuts[label] == best
    assert (
        multilabel_metrics(truth, chances >= cuts)["macro_f1"] > multilabel_metrics(truth, chances >= 0.9)["macro_f1"]
    )


def test_equal_cuts_stay_at_one_half():
    truth = np.array([[1], [0]], dtype=bool)
    assert best_cut(truth, np.array([[0.9], [0.1]]), SCORES["micro_f1"]) == 0.5
