import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.metrics import calibration


def naive_error(confidence, right, bins):
    error = 0.0
    for low in np.arange(bins) / bins:
        inside = (confidence > low) & (confidence <= low + 1 / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 15]))
def test_the_error_is_the_one_of_the_definition(seed, bins):
    rng = np.random.default_rng(seed)
    confidence, right = rng.uniform(0.01, 1, size=50), rng.random(50) < 0.6
    assert calibration(confidence, right, bins=bins).error == pytest.approx(naive_error(confidence, right, bins))


def test_overconfidence_is_measured():
    found = calibration(np.full(10, 0.9), np.arange(10) < 6)
    assert found.error == pytest.approx(0.3)
    assert (found.confidence, found.accuracy, found.rows) == (pytest.approx([0.9]), pytest.approx([0.6]), [10])


def test_the_ends_of_the_scale_have_a_bin():
    found = calibration(np.array([0.0, 1.0]), np.array([False, True]))
    assert (found.error, list(found.rows)) == (0, [1, 1])


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        calibration(np.array([]), np.array([], dtype=bool))
