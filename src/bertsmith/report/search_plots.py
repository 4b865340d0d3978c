"""Plots of many runs: what each trial reached, which settings mattered, what each value gave."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bertsmith.report.markup import Html
from bertsmith.report.plots import ACCENT, MUTED, WARM, inline_svg
from bertsmith.report.wording import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def trials_plot(values: Sequence[float | None], metric: str, *, higher: bool) -> Html:
    """The dev metric of every set in the order they were tried, and the best so far."""
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    places = np.arange(1, len(numbers) + 1)
    running = np.fmax.accumulate(numbers) if higher else np.fmin.accumulate(numbers)

    def draw(axes: "Axes") -> None:
        axes.step(places, running, where="post", color=WARM, linewidth=1.2)
        axes.scatter(places, numbers, s=18, color=ACCENT, alpha=0.75, linewidths=0)
        axes.set(xlabel="set", ylabel=f"{wording(metric).name} on dev")

    return inline_svg("trials", f"{wording(metric).name} on dev by set, in the order they were tried", draw)


def importance_plot(shares: Sequence[tuple[str, float]]) -> Html:
    """The share of the spread that goes with each field, the largest on top."""
    names = [name for name, _ in reversed(shares)]

    def draw(axes: "Axes") -> None:
        axes.barh(range(len(names)), [share for _, share in reversed(shares)], color=ACCENT, alpha=0.75, height=0.6)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="share of the spread between sets", xlim=(0, 1))
        axes.grid(visible=False, axis="y")

    return inline_svg("importance", "Share of the spread between sets by setting", draw)


def numbers_plot(
    name: str,
    field: str,
    points: Float[np.ndarray, "sets two"],
    *,
    metric: str,
    log: bool,
) -> Html:
    """The dev metric against the numbers that one field took."""

    def draw(axes: "Axes") -> None:
        axes.scatter(points[:, 0], points[:, 1], s=18, color=ACCENT, alpha=0.75, linewidths=0)
        if log:
            axes.set_xscale("log")
        axes.set(xlabel=field, ylabel=f"{wording(metric).name} on dev")

    return inline_svg(name, f"{wording(metric).name} on dev by {field}", draw)


def choices_plot(
    name: str, field: str, choices: Sequence[str], values: Sequence[Sequence[float]], *, metric: str
) -> Html:
    """The dev metric for each value of a field: a dot a set, a line at the mean."""

    def draw(axes: "Axes") -> None:
        for place, some in enumerate(values):
            axes.scatter([place] * len(some), some, s=18, color=ACCENT, alpha=0.6, linewidths=0)
            if some:
                axes.plot([place - 0.25, place + 0.25], [np.mean(some)] * 2, color=WARM)
        axes.set_xticks(range(len(choices)), choices)
        axes.set(xlabel=field, ylabel=f"{wording(metric).name} on dev", xlim=(-0.6, len(choices) - 0.4))
        axes.tick_params(axis="x", labelcolor=MUTED)

    return inline_svg(name, f"{wording(metric).name} on dev by {field}", draw)
