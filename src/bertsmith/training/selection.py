"""When to measure, what is the best so far, and when to give up hope."""

import math
from collections.abc import Mapping

from bertsmith.errors import UserError
from bertsmith.training.calendar import Calendar
from bertsmith.training.config import Selection
from bertsmith.training.snapshots import Progress


def evaluation_is_due(progress: Progress, selection: Selection, calendar: Calendar) -> bool:
    """Whether the model should be measured now; always at the end, never twice at one step."""
    step = progress.step
    if step <= progress.evaluated_step:
        return False
    if step == calendar.total:
        return True
    return calendar.ends_epoch(step) if selection.every == "epoch" else step % selection.every == 0


def judged(progress: Progress, metrics: Mapping[str, float], selection: Selection) -> Progress:
    """Progress after an evaluation: the best so far, and whether patience has run out.

    Raises:
        UserError: the evaluation does not give the metric to select by.
    """
    require_metric(metrics, selection)
    seen = progress.but(evaluated_step=progress.step, last_metrics=dict(metrics))
    if _is_better(metrics[selection.metric], progress.best_metrics.get(selection.metric), selection):
        return seen.but(best_step=progress.step, best_metrics=dict(metrics), evaluations_without_best=0)
    without = progress.evaluations_without_best + 1
    given_up = selection.patience is not None and without >= selection.patience
    return seen.but(evaluations_without_best=without, stopped_early=given_up)


def require_metric(metrics: Mapping[str, float], selection: Selection) -> None:
    """Make sure that the best weights can be told by what is measured.

    Raises:
        UserError: the evaluation does not give the metric to select by.
    """
    if selection.metric not in metrics:
        raise UserError(
            f"selection.metric is {selection.metric!r}, but the evaluation gives {', '.join(sorted(metrics))}; "
            "choose one of these",
            code="bad_setting",
        )


def _is_better(value: float, best: float | None, selection: Selection) -> bool:
    if math.isnan(value):
        return False
    if best is None:
        return True
    return value > best if selection.better == "higher" else value < best
