"""Classifiers with scikit-learn's habits."""

import json
import re

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from bertsmith import Classifier, PairClassifier, UserError
from bertsmith.cli import main

from ..tiny import SHAPE, arguments, rows, write_files

DATA = rows(36)
TEXTS = [text for text, _ in DATA]
LABELS = [label for _, label in DATA]
SETTINGS = ("precision=float32",)


class Column:
    """What pandas and polars columns have in common."""

    def __init__(self, values: list[object]) -> None:
        self._values = values

    def to_numpy(self) -> np.ndarray:
        return np.array(self._values, dtype=object)


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


def classifier(shape: str, **changes: object) -> Classifier:
    usual = {"encoder": shape, "epochs": 12, "batch_size": 8, "lr": 0.01, "settings": SETTINGS, "device": "cpu"}
    return Classifier(**{**usual, **changes})


@pytest.fixture(scope="module")
def fitted(shape) -> Classifier:
    return classifier(shape).fit(TEXTS, LABELS)


def test_learns_and_answers(fitted):
    new = rows(20, seed=4)
    assert fitted.score(*map(list, zip(*new, strict=True))) >= 0.9
    chances = fitted.predict_proba([text for text, _ in new])
    assert chances.shape == (20, 2)
    np.testing.assert_allclose(chances.sum(1), 1.0, atol=1e-6)
    assert (fitted.predict([text for text, _ in new]) == fitted.classes_[chances.argmax(1)]).all()
    assert fitted.classes_.tolist() == ["neg", "pos"]
    assert fitted.result_.training.steps > 0


def test_no_texts_give_no_answers(fitted):
    assert fitted.predict([]).shape == (0,)
    assert fitted.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("form", [np.array, Column, tuple, list], ids=lambda form: form.__name__)
def test_inputs_may_be_lists_arrays_and_columns(form, fitted):
    assert (fitted.predict(form(TEXTS)) == fitted.predict(TEXTS)).all()
    assert fitted.score(form(TEXTS), form(LABELS)) == fitted.score(TEXTS, LABELS)


@pytest.mark.parametrize(
    "kinds",
    [{"pos": 1, "neg": 0}, {"pos": 20, "neg": 3}, {"pos": True, "neg": False}, {"pos": 0.5, "neg": -1.5}],
    ids=["ints", "ints of other length", "bools", "floats"],
)
def test_labels_keep_their_type_also_when_loaded(kinds, shape, tmp_path):
    labels = [kinds[label] for label in LABELS]
    made = classifier(shape).fit(np.array(TEXTS), np.array(labels))
    made.save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model", device="cpu")
    for each in (made, loaded):
        assert each.classes_.tolist() == sorted(kinds.values())
        assert each.classes_.dtype == np.array(labels).dtype
        assert each.score(TEXTS, labels) == np.mean(each.predict(TEXTS) == np.array(labels)) >= 0.9
    assert (loaded.predict_proba(TEXTS) == made.predict_proba(TEXTS)).all()


def test_the_same_seed_gives_the_same_answers(fitted, shape):
    again = classifier(shape).fit(TEXTS, LABELS)
    assert (again.predict_proba(TEXTS) == fitted.predict_proba(TEXTS)).all()
    other = classifier(shape, seed=1).fit(TEXTS, LABELS)
    assert (other.predict_proba(TEXTS) != fitted.predict_proba(TEXTS)).any()


def test_weights_are_chosen_on_dev_where_it_is_given(shape):
    made = classifier(shape, epochs=1).fit(TEXTS, LABELS, dev=(TEXTS[:10], LABELS[:10]))
    assert len(made.result_.splits.train.records) == 36
    assert len(made.result_.splits.dev.records) == 10


def test_model_of_the_command_line_loads(tmp_path):
    write_files(tmp_path)
    assert main(arguments(tmp_path)) == 0
    loaded = Classifier.load(tmp_path / "out", device="cpu")
    answers = [json.loads(line) for line in (tmp_path / "out" / "predictions_test.jsonl").read_text().splitlines()]
    assert loaded.predict([line["text"] for line in answers]).tolist() == [line["prediction"] for line in answers]
    with pytest.raises(UserError, match="load it with Classifier"):
        PairClassifier.load(tmp_path / "out")


# scikit-learn's habits.


