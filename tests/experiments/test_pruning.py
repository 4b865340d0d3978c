"""When a trial is given up: hand-made courses."""

import pytest

from bertsmith.experiments import Evaluation, Halving, Median, Trial
from bertsmith.recipes import finetune_recipe


def course(*values, of=4):
    return tuple(
        Evaluation(progress=(step + 1) / of, step=step + 1, metrics={"f1": value}) for step, value in enumerate(values)
    )


TRIAL = Trial(recipe=finetune_recipe(given={"start": {"encoder": "tiny"}}))
OTHERS = [course(0.1, 0.5, 0.6, 0.7), course(0.3, 0.4, 0.4, 0.5), course(0.2, 0.2, 0.3, 0.9)]


def gives_up(rule, mine, others=OTHERS, better="higher"):
    return rule.rule("f1", better, others, others)(TRIAL, mine)


@pytest.mark.parametrize(
    ("mine", "expected"),
    [
        (course(0.19), True),
        (course(0.2), False),
        (course(0.25), False),
        (course(0.1, 0.39), True),
        (course(0.45, 0.1), False),
        (course(float("nan")), True),
    ],
)
def test_the_median_rule_compares_the_best_so_far(mine, expected):
    assert gives_up(Median(after=3), mine) == expected


def test_the_median_rule_waits():
    assert not gives_up(Median(after=4), course(0.0))
    assert not gives_up(Median(after=3, begin=0.3), course(0.0))


def test_lower_can_be_better():
    assert gives_up(Median(after=3), course(0.25), better="lower")
    assert not gives_up(Median(after=3), course(0.15), better="lower")


def test_runs_of_different_length_are_compared_at_the_same_share():
    two_epochs = course(0.5, 0.9, of=2)
    rule = Median(after=1)
    assert not gives_up(rule, course(0.1), [two_epochs]), "nobody had been measured a quarter into the run"
    assert gives_up(rule, course(0.1, 0.4), [two_epochs])
    assert not gives_up(rule, course(0.1, 0.5), [two_epochs])


def test_rungs():
    assert Halving(reduction=3, begin=0.1).rungs == pytest.approx((1 / 9, 1 / 3))
    assert Halving(reduction=2, begin=0.25).rungs == (0.25, 0.5)


@pytest.mark.parametrize(("first", "expected"), [(0.35, False), (0.3, False), (0.25, True), (0.1, True)])
def test_halving_lets_the_best_part_pass(first, expected):
    """With three others, two of four pass the first rung."""
    rule = Halving(reduction=2, begin=0.25)
    assert gives_up(rule, course(first), [*OTHERS[:2], course(0.28)]) == expected


def test_halving_looks_at_rungs_only():
    rule = Halving(reduction=2, begin=0.5)
    assert not gives_up(rule, course(0.0))
    assert gives_up(rule, course(0.0, 0.0))
    assert not gives_up(rule, course(0.9, 0.9, 0.0)), "the third evaluation lies on no rung"


def test_a_rung_with_too_few_stops_nobody():
    assert not gives_up(Halving(reduction=3, begin=0.25), course(0.0), OTHERS[:1])
