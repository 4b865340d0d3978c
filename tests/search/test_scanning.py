"""Blockwise search equals sorting all scores; equal scores go by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.search import scanning as module
from bertsmith.search.scanning import Scanned, keys, nearest, of_candidates
from bertsmith.search.vectors import coded, learned_scales, normalised, require_finite, rescored


def whole(queries: np.ndarray, vectors: np.ndarray, top: int, alive: np.ndarray | None = None) -> tuple:
    """Every score sorted: the best first, of equal ones the first row."""
    scores = queries @ vectors.T
    scores = scores if alive is None else np.where(alive, scores, -np.inf)
    order = np.lexsort((np.broadcast_to(np.arange(len(vectors)), scores.shape), -scores))[:, :top]
    found = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isinf(found), -1, order), found


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize("queries", [1, 7, 300])
def test_blocks_change_nothing(kind, queries, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 1)
    rng = np.random.default_rng(0)
    # small integers: sums are exact in any order, and many scores are equal
    vectors = rng.integers(-2, 3, size=(1000, 5)).astype(kind)
    asked = rng.integers(-2, 3, size=(queries, 5)).astype(np.float32)
    alive = rng.random(1000) < 0.7
    for mask in (None, alive):
        found = nearest(asked, Scanned(vectors), top=11, alive=mask)
        rows, scores = whole(asked, vectors.astype(np.float32), 11, mask)
        np.testing.assert_array_equal(found.rows, rows)
        np.testing.assert_array_equal(found.scores, scores)


def test_fewer_rows_than_asked_for():
    found = nearest(np.ones((2, 3), dtype=np.float32), Scanned(np.eye(3, dtype=np.float32)), top=5)
    assert found.rows.tolist() == [[0, 1, 2, -1, -1]] * 2
    assert np.isneginf(found.scores[:, 3:]).all()
    nothing = nearest(np.ones((1, 3), dtype=np.float32), Scanned(np.zeros((0, 3), dtype=np.float32)), top=2)
    assert nothing.rows.tolist() == [[-1, -1]]


def test_search_from_a_row_on():
    vectors = np.eye(4, dtype=np.float32)
    assert nearest(np.ones((1, 4), dtype=np.float32), Scanned(vectors), top=4, start=2).rows.tolist() == [
        [2, 3, -1, -1]
    ]


@given(st.lists(st.floats(-(2.0**90), 2.0**90, width=32), min_size=1, max_size=30))
def test_keys_sort_as_scores_do(scores):
    values = np.array([scores], dtype=np.float32)
    order = np.argsort(-keys(values, np.arange(len(scores)))[0], kind="stable")
    expected = np.lexsort((np.arange(len(scores)), -(values[0] + 0.0)))
    assert order.tolist() == expected.tolist()
    told = of_candidates(np.arange(len(scores))[None], values, top=len(scores))
    np.testing.assert_array_equal(told.scores[0], np.sort(values[0] + np.float32(0))[::-1])


def test_codes_and_rescoring_find_nearly_all():
    rng = np.random.default_rng(0)
    vectors = normalised(rng.standard_normal((3000, 24)))
    asked = normalised(rng.standard_normal((50, 24)))
    scales = learned_scales(vectors)
    codes = Scanned(coded(vectors, scales), *scales)
    truth = nearest(asked, Scanned(vectors), top=10)
    rough = nearest(asked, codes, top=40)
    assert np.abs(rough.scores[:, 0] - truth.scores[:, 0]).max() < 0.02
    found = rescored(asked, rough.rows, vectors, top=10)
    assert np.mean(found.rows == truth.rows) > 0.999
    np.testing.assert_allclose(found.scores, truth.scores, atol=1e-6)


def test_a_code_is_within_half_a_step():
    vectors = np.linspace(-3, 5, 3000, dtype=np.float32)[:, None] * np.array([1, 0.1], dtype=np.float32)
    scales = learned_scales(vectors)
    back = coded(vectors, scales) * scales[0] + scales[1]
    inside = slice(1, -1)  # the last levels clip
    assert (np.abs(back - vectors)[inside] <= scales[0] * 0.51).all()
    same = np.full((10, 2), 3.0, dtype=np.float32)
    np.testing.assert_allclose(coded(same, learned_scales(same)) * learned_scales(same)[0] + 3, same)


def test_normalised_has_length_one_or_stays_zero():
    made = normalised(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(made, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_none_is_refused_by_name(bad):
    vectors = np.zeros((5, 2), dtype=np.float32)
    vectors[2, 1] = vectors[4, 0] = bad
    with pytest.raises(UserError, match=r"row 2: its vector holds NaN or infinity \(and 1 more\)") as told:
        require_finite(vectors, lambda row: f"row {row}")
    assert told.value.code == "bad_vector"
    assert told.value.where == "row 2"


def test_damage_that_shows_in_a_search_is_said():
    vectors = np.zeros((700, 3), dtype=np.float32)
    vectors[611, 1] = np.nan
    with pytest.raises(UserError, match="row 611 of the stored vectors holds NaN"):
        nearest(np.ones((1, 3), dtype=np.float32), Scanned(vectors), top=2)
