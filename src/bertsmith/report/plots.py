"""Plots as inline SVG in the page's own colours and fonts; the same numbers give the same bytes.

Plots speak of steps, rates and counts only: no text of a user is drawn, so no font can be missing.
"""

import re
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from bertsmith.metrics import Calibration
from bertsmith.report.markup import Html, safe
from bertsmith.report.run import Course, Curves
from bertsmith.report.wording import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, LINE, ACCENT, WARM = "#111213", "#717273", "#d1d2d3", "#1f5fd1", "#c1571f"
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", ACCENT: "--accent", WARM: "--warm"}
_MOST_POINTS = 400
_MOST_DOTS = 1500
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "font.size": 10,
    "lines.linewidth": 1.6,
}


def loss_plot(curves: Curves) -> Html:
    """Training loss by update: every update pale, the running mean on top."""
    name = "Training loss by update"

    def draw(axes: "Axes") -> None:
        steps, loss = thinned(curves.steps), thinned(curves.loss)
        smooth = running_mean(loss, width=max(1, len(loss) // 30))
        axes.plot(steps, loss, color=ACCENT, alpha=0.3, linewidth=1)
        axes.plot(steps, smooth, color=ACCENT)
        axes.set(xlabel="update", ylabel="training loss")

    return inline_svg("loss", name, draw)


def dev_plot(curves: Curves) -> Html:
    """The dev metric where it was measured; the weights that were kept are marked."""
    metric = wording(curves.metric).name

    def draw(axes: "Axes") -> None:
        axes.plot(curves.dev_steps, curves.dev, color=ACCENT, marker="o", markersize=4)
        if curves.best_step is not None:
            best = curves.dev[curves.dev_steps == curves.best_step]
            axes.plot([curves.best_step] * len(best), best, "o", color=WARM, markersize=8)
        axes.set(xlabel="update", ylabel=f"{metric} on dev", xlim=_from_zero(curves.dev_steps))

    return inline_svg("dev", f"{metric} on dev by update", draw)


def course_plot(course: Course) -> Html:
    """One number by update: pale and its running mean in training, dots on held-out texts."""
    name = wording(course.name).name

    def draw(axes: "Axes") -> None:
        if len(course.steps):
            steps, values = thinned(course.steps), thinned(course.values)
            axes.plot(steps, values, color=ACCENT, alpha=0.3, linewidth=1)
            axes.plot(steps, running_mean(values, width=max(1, len(values) // 30)), color=ACCENT)
        if len(course.heldout_steps):
            axes.plot(course.heldout_steps, course.heldout, color=WARM, marker="o", markersize=4)
        axes.set(xlabel="update", ylabel=name, xlim=_from_zero(np.append(course.steps, course.heldout_steps)))

    return inline_svg(f"course-{course.name}", f"{name} by update", draw)


def rate_plot(steps: Int[np.ndarray, " updates"], rate: Float[np.ndarray, " updates"]) -> Html:
    """The learning rate by update."""

    def draw(axes: "Axes") -> None:
        axes.plot(thinned(steps), thinned(rate), color=MUTED)
        axes.set(xlabel="update", ylabel="learning rate")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=False)

    return inline_svg("rate", "Learning rate by update", draw)


def calibration_plot(found: Calibration) -> Html:
    """Accuracy against stated confidence; a calibrated model lies on the diagonal."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        area = 12 + 180 * found.rows / found.rows.max()
        axes.scatter(found.confidence, found.accuracy, s=area, color=ACCENT, alpha=0.75, linewidths=0)
        axes.plot(found.confidence, found.accuracy, color=ACCENT, linewidth=1)
        axes.set(xlabel="stated confidence", ylabel="share right", xlim=(0, 1.03), ylim=(0, 1.05))

    return inline_svg("calibration", "Share of right answers by stated confidence", draw)


def scatter_plot(truth: Float[np.ndarray, " rows"], answers: Float[np.ndarray, " rows"]) -> Html:
    """Answers against true numbers; of many rows every so-manieth, spread over the order of the truth."""
    places = np.argsort(truth, kind="stable")[:: -(-len(truth) // _MOST_DOTS)]
    low, high = float(min(truth.min(), answers.min())), float(max(truth.max(), answers.max()))

    def draw(axes: "Axes") -> None:
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle="--")
        axes.scatter(truth[places], answers[places], s=9, color=ACCENT, alpha=0.5, linewidths=0)
        axes.set(xlabel="truth", ylabel="answer")

    return inline_svg("scatter", "Answers against the truth", draw)


def plane_plot(uniformity: Float[np.ndarray, " points"], alignment: Float[np.ndarray, " points"]) -> Html:
    """Where each way to make vectors lies (Wang & Isola 2020, figure 7); points are named by their number from 1."""

    def draw(axes: "Axes") -> None:
        axes.scatter(uniformity, alignment, s=26, color=ACCENT, alpha=0.8, linewidths=0)
        for number, place in enumerate(zip(uniformity.tolist(), alignment.tolist(), strict=True), start=1):
            axes.annotate(str(number), place, xytext=(4, 4), textcoords="offset points")
        axes.margins(0.15)
        axes.set(xlabel="uniformity", ylabel="alignment")

    return inline_svg("plane", "Alignment against uniformity", draw)


def cosine_plot(name: str, scores: Float[np.ndarray, " pairs"], cosines: Float[np.ndarray, " pairs"]) -> Html:
    """The similarity of pairs by their score: the middle half as a box, in at most six steps of the score."""
    values = np.unique(scores)
    edges = values if len(values) <= 6 else np.linspace(values[0], values[-1], 7)[:-1]
    groups = np.searchsorted(edges, scores, side="right") - 1
    parts = [(edge, cosines[groups == place]) for place, edge in enumerate(edges) if (groups == place).any()]

    def draw(axes: "Axes") -> None:
        lines: dict[str, Any] = {part: {"color": ACCENT} for part in ("boxprops", "whiskerprops", "capprops")}
        names = [f"{edge:.3g}" if len(values) <= 6 else f"from {edge:.2g}" for edge, _ in parts]
        axes.boxplot(
            [part for _, part in parts], tick_labels=names, showfliers=False, medianprops={"color": WARM}, **lines
        )
        axes.set(xlabel="score", ylabel="similarity")

    return inline_svg(name, "Similarity of pairs by their score", draw)


def length_plot(lengths: Int[np.ndarray, " texts"], limit: int | None) -> Html:
    """How long the texts are, in tokens; what lies right of the line is shortened."""

    def draw(axes: "Axes") -> None:
        longest = int(lengths.max())
        width = max(1, -(-longest // 50))
        edges = np.arange(0, longest + width + 1, width)
        axes.hist(lengths, bins=edges.tolist(), color=ACCENT, alpha=0.75, linewidth=0)
        if limit is not None:
            axes.axvline(limit, color=WARM, linestyle="--")
            axes.set_xlim(0, 1.08 * max(limit, longest))
        axes.set(xlabel="tokens in a text", ylabel="texts")

    return inline_svg("lengths", "Histogram of text lengths in tokens", draw)


def thinned(values: Float[np.ndarray, " points"] | Int[np.ndarray, " points"]) -> Float[np.ndarray, " fewer"]:
    """Mean of neighbours until no more points are left than a screen can show."""
    size = -(-len(values) // _MOST_POINTS)
    starts = np.arange(0, len(values), max(size, 1))
    ends = np.append(starts[1:], len(values))
    return np.asarray(np.add.reduceat(values.astype(np.float64), starts) / (ends - starts))


def running_mean(values: Float[np.ndarray, " points"], *, width: int) -> Float[np.ndarray, " points"]:
    """Mean over up to `width` points on either side."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    left, right = np.maximum(places - width, 0), np.minimum(places + width + 1, len(values))
    return np.asarray((sums[right] - sums[left]) / (right - left))


def _from_zero(steps: Int[np.ndarray, " evaluations"]) -> tuple[float, float]:
    return 0.0, 1.05 * max(int(steps.max()), 1)


def inline_svg(name: str, description: str, draw: Any, *, size: tuple[float, float] = (4.2, 2.7)) -> Html:
    """Draw into fresh axes and bring the picture into the page: its colours, no fixed size, its own ids.

    `size` is in inches; only its proportions, and how large letters are in it, show.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**_STYLE, "svg.hashsalt": name}):
        picture = Figure(figsize=size, layout="constrained")
        draw(picture.add_subplot())
        buffer = StringIO()
        picture.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'\bid="', f'id="{name}-', drawing)
    drawing = re.sub(r'(url\(#|href="#)', rf"\1{name}-", drawing)
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="([^"]*)"', drawing)
    assert box is not None, "matplotlib writes a viewBox"
    opening = f'<svg class="plot" role="img" aria-label="{safe(description)}" viewBox="{box[1]}">'
    return Html(re.sub(r"<svg[^>]*>", opening, drawing, count=1))
