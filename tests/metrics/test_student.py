"""Student's distribution beside scipy's."""

import math

import pytest

from bertsmith.metrics import critical, two_sided

stats = pytest.importorskip("scipy.stats")
FREEDOM = (1.0, 2.0, 3.7, 10.0, 50.0, 300.0, 1e5)


@pytest.mark.parametrize("df", FREEDOM)
def test_p_values(df):
    for t in (0.0, 1e-3, 0.5, 1.0, 2.0, 6.0, 20.0, -2.0):
        assert two_sided(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-7, abs=1e-300)


@pytest.mark.parametrize("df", FREEDOM)
def test_critical_values(df):
    for level in (0.5, 0.95, 0.999):
        assert critical(df, level=level) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-7)


def test_edges():
    assert two_sided(math.inf, 3.0) == 0
    assert math.isnan(two_sided(math.nan, 3.0))
    assert two_sided(1.96, 1e12) == pytest.approx(0.05, abs=1e-4)
