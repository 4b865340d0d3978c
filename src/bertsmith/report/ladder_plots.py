"""Plots of a ladder: differences with their intervals, what a number gave, the curve over the texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertsmith.report.markup import Html
from bertsmith.report.plots import ACCENT, INK, MUTED, WARM, inline_svg
from bertsmith.report.wording import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"pays": ACCENT, "noise": MUTED, "hurts": WARM}


@dataclass(frozen=True, slots=True)
class Stroke:
    """One difference: its name, verdict, mean and interval; `stuck`: of runs that did not converge."""

    name: str
    verdict: str
    mean: float
    low: float
    high: float
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """The metric of several seeds at some number; `stuck` of them did not converge."""

    at: float
    values: Sequence[float]
    stuck: int = 0

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return sum(self.values) / len(self.values)


def forest_plot(strokes: Sequence[Stroke], metric: str) -> Html:
    """A line an option, the first on top: where it lies right of zero, the option is better.

    Runs that did not converge do not stretch the picture: an arrow at its edge stands for them.
    """
    words = wording(metric)
    scale = 100 if words.percent else 1
    shown = [one for one in strokes if not one.stuck] or strokes
    low, high = scale * min(0.0, *(one.low for one in shown)), scale * max(0.0, *(one.high for one in shown))
    room = 0.05 * (high - low) or 1.0

    def draw(axes: "Axes") -> None:
        axes.axvline(0, color=INK, linewidth=1)
        for place, one in enumerate(reversed(strokes)):
            colour, mean = _COLOURS[one.verdict], scale * one.mean
            inside = min(max(mean, low), high)
            marker = "o" if inside == mean else "<" if mean < low else ">"
            axes.plot([scale * one.low, scale * one.high], [place, place], color=colour)
            axes.plot([inside], [place], marker, color=colour, markersize=4.5)
        axes.set_yticks(range(len(strokes)), [one.name for one in reversed(strokes)])
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"change of {words.name}{', points' if words.percent else ''}")
        axes.set(xlim=(low - room, high + room), ylim=(-0.7, len(strokes) - 0.3))

    height = 0.9 + 0.24 * len(strokes)
    return inline_svg("forest", f"Change of {words.name} by each option, with 95 % intervals", draw, size=(7.0, height))


def sweep_plot(name: str, field: str, dots: Sequence[Dot], metric: str) -> Html:
    """The dev metric against a number on a logarithmic scale; a cross where runs did not converge."""
    ordered = sorted(dots, key=lambda dot: dot.at)

    def draw(axes: "Axes") -> None:
        axes.plot([dot.at for dot in ordered], [dot.mean for dot in ordered], color=ACCENT, linewidth=1.2)
        for dot in ordered:
            marker, colour = ("x", WARM) if dot.stuck else ("o", ACCENT)
            axes.plot([dot.at] * len(dot.values), list(dot.values), marker, color=colour, markersize=4.5)
        axes.set_xscale("log")
        axes.set_xticks([dot.at for dot in ordered], [f"{dot.at:.3g}" for dot in ordered])
        axes.minorticks_off()
        axes.set(xlabel=field, ylabel=f"{wording(metric).name} on dev")

    return inline_svg(name, f"{wording(metric).name} on dev by {field}; a cross: did not converge", draw)


def texts_plot(plain: Sequence[Dot], further: Sequence[Dot], metric: str) -> Html:
    """The dev metric against the number of training texts, with and without further pre-training."""

    def draw(axes: "Axes") -> None:
        for dots, colour, name in ((plain, MUTED, "encoder as it was"), (further, ACCENT, "further pre-trained")):
            ordered = sorted(dots, key=lambda dot: dot.at)
            if ordered:
                axes.plot([dot.at for dot in ordered], [dot.mean for dot in ordered], color=colour, label=name)
            for dot in ordered:
                axes.plot([dot.at] * len(dot.values), list(dot.values), "o", color=colour, markersize=3.5, alpha=0.7)
        axes.set_xscale("log")
        numbers = sorted({dot.at for dot in (*plain, *further)})
        axes.set_xticks(numbers, [f"{number:,.0f}" for number in numbers])
        axes.minorticks_off()
        axes.set(xlabel="training texts", ylabel=f"{wording(metric).name} on dev")
        axes.legend(frameon=False, fontsize=9)

    return inline_svg("texts", f"{wording(metric).name} on dev by number of training texts", draw)
