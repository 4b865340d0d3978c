"""When a trial is not worth its end: rules that compare it with what earlier trials had reached by then.

Trials are compared at the same share of their run, so that two epochs and four can be compared. Only
trials of earlier rounds count, never those that run beside it: the rules decide the same however many
processes there are, and when a search is gone on with.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from bertsmith.config import Config
from bertsmith.experiments.course import GiveUp
from bertsmith.experiments.trial import Evaluation, Trial

Course = Sequence[Evaluation]
Better = Literal["higher", "lower"]


class Median(Config):
    """Give a trial up whose best so far is worse than the median of the others at this point (Golovin et al. 2017).

    The rule of Google's Vizier (KDD 2017 §3.2.2). Not before `after` trials came to their end, nor before the
    share `begin` of a run.
    """

    kind: Literal["median"] = "median"
    after: PositiveInt = 4
    begin: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2

    def rule(self, metric: str, better: Better, ended: Sequence[Course], seen: Sequence[Course]) -> GiveUp:
        """The rule, given the courses of trials that came to their end, and of all that ran."""

        def give_up(trial: Trial, course: Course) -> bool:
            now = course[-1].progress
            others = [best for each in ended if (best := best_by(each, now, metric, better)) is not None]
            mine = best_by(course, now, metric, better)
            if now < self.begin or len(others) < self.after:
                return False
            return mine is None or _worse(mine, float(np.median(others)), better)

        return give_up


class Halving(Config):
    """Let the best `1 / reduction` of trials pass each rung (asynchronous successive halving: Li et al. 2020).

    Rungs lie at the shares 1/η, 1/η², ... of a run down to `begin`, with η = `reduction`: arXiv 1810.05934 §3.
    A rung that fewer than η trials have reached, this one included, stops nobody.
    """

    kind: Literal["halving"] = "halving"
    reduction: Annotated[int, Field(ge=2)] = 3
    begin: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1

    @property
    def rungs(self) -> tuple[float, ...]:
        """The shares of a run at which trials are compared, ascending."""
        number = math.floor(math.log(1 / self.begin, self.reduction) + _SLACK)
        return tuple(self.reduction**-power for power in range(number, 0, -1))

    def rule(self, metric: str, better: Better, ended: Sequence[Course], seen: Sequence[Course]) -> GiveUp:
        """The rule, given the courses of trials that came to their end, and of all that ran."""

        def give_up(trial: Trial, course: Course) -> bool:
            before = course[-2].progress if len(course) > 1 else 0.0
            reached = (rung for rung in self.rungs if before < rung - _SLACK <= course[-1].progress)
            return any(self._fails(course, rung, metric, better, seen) for rung in reached)

        return give_up

    def _fails(self, course: Course, rung: float, metric: str, better: Better, seen: Sequence[Course]) -> bool:
        """Whether a course is not among the best of those that reached the rung."""
        others = [value for each in seen if (value := _at(each, rung, metric, better)) is not None]
        places = (len(others) + 1) // self.reduction
        mine = _at(course, rung, metric, better)
        ahead = len(others) if mine is None else sum(_worse(mine, other, better) for other in others)
        return places > 0 and ahead >= places


Pruning = Annotated[Median | Halving, Field(discriminator="kind")]

_SLACK = 1e-9


def best_by(course: Course, progress: float, metric: str, better: Better) -> float | None:
    """The best value up to this share of a run; None if nothing was measured before."""
    values = [one.metrics[metric] for one in course if one.progress <= progress + _SLACK and metric in one.metrics]
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    return max(known) if better == "higher" else min(known)


def _at(course: Course, rung: float, metric: str, better: Better) -> float | None:
    """The best when a course first stands at the rung or beyond; None if it does not come so far."""
    first = next((one.progress for one in course if one.progress >= rung - _SLACK), None)
    return None if first is None else best_by(course, first, metric, better)


def _worse(value: float, other: float, better: Better) -> bool:
    return value < other if better == "higher" else value > other
