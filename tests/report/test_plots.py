import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.report.plots import running_mean, thinned

POINTS = st.lists(st.floats(-10, 10), min_size=1, max_size=30).map(np.array)


@given(POINTS, st.integers(1, 9))
def test_the_running_mean_looks_both_ways(values, width):
    expected = [values[max(0, place - width) : place + width + 1].mean() for place in range(len(values))]
    assert running_mean(values, width=width) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 2000))
def test_thinning_keeps_the_mean_and_the_order(number):
    values = np.arange(number, dtype=np.float64)
    fewer = thinned(values)
    assert len(fewer) <= 400
    assert (np.diff(fewer) > 0).all()
    size = -(-number // 400)
    assert fewer[0] == pytest.approx(values[:size].mean())
    assert fewer[-1] == pytest.approx(values[(len(fewer) - 1) * size :].mean())
