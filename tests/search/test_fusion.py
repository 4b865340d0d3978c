"""Two lists made one, by hand."""

import numpy as np
import pytest

from bertsmith.search.fusion import reciprocal, weighted
from bertsmith.search.scanning import Neighbours
from bertsmith.search.settings import Reciprocal, Weighted


def listed(*lines: list[int]) -> Neighbours:
    rows = np.array(lines, dtype=np.int64)
    return Neighbours(rows, np.zeros(rows.shape, dtype=np.float32))


def test_reciprocal_ranks_by_hand():
    found = reciprocal((listed([4, 7, 9]), listed([7, 5, -1])), Reciprocal(k=60), top=4)
    assert found.rows.tolist() == [[7, 4, 5, 9]]
    np.testing.assert_allclose(found.scores[0], [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63], rtol=1e-6)


def test_lists_that_found_nothing():
    found = reciprocal((listed([-1, -1], [3, -1]), listed([-1, -1], [-1, -1])), Reciprocal(), top=2)
    assert found.rows.tolist() == [[-1, -1], [3, -1]]


@pytest.mark.parametrize(("share", "expected"), [(1.0, [1, 0, 0.5]), (0.0, [0, 1, 0.25]), (0.5, [0.5, 0.5, 0.375])])
def test_weighted_by_hand(share, expected):
    rows = np.array([3, 1, 2])
    by_vectors = np.array([0.9, 0.1, 0.5], dtype=np.float32)
    by_words = np.array([0.0, 8.0, 2.0], dtype=np.float32)
    _, scores = weighted(rows, by_vectors, by_words, Weighted(vectors=share))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_candidates_that_are_all_alike_count_half():
    rows, same = np.array([1, 2]), np.ones(2, dtype=np.float32)
    np.testing.assert_allclose(weighted(rows, same, same, Weighted())[1], [0.5, 0.5])
