"""Figures of spans: seqeval's, with intervals, errors told apart."""

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from bertsmith.metrics import entity_intervals, entity_metrics, per_type, span_errors, type_confusion
from bertsmith.text.tags import SCHEMES, Span, read_spans, read_strict_spans

TAGS = SCHEMES["BIO"].tags(["LOC", "PER"])
ROWS = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=7), min_size=1, max_size=5
)


@given(ROWS)
def test_figures_equal_seqeval(rows):
    true, said = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    ours = entity_metrics(*([read_spans(tags) for tags in side] for side in (true, said)))
    strict = entity_metrics(*([read_strict_spans(tags, SCHEMES["BIO"]) for tags in side] for side in (true, said)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            assert_allclose(ours[name], score(true, said, zero_division=0))
            assert_allclose(strict[name], score(true, said, zero_division=0, mode="strict", scheme=IOB2))


@given(ROWS)
def test_table_of_types_equals_seqeval(rows):
    true, said = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    spans = [[read_spans(tags) for tags in side] for side in (true, said)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = (
            classification_report(true, said, output_dict=True, zero_division=0) if any(spans[0] + spans[1]) else {}
        )
    for scores in per_type(*spans, types=("LOC", "PER")):
        expected = theirs.get(scores.label, {"precision": 0, "recall": 0, "f1-score": 0, "support": 0})
        assert_allclose(scores.f1, expected["f1-score"])
        assert_allclose(scores.precision, expected["precision"])
        assert scores.support == expected["support"]


def test_interval_holds_the_figure_and_narrows_with_rows():
    rng = np.random.default_rng(0)
    truth = [[Span(0, 2, "A")] for _ in range(400)]
    answers = [[Span(0, 2, "A")] if rng.random() < 0.8 else [Span(1, 2, "A")] for _ in range(400)]
    value = entity_metrics(truth, answers)["f1"]
    low, high = entity_intervals(truth, answers)["f1"]
    few_low, few_high = entity_intervals(truth[:40], answers[:40])["f1"]
    assert low < value < high
    assert abs((high - low) - 2 * 1.96 * np.sqrt(0.8 * 0.2 / 400)) < 0.02
    assert few_high - few_low > high - low
    assert entity_intervals(truth, answers, seed=3) == entity_intervals(truth, answers, seed=3)


def test_errors_are_told_apart():
    truth = [[Span(0, 2, "A"), Span(3, 5, "A"), Span(6, 8, "B"), Span(9, 10, "A")], []]
    answers = [[Span(0, 2, "A"), Span(3, 5, "B"), Span(6, 9, "B")], [Span(0, 1, "B")]]
    errors = span_errors(truth, answers)
    assert [error.kind for error in errors] == ["type", "boundary", "missed", "invented"]
    assert [error.text for error in errors] == [0, 0, 0, 1]
    assert type_confusion(truth, answers, types=("A", "B")).tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 0]]


@given(ROWS)
def test_confusion_counts_every_span_once(rows):
    spans = [[read_spans([pair[side] for pair in row]) for row in rows] for side in (0, 1)]
    table = type_confusion(*spans, types=("LOC", "PER"))
    assert table[:-1].sum() == sum(map(len, spans[0]))
    assert table[:, :-1].sum() == sum(map(len, spans[1]))
    assert table[-1, -1] == 0


def test_nothing_found_and_nothing_there():
    assert entity_metrics([[]], [[]]) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert span_errors([[]], [[]]) == []
