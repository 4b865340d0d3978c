import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.metrics import best_temperature, calibration, tempered


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


def scored(temperature: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right at this temperature, and truths drawn accordingly."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(rows, 4)) * 2
    chances = np.exp(scores / temperature)
    chances /= chances.sum(1, keepdims=True)
    truth = (chances.cumsum(1) > rng.random((rows, 1))).argmax(1)
    stated = np.exp(scores)
    return (stated / stated.sum(1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_the_texts_were_drawn_at_is_found(temperature):
    stated, truth = scored(temperature)
    found = best_temperature(stated, truth)
    assert found == pytest.approx(temperature, rel=0.07)
    before, after = (
        calibration(each.max(1), each.argmax(1) == truth).error for each in (stated, tempered(stated, found))
    )
    assert after < 0.03
    assert after <= before


def test_no_other_temperature_makes_the_truth_likelier():
    stated, truth = scored(2.0, rows=300)

    def surprise(temperature):
        return -np.log(tempered(stated.astype(np.float64), temperature)[np.arange(300), truth]).mean()

    found = best_temperature(stated, truth)
    assert all(surprise(found) <= surprise(found * factor) + 1e-12 for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


def test_rows_that_are_all_right_or_all_wrong_name_no_temperature():
    chances = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    assert best_temperature(chances, np.array([0, 1])) is None
    assert best_temperature(chances, np.array([1, 0])) is None


def test_a_temperature_of_one_changes_nothing_and_certainty_is_no_infinity():
    chances = np.array([[1.0, 0.0], [0.25, 0.75]], dtype=np.float32)
    np.testing.assert_allclose(tempered(chances, 1.0), chances, atol=1e-7)
    assert np.isfinite(tempered(chances, 0.05)).all()
    assert tempered(chances, 3.0).dtype == np.float32
