"""A classifier of several labels a text: lists in, lists out; an indicator matrix in, a matrix out."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.preprocessing import MultiLabelBinarizer

from bertsmith import Classifier, PairClassifier, UserError

from ..tiny import SHAPE, rows

TEXTS = [text for text, _ in rows(48)]
WORDS = ("bad", "film", "good")
SETS = [[word for word in WORDS if word in text.split()] for text in TEXTS]
MATRIX = MultiLabelBinarizer(classes=list(WORDS)).fit_transform(SETS)


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


def classifier(shape: str, *settings: str, **changes: object) -> Classifier:
    usual = {"encoder": shape, "epochs": 15, "batch_size": 8, "lr": 0.02, "device": "cpu"}
    return Classifier(**{**usual, "settings": ("precision=float32", *settings), **changes})


@pytest.fixture(scope="module")
def of_lists(shape) -> Classifier:
    return classifier(shape).fit(TEXTS, SETS, dev=(TEXTS, SETS))


@pytest.fixture(scope="module")
def of_a_matrix(shape) -> Classifier:
    return classifier(shape).fit(TEXTS, MATRIX, dev=(TEXTS, csr_matrix(MATRIX)))


def test_lists_in_lists_out(of_lists):
    said = of_lists.predict(TEXTS)
    assert of_lists.classes_.tolist() == list(WORDS)
    assert all(isinstance(row, tuple) and set(row) <= set(WORDS) for row in said)
    right = np.mean([set(one) == set(other) for one, other in zip(said, SETS, strict=True)])
    assert of_lists.score(TEXTS, SETS) == right > 0.8
    chances = of_lists.predict_proba(TEXTS)
    assert chances.shape == (48, 3)
    assert not np.allclose(chances.sum(1), 1)


def test_a_matrix_in_a_matrix_out(of_a_matrix, of_lists):
    said = of_a_matrix.predict(TEXTS)
    assert said.shape == (48, 3)
    assert set(np.unique(said)) <= {0, 1}
    assert of_a_matrix.classes_.tolist() == [0, 1, 2]
    assert of_a_matrix.score(TEXTS, MATRIX) > 0.8
    np.testing.assert_array_equal(of_a_matrix.predict_proba(TEXTS), of_lists.predict_proba(TEXTS))
    assert of_a_matrix.predict([]).shape == (0, 3)


def test_saved_and_loaded_the_form_stays(of_lists, of_a_matrix, tmp_path):
    for name, model in (("lists", of_lists), ("matrix", of_a_matrix)):
        model.save(tmp_path / name)
        again = Classifier.load(tmp_path / name, device="cpu").predict(TEXTS)
        assert np.array_equal(again, model.predict(TEXTS)) if name == "matrix" else again == model.predict(TEXTS)
    with pytest.raises(UserError, match="holds a multilabel model; load it with Classifier"):
        PairClassifier.load(tmp_path / "lists")


def test_a_column_without_a_positive_row_is_refused(shape):
    with pytest.raises(UserError, match="column 1 of the indicator matrix"):
        classifier(shape).fit(TEXTS, np.column_stack([MATRIX[:, 0], np.zeros(48, dtype=int), MATRIX[:, 1]]))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (MATRIX * 2, "an indicator matrix holds 0 and 1, found 2"),
        ([*SETS[:-1], "good"], r"labels\[47\] is 'good' where others are lists"),
        ([[]] * 48, "no label at all"),
        (SETS[:-1], "48 texts but 47 labels"),
    ],
)
def test_refused(labels, said, shape):
    with pytest.raises(UserError, match=said):
        classifier(shape).fit(TEXTS, labels)
