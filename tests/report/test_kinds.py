"""Reports of runs that answer with several labels, or with a number."""

import re

import numpy as np
import pytest

from bertsmith.metrics import correlation_metrics, multilabel_metrics
from bertsmith.report import Split, model_card, run_page

from .runs import full_run, label_sets, numbers


def run_of(rows, metrics, **changes):
    split = Split(name="test", source="test.csv", rows=len(rows.truth), metrics=metrics, answers=rows)
    return full_run(splits=(split,), **changes)


@pytest.fixture(scope="module")
def sets_run():
    rows = label_sets()
    return run_of(rows, multilabel_metrics(rows.truth, rows.answers), task="multilabel")


def numbers_run(**changes):
    rows = numbers(**changes)
    return run_of(rows, correlation_metrics(rows.truth, rows.answers), task="regression", labels=())


def anchors(page: str) -> set[str]:
    return set(re.findall(r'<section id="([^"]+)"', page))


def test_several_labels_have_a_table_errors_and_calibration(sets_run):
    page = run_page(sets_run)
    assert {"labels", "errors", "calibration"} <= anchors(page)
    assert not {"confusion", "scatter"} & anchors(page)
    rows = sets_run.splits[0].answers
    right = (rows.truth == rows.answers).all(axis=1).mean()
    assert f"All labels of a text are right in {100 * right:.1f} % of the texts." in page
    assert page.count("0.450</td>") == len(rows.labels)
    assert f"{(rows.truth != rows.answers).sum():,} decisions of {rows.truth.size:,} wrong" in page


def test_the_surest_wrong_decision_comes_first(sets_run):
    rows = sets_run.splits[0].answers
    of_truth = np.where(rows.truth, rows.probabilities, 1 - rows.probabilities)
    wrong = np.where(rows.truth == rows.answers, 2, of_truth)
    row, label = np.unravel_index(wrong.argmin(), wrong.shape)
    table = run_page(sets_run).split("Most confident errors</caption>")[1]
    first = table.split("<tr>")[2]
    assert rows.labels[label] in first
    assert f"test.csv:{row + 2}" in first


def test_numbers_have_a_picture_and_the_largest_misses():
    report = numbers_run()
    page = run_page(report)
    assert {"scatter", "errors"} <= anchors(page)
    assert not {"labels", "confusion", "calibration"} & anchors(page)
    rows = report.splits[0].answers
    assert f"Answers are {np.abs(rows.answers - rows.truth).mean():.3g} from the truth" in page
    worst = np.abs(rows.answers - rows.truth).argmax()
    assert f"{rows.answers[worst] - rows.truth[worst]:+.3g}" in page
    assert len(page) < 400_000
    assert page == run_page(numbers_run())


@pytest.mark.parametrize("pairs", [True, False])
def test_the_card_shows_how_to_use_it(pairs):
    card = model_card(numbers_run(pairs=pairs), folder="runs/x")
    assert "from bertsmith import Regressor" in card
    assert ("another text" in card) is pairs
    assert "answers with a number" in card


def test_the_card_of_several_labels(sets_run):
    card = model_card(sets_run, folder="runs/x")
    assert "from bertsmith import Classifier" in card
    assert "some or none of its labels" in card