def test_parameters_are_read_set_and_cloned(shape):
    made = classifier(shape, lr=0.1)
    assert made.get_params()["lr"] == 0.1
    assert made.set_params(lr=0.2, epochs=3) is made
    copy = clone(made)
    assert copy is not made
    assert copy.get_params() == made.get_params()
    with pytest.raises(ValueError, match="no parameter 'rate'"):
        made.set_params(rate=1)
    assert (
        repr(made)
        == f"Classifier(encoder={shape!r}, epochs=3, batch_size=8, lr=0.2, settings={SETTINGS!r}, device='cpu')"
    )
    assert repr(Classifier("tiny-zh")) == "Classifier(model='tiny-zh')"


def test_a_clone_is_not_fitted(fitted):
    check_is_fitted(fitted)
    assert is_classifier(fitted)
    with pytest.raises(UserError, match="not fitted"):
        clone(fitted).predict(TEXTS)


def test_cross_validation(shape):
    scores = cross_val_score(classifier(shape), TEXTS, LABELS, cv=2)
    assert scores.shape == (2,)
    assert scores.mean() > 0.7


def test_in_a_pipeline_and_a_grid(shape):
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = Pipeline([("lower", lower), ("classify", classifier(shape, settings=[*SETTINGS, "ngrams=null"]))])
    loud = [text.upper() for text in TEXTS]
    grid = GridSearchCV(pipeline, {"classify__lr": [1e-6, 0.01]}, cv=2).fit(loud, LABELS)
    assert grid.best_params_ == {"classify__lr": 0.01}
    assert grid.score(loud, LABELS) > 0.9
    assert grid.predict(loud[:3]).tolist() == grid.best_estimator_.predict(TEXTS[:3]).tolist()


# Pairs.


def test_pairs(shape, tmp_path):
    pairs = [(one, two) for one, two in zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True)]
    labels = [len(one) > len(two) for one, two in pairs]
    made = PairClassifier(encoder=shape, epochs=1, device="cpu", settings=["precision=float32"]).fit(pairs, labels)
    chances = made.predict_proba(np.array(pairs))
    assert chances.shape == (36, 2)
    assert made.classes_.tolist() == [False, True]
    made.save(tmp_path / "pairs")
    assert (PairClassifier.load(tmp_path / "pairs", device="cpu").predict_proba(pairs) == chances).all()
    with pytest.raises(UserError, match="load it with PairClassifier"):
        Classifier.load(tmp_path / "pairs")
    with pytest.raises(UserError, match="input 1 has 3 texts; a pair has two"):
        made.predict([("a", "b"), ("a", "b", "c")])


# What is refused, and how.


@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        (TEXTS, LABELS[:-1], "36 texts but 35 labels"),
        ("one text", LABELS, "give a list of texts, not a single text"),
        (["a", " "], ["x", "y"], "inputs[1] must be a text with something in it, got ' '"),
        (["a", None], ["x", "y"], "inputs[1] must be a text with something in it, got None"),
        (TEXTS, ["x"] * 36, "only the label"),
        (TEXTS, [*LABELS[:-1], None], "labels[35] is None"),
        (TEXTS, [0.5] * 35 + [float("nan")], "labels[35] is nan"),
        (TEXTS, [1, "1"] * 18, "labels must be of one type, found 1 (int) and '1' (str)"),
        (TEXTS, [["a"]] * 35 + ["b"], "labels[35] is 'b' where others are lists"),
        ([], [], "no texts"),
    ],
)
def test_refused(texts, labels, said, shape):
    with pytest.raises(UserError, match=re.escape(said)):
        classifier(shape).fit(texts, labels)


def test_label_unseen_in_training_is_refused(shape):
    with pytest.raises(UserError, match=r"dev\[1\].*sportz"):
        classifier(shape).fit(TEXTS, LABELS, dev=(["a", "b"], ["pos", "sportz"]))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"encoder": None}, "either model"), ({"epochs": 0}, "budget.epochs"), ({"settings": ["a.b=1"]}, "a")],
)
def test_wrong_parameters_are_refused_by_fit(parameters, said, shape):
    with pytest.raises(UserError, match=said):
        classifier(shape, **parameters).fit(TEXTS, LABELS)


@pytest.mark.parametrize("act", [lambda c: c.predict(["a"]), lambda c: c.predict_proba(["a"]), lambda c: c.save("x")])
def test_not_fitted(act, shape):
    with pytest.raises(UserError, match="this Classifier is not fitted yet; call fit or load first"):
        act(classifier(shape))
