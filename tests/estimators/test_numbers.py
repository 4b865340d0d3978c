"""The regressor with scikit-learn's habits."""

import json

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.model_selection import cross_val_score

from bertsmith import Regressor, UserError

from ..tiny import SHAPE, rows

TEXTS = [text for text, _ in rows(48)]
STARS = [5.0 * sum(word in text for word in ("good", "great", "fine", "lovely")) - 2000 for text in TEXTS]


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


def regressor(shape: str, *settings: str, **changes: object) -> Regressor:
    usual = {"encoder": shape, "epochs": 12, "batch_size": 8, "lr": 0.01, "device": "cpu"}
    return Regressor(**{**usual, "settings": ("precision=float32", *settings), **changes})


@pytest.fixture(scope="module")
def fitted(shape) -> Regressor:
    model = regressor(shape, "selection.keep=last", epochs=20)
    return model.fit(TEXTS, STARS, dev=(TEXTS[:12], np.array(STARS[:12])))


def test_numbers_are_on_the_scale_they_were_given_in(fitted):
    said = fitted.predict(TEXTS)
    assert said.dtype == np.float64
    assert said.shape == (48,)
    assert np.isfinite(said).all()
    assert -2010 < said.min() < said.max() < -1980
    assert fitted.score(TEXTS, STARS) > 0.8
    assert fitted.predict([]).shape == (0,)


def test_saved_and_loaded_it_says_the_same(fitted, tmp_path):
    fitted.save(tmp_path)
    assert (Regressor.load(tmp_path, device="cpu").predict(TEXTS) == fitted.predict(TEXTS)).all()


def test_pairs_without_an_order(shape):
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    model = regressor(shape, "task.symmetric=true", epochs=2).fit(pairs, STARS)
    np.testing.assert_allclose(model.predict(pairs), model.predict([(b, a) for a, b in pairs]), rtol=1e-6)
    with pytest.raises(UserError, match="two texts"):
        model.predict(TEXTS)


def test_scikit_learn_takes_it_for_a_regressor(shape):
    model = regressor(shape, epochs=1)
    assert is_regressor(model)
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(model, TEXTS, STARS, cv=2).shape == (2,)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (["x"] * 48, r"train\[0\] is 'x'; give a finite number"),
        ([*STARS[:-1], float("nan")], r"train\[47\] is nan"),
        (STARS[:-1], "48 texts but 47 labels"),
        ([1.0] * 48, "there is nothing to learn"),
    ],
)
def test_refused(numbers, said, shape):
    with pytest.raises(UserError, match=said):
        regressor(shape).fit(TEXTS, numbers)


def test_a_score_needs_a_spread(fitted):
    with pytest.raises(UserError, match="at least two different true numbers"):
        fitted.score(TEXTS[:2], [1.0, 1.0])
