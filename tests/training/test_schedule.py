"""How the rate moves: beside transformers, by hand, and without an update at rate zero."""

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.training import Constant, Cosine, CosineRestarts, Linear, Polynomial, SlantedTriangular
from bertsmith.training.schedule import warmup_updates

TOTALS = st.integers(1, 300)
WARMUPS = st.one_of(st.floats(0.0, 0.99), st.integers(1, 400))
KINDS = [Constant, Linear, Cosine, CosineRestarts, Polynomial, SlantedTriangular]


def theirs(make, warmup: int, total: int) -> list[float]:
    """Factors of transformers for a run one update longer at each end, without its first."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    factor = make(optimizer, warmup + 1, total + 1).lr_lambdas[0]
    return [factor(update + 1) for update in range(total)]


PAIRS = [
    (Constant(), lambda optimizer, warmup, total: transformers.get_constant_schedule(optimizer)),
    (
        Constant(warmup=7),
        lambda optimizer, warmup, total: transformers.get_constant_schedule_with_warmup(optimizer, warmup),
    ),
    (Linear(warmup=7), transformers.get_linear_schedule_with_warmup),
    (Cosine(warmup=7), transformers.get_cosine_schedule_with_warmup),
    (
        CosineRestarts(warmup=7, cycles=3),
        lambda *run: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(*run, num_cycles=3),
    ),
    (
        Polynomial(warmup=7, power=1.5, end=0.125),
        lambda *run: transformers.get_polynomial_decay_schedule_with_warmup(*run, lr_end=0.125, power=1.5),
    ),
]


@pytest.mark.parametrize(("ours", "make"), PAIRS, ids=lambda value: getattr(value, "kind", ""))
@pytest.mark.parametrize("total", [8, 23, 60])
def test_as_transformers_one_step_later(ours, make, total):
    expected = theirs(make, 7, total)
    assert [ours.factor(update, total) for update in range(total)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@given(total=TOTALS, warmup=WARMUPS)
def test_rises_to_one_and_never_touches_zero(kind, total, warmup):
    schedule = kind(warmup=warmup)
    factors = [schedule.factor(update, total) for update in range(total)]
    peak = min(warmup_updates(schedule.warmup, total), total - 1)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert peak < warmup_updates(schedule.warmup, total) or factors[peak] == 1.0


@pytest.mark.parametrize("kind", [Constant, Linear, Cosine, Polynomial, SlantedTriangular])
@given(total=TOTALS, warmup=WARMUPS)
def test_never_rises_after_the_peak(kind, total, warmup):
    schedule = kind(warmup=warmup)
    factors = [schedule.factor(update, total) for update in range(warmup_updates(schedule.warmup, total), total)]
    assert factors == sorted(factors, reverse=True)


def test_linear_by_hand():
    assert [Linear(warmup=2).factor(u, 6) for u in range(6)] == [1 / 3, 2 / 3, 1.0, 0.75, 0.5, 0.25]
    assert [Linear(warmup=0.5).factor(u, 4) for u in range(4)] == [1 / 3, 2 / 3, 1.0, 0.5]
    assert [Linear(warmup=0).factor(u, 4) for u in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_constant_stays_after_its_warmup():
    assert [Constant(warmup=2).factor(u, 5) for u in range(5)] == [1 / 3, 2 / 3, 1.0, 1.0, 1.0]


def test_restarts_begin_at_the_peak_again():
    factors = [CosineRestarts(warmup=0, cycles=2).factor(u, 8) for u in range(8)]
    assert factors[4:] == pytest.approx(factors[:4])
    assert factors[0] == 1.0
    assert factors[2] == pytest.approx(0.5)


def test_slanted_triangular_by_hand():
    """Howard & Ruder 2018, equation 3 with T = 20, cut_frac = 0.2, ratio = 16."""
    schedule = SlantedTriangular(warmup=0.2, ratio=16)
    cut = 4
    for t in range(20):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / 0.2 - 1))
        assert schedule.factor(t, 20) == pytest.approx((1 + p * (16 - 1)) / 16)
