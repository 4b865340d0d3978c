"""Copy rate and distinct-n by hand."""

import math

from bertsmith.metrics import Distinct, copy_rate, distinct


def test_distinct_by_hand():
    # ab bc | ab bb: three different of four
    assert distinct(["abc", "abb"]) == 3 / 4
    assert distinct(["abc", "abb"], size=1) == 3 / 6
    assert distinct([[1, 2, 1, 2]]) == 2 / 3
    assert distinct(["abcd"]) == 1.0
    assert math.isnan(distinct(["a", ""]))


def test_distinct_text_by_text_is_the_same():
    counted = Distinct()
    for text in ("abc", "abb", "x"):
        counted.add(text)
    assert counted.share == distinct(["abc", "abb", "x"])


def test_copy_rate_by_hand():
    assert copy_rate(["a", "b"], [["a", "c"], ["b", "b"]]) == 3 / 4
    assert copy_rate(["a"], [["c"]]) == 0.0
    assert math.isnan(copy_rate([], []))
