"""Which settings mattered: against the analysis of variance by hand."""

import numpy as np
import pytest

from bertsmith.experiments import Range, importance
from bertsmith.experiments.space import combinations

SPACE = {"a": (1, 2), "b": ("x", "y", "z")}


def test_sums_of_effects_are_found_exactly():
    sets = combinations(SPACE)
    values = [each["a"] * 2.0 + {"x": 0, "y": 1, "z": -1}[each["b"]] for each in sets]
    # a: 6 * 1² = 6; b: 2 * (0 + 1 + 1) = 4; in all 10, and no rest
    assert dict(importance(SPACE, sets, values)) == pytest.approx({"a": 0.6, "b": 0.4})
    assert importance(SPACE, sets, values)[0].field == "a"


def test_omega_squared_by_hand():
    sets = combinations({"a": (1, 2), "b": (1, 2)})
    values = [1.0, 2.0, 4.0, 7.0]
    # means of a 1.5 and 5.5: SS 16; of b 2.5 and 4.5: SS 4; total 21; rest 1 with one degree of freedom
    assert dict(importance({"a": (1, 2), "b": (1, 2)}, sets, values)) == pytest.approx({"a": 15 / 22, "b": 3 / 22})


def test_noise_is_worth_nothing_in_the_mean():
    rng = np.random.default_rng(0)
    sets = combinations({"a": (1, 2, 3), "b": (1, 2, 3), "c": (1, 2)})
    shares = [
        sum(
            dict(importance({"a": (1, 2, 3), "b": (1, 2, 3), "c": (1, 2)}, sets, rng.normal(size=18).tolist())).values()
        )
        for _ in range(200)
    ]
    assert np.mean(shares) < 0.2
    assert np.median(shares) < 0.15


def test_a_range_is_a_curve_over_ratios():
    rng = np.random.default_rng(0)
    rates = np.exp(rng.uniform(np.log(1e-5), np.log(1e-3), 30))
    sets = [{"lr": float(rate), "seed": int(rng.integers(4))} for rate in rates]
    values = [-((np.log(each["lr"]) - np.log(1e-4)) ** 2) for each in sets]
    found = dict(importance({"lr": Range(low=1e-5, high=1e-3, log=True), "seed": (0, 1, 2, 3)}, sets, values))
    assert found["lr"] > 0.8, "what chance ties to the other field is given to neither"
    assert found["seed"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0]])
def test_too_few_sets_tell_nothing(values):
    assert importance(SPACE, combinations(SPACE)[: len(values)], values) is None


def test_equal_values_tell_nothing():
    assert importance(SPACE, combinations(SPACE), [0.5] * 6) is None
