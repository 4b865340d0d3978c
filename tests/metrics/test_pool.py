import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.metrics import best_powers, pooled


def chances(seed: int, rows: int, labels: int = 3, scale: float = 2.0) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(rows, labels)) * scale
    raised = np.exp(scores)
    return raised / raised.sum(1, keepdims=True)


def lost(one: np.ndarray, other: np.ndarray, truth: np.ndarray, powers: tuple[float, float]) -> float:
    """What `best_powers` minimises, written out row by row."""
    total = sum((power - 1) ** 2 for power in powers) / 2
    for first, second, label in zip(one, other, truth, strict=True):
        product = first ** powers[0] * second ** powers[1]
        total -= np.log(product[label] / product.sum())
    return total


def test_a_pool_is_the_product_of_powers():
    one, other = np.array([[0.5, 0.25, 0.25]]), np.array([[0.1, 0.8, 0.1]])
    product = np.array([0.5**2 * 0.1**0.5, 0.25**2 * 0.8**0.5, 0.25**2 * 0.1**0.5])
    assert pooled(one, other, (2.0, 0.5))[0] == pytest.approx(product / product.sum())
    assert pooled(one, other, (1.0, 0.0)) == pytest.approx(one)


def test_what_one_excludes_is_excluded():
    assert pooled(np.array([[1.0, 0.0]]), np.array([[0.1, 0.9]]), (1.0, 1.0))[0] == pytest.approx([1.0, 0.0], abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_no_other_powers_are_better(seed, rows):
    random = np.random.default_rng(seed)
    one, other = chances(seed, rows), chances(seed + 1, rows)
    truth = random.integers(0, 3, rows)
    found = best_powers(one, other, truth)
    assert min(found) >= 0
    best = lost(one, other, truth, found)
    for step in ((0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03), (0.03, 0.03), (-0.03, 0.03)):
        near = tuple(max(power + change, 0.0) for power, change in zip(found, step, strict=True))
        assert lost(one, other, truth, near) >= best - 1e-9


def test_who_knows_nothing_is_not_heard_and_who_is_always_right_is_not_trusted_without_end():
    truth = np.random.default_rng(0).integers(0, 3, 3000)
    right = np.full((3000, 3), 0.05)
    right[np.arange(3000), truth] = 0.9
    powers = best_powers(right, chances(1, 3000), truth)
    assert powers[1] < 0.2
    assert 1 < powers[0] < 20


def test_a_row_that_counts_twice_is_as_two_rows():
    one, other, truth = chances(2, 12), chances(3, 12), np.arange(12) % 3
    twice = np.r_[0:12, 0:6]
    weighted = best_powers(one, other, truth, importance=np.where(np.arange(12) < 6, 2.0, 1.0))
    assert weighted == pytest.approx(best_powers(one[twice], other[twice], truth[twice]), abs=1e-6)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        best_powers(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
