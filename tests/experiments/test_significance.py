"""Differences between recipes: the formulas by hand, and their promise by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.experiments.judging import Candidate, Judged, Jury, chosen
from bertsmith.experiments.significance import Difference, Runs, Spread, difference, holm, verdict
from bertsmith.metrics import critical, paired_difference, weighted_classification

ROWS, SAMPLES, OPTIONS = 300, 100, (4, 5, 3)
"""Rows of dev, bootstrap samples, and options of each rung of the simulated ladders."""


def right(rng, recipes, *, seeds=3, tau=0.1, effects=None):
    """Right and wrong answers: rows differ in difficulty, runs in quality by their seed."""
    logits = rng.normal(2.2, 2.0, size=ROWS) + rng.normal(size=(recipes, seeds, 1)) * tau
    if effects is not None:
        logits = logits + np.asarray(effects)[:, None, None]
    return rng.random((recipes, seeds, ROWS)) < 1 / (1 + np.exp(-logits))


def measured(answers, counts):
    draws = (answers.reshape(-1, ROWS).astype(np.float32) @ counts.T / ROWS).reshape(*answers.shape[:2], -1)
    return [Runs(values, each) for values, each in zip(answers.mean(-1), draws, strict=True)]


def ladder(rng, **settings):
    """Judge a simulated ladder as `climb` does; returns what was judged, rung by rung."""
    counts = rng.multinomial(ROWS, [1 / ROWS] * ROWS, size=SAMPLES).astype(np.float32)
    baseline, *options = measured(right(rng, 1 + sum(OPTIONS), **settings), counts)
    jury = Jury(planned=sum(OPTIONS))
    jury.know(baseline)
    for start, number in zip(np.cumsum((0, *OPTIONS)), OPTIONS, strict=False):
        jury.rung(baseline, options[start : start + number])
    return jury.all()


@pytest.mark.parametrize(
    ("ladders", "seeds", "tau"), [(400, 3, 0.1), (100, 3, 0.0), (100, 3, 0.3), (100, 2, 0.1), (100, 5, 0.1)]
)
def test_tricks_that_do_nothing_are_called_noise(ladders, seeds, tau):
    """Any false "pays" in at most 5 % of ladders."""
    rng = np.random.default_rng(seeds)
    judged = [ladder(rng, seeds=seeds, tau=tau) for _ in range(ladders)]
    assert sum(any(one.verdict == "pays" for one in each) for each in judged) <= 0.05 * ladders


def test_a_useful_trick_is_found():
    rng = np.random.default_rng(0)
    effects = np.zeros(1 + sum(OPTIONS))
    effects[3] = 1.2
    judged = [ladder(rng, effects=effects) for _ in range(60)]
    assert np.mean([each[2].verdict == "pays" for each in judged]) > 0.8


def exact(values, rows=4, samples=50):
    """Runs that do not vary over rows."""
    values = np.array(values, dtype=np.float64)
    return Runs(values, np.repeat(values[:, None], samples, axis=1))


def test_the_variance_over_seeds_by_hand():
    before, after = exact([0.5, 0.7]), exact([0.8, 0.9, 1.0])
    spread = Spread.pooled([before, after])
    assert (spread.variance, spread.freedom) == (pytest.approx((0.02 + 0.02) / 3), 3)
    found = difference(before, after, spread)
    seeds = 0.02 / 2, (0.04 / 3) / 3  # the first is more spread than the common 0.04 / 3, the second less
    assert found.mean == pytest.approx(0.3)
    assert found.error == pytest.approx(sum(seeds) ** 0.5)
    assert found.freedom == pytest.approx(sum(seeds) ** 2 / (sum(each**2 for each in seeds) / 3))
    low, high = found.interval
    assert (low + high) / 2 == pytest.approx(0.3)
    assert high - 0.3 == pytest.approx(critical(found.freedom) * found.error)


def test_the_variance_over_rows_is_that_of_the_paired_bootstrap():
    rng = np.random.default_rng(0)
    truth, first, second = (rng.integers(3, size=200) for _ in range(3))
    labels = ["a", "b", "c"]
    runs = [
        Runs.of([weighted_classification(truth, said, labels=labels)["accuracy"]] * 2, 200) for said in (first, second)
    ]
    found = difference(*runs, Spread(0.0, 10))
    gains = (second == truth).astype(float) - (first == truth)
    assert found.mean == pytest.approx(gains.mean())
    assert found.error == pytest.approx(gains.std() / 200**0.5, rel=0.1)
    low, high = found.interval
    by_percentiles = paired_difference(truth, first, second, labels=labels)
    assert (low, high) == pytest.approx((by_percentiles.low, by_percentiles.high), abs=0.02)


def test_what_runs_err_on_by_themselves_is_not_counted_twice():
    """Runs of equal quality that err independently: their spread over seeds is the luck of rows, told already."""
    rng = np.random.default_rng(1)
    counts = rng.multinomial(2000, [1 / 2000] * 2000, size=400).astype(np.float32)
    several = [rng.random((3, 2000)) < 0.8 for _ in range(2)]
    before, after = (Runs(each.mean(1), each @ counts.T / 2000) for each in several)
    assert before.from_rows == pytest.approx(0.8 * 0.2 / 2000, rel=0.25)
    spread = Spread(0.8 * 0.2 / 2000, 40)
    assert difference(before, after, spread).error == pytest.approx((2 * 0.8 * 0.2 / 2000 / 3) ** 0.5, rel=0.15)


def test_equal_runs_differ_by_nothing():
    found = difference(exact([0.5, 0.5]), exact([0.5, 0.5]), Spread(0.0, 2))
    assert (found.mean, found.p, found.interval) == (0.0, 1.0, (0.0, 0.0))
    assert verdict(found, 1.0) == "noise"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, 0.5], to_come=2) == pytest.approx([0.04, 1.0])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.lists(st.floats(0, 1), max_size=8))
def test_what_was_found_stays_found(known, later):
    before = holm(known, to_come=len(later))
    after = holm([*known, *later])[: len(known)]
    assert all(new <= old for new, old in zip(after, before, strict=True))


def test_verdicts():
    up, down = Difference(0.1, 0.01, 10.0, 0.0), Difference(-0.1, 0.01, 10.0, 0.0)
    assert [verdict(up, 0.04), verdict(up, 0.05), verdict(down, 0.04)] == ["pays", "noise", "hurts"]


def judged(word, error=0.01):
    return Judged(Difference(0.1, error, 10.0, 0.0), 0.0, word)


def test_the_best_that_pays_is_kept_or_a_cheaper_one_as_good():
    assert chosen([Candidate(0.9, 1.0, judged("noise"))]) is None
    options = [Candidate(0.85, 1.0, judged("pays")), Candidate(0.90, 3.0, judged("pays"))]
    assert chosen([*options, Candidate(0.99, 1.0, judged("noise"))]) == 1
    assert chosen([*options, Candidate(0.895, 2.0, judged("pays"))]) == 2


def test_an_unstable_option_spoils_nothing_but_itself():
    jury = Jury(planned=2)
    jury.know(exact([0.80, 0.81]))
    wild, calm = jury.rung(exact([0.80, 0.81]), [exact([0.1, 0.9]), exact([0.90, 0.91])], unstable=[0])
    assert (wild.verdict, calm.verdict) == ("noise", "pays")
