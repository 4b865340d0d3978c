"""Metrics as functions of how often each row is in a sample: the same as of the rows written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bertsmith.metrics import (
    classification_metrics,
    correlation_metrics,
    entity_metrics,
    multilabel_metrics,
    weighted_classification,
    weighted_correlation,
    weighted_entities,
    weighted_multilabel,
)
from bertsmith.text.tags import Span

ROWS = 12
COUNTS = arrays(np.int64, (2, ROWS), elements=st.integers(0, 3)).filter(lambda counts: (counts.sum(1) > 0).all())
SEEDS = st.integers(0, 10_000)


def compare(figures, metrics, counts):
    """`metrics` are of the rows with these numbers."""
    found = {name: figure(counts) for name, figure in figures.items()}
    for place, row in enumerate(counts):
        for name, value in metrics(np.repeat(np.arange(ROWS), row)).items():
            assert found[name][place] == pytest.approx(value, abs=1e-9)


@given(COUNTS, SEEDS)
def test_labels(counts, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=ROWS)
    chances = rng.dirichlet([1, 1], size=ROWS).round(1)
    answers = chances.argmax(1)
    compare(
        weighted_classification(truth, answers, labels=("a", "b"), probabilities=chances),
        lambda rows: (
            classification_metrics(truth[rows], answers[rows], labels=("a", "b"), probabilities=chances[rows])
            if truth.min() < truth.max()
            else {}
        ),
        counts,
    )


@given(COUNTS, SEEDS)
def test_sets_of_labels(counts, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.random((2, ROWS, 3)) < 0.4
    compare(weighted_multilabel(truth, answers), lambda rows: multilabel_metrics(truth[rows], answers[rows]), counts)


@given(COUNTS, SEEDS)
def test_numbers(counts, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(4, size=(2, ROWS)).astype(float)
    truth[:2] = 0, 1

    def metrics(rows):
        varies = all(len(set(side[rows])) > 1 for side in (truth, answers))
        return correlation_metrics(truth[rows], answers[rows]) if varies else {}

    compare(weighted_correlation(truth, answers), metrics, counts)


@given(COUNTS, SEEDS)
def test_spans(counts, seed):
    rng = np.random.default_rng(seed)
    truth, answers = (
        [[Span(at, at + 2, "AB"[rng.integers(2)]) for at in (0, 5) if rng.random() < 0.6] for _ in range(ROWS)]
        for _ in range(2)
    )
    compare(
        weighted_entities(truth, answers),
        lambda rows: entity_metrics([truth[row] for row in rows], [answers[row] for row in rows]),
        counts,
    )


def test_a_constant_answer_correlates_with_nothing():
    figures = weighted_correlation(np.arange(4.0), np.ones(4))
    assert figures["spearman"](np.ones((2, 4), dtype=np.int64)).tolist() == [0, 0]
