"""The results as one self-contained page: ratios, the curve of cost and memory, the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith.report.markup import Html, facts, figure, join, paragraph, table
from bertsmith.report.page import Section, page
from bertsmith.report.plots import ACCENT, MUTED, WARM, inline_svg
from harness.cases import Case
from harness.goals import Verdict
from harness.rows import Row
from harness.tables import cells_of


def results_page(
    title: str,
    about: Mapping[str, str],
    rows: Sequence[Row],
    verdicts: Sequence[Verdict],
    cases: Mapping[str, Case],
) -> str:
    """Everything that a run found."""
    reached = sum(each.reached is True for each in verdicts)
    known = sum(each.reached is not None for each in verdicts)
    lead = join(
        paragraph(f"{reached} of {known} goals reached; {len(verdicts) - known} could not be measured."),
        facts(list(about.items())),
    )
    sections = [Section("goals", "What must be true", _goals(verdicts))] if verdicts else []
    if any(row.ratio for row in rows):
        caption = "How many times as fast as the fastest peer in the same precision, at that peer's best setting."
        sections.append(Section("ratios", "Beside the best peer", figure(ratio_plot(rows, verdicts, cases), caption)))
    curve = [row for row in rows if row.case == "curve" and row.tokens_per_second]
    if len(curve) > 1:
        sections.append(Section("curve", "Cost and memory by size", _curve(curve)))
    sections.append(Section("rows", "Everything measured", _rows(rows, cases)))
    return page(title, lead, sections)


def ratio_plot(rows: Sequence[Row], verdicts: Sequence[Verdict], cases: Mapping[str, Case]) -> Html:
    """A bar for every row of ours that has a peer, and a mark where it must reach."""
    ours = [row for row in rows if row.ratio][::-1]
    names = [f"{row.case}, {row.way}" for row in ours]
    wanted = [_wanted(row, cases) for row in ours]

    def draw(axes: Any) -> None:
        axes.barh(range(len(ours)), [row.ratio for row in ours], color=ACCENT, alpha=0.75, height=0.6)
        axes.axvline(1.0, color=MUTED, linewidth=1)
        marks = [(must, place) for place, must in enumerate(wanted) if must is not None]
        axes.plot([must for must, _ in marks], [place for _, place in marks], "|", color=WARM, markersize=12)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="times as fast as the best peer")
        axes.grid(visible=False, axis="y")

    return inline_svg("ratios", "Ratio to the best peer by case", draw, size=(6.4, 0.8 + 0.26 * len(ours)))


def _wanted(row: Row, cases: Mapping[str, Case]) -> float | None:
    for goal in cases[row.case].goals:
        if getattr(goal, "peers", None) and goal.way == row.way and all(way == row.way for _, way in goal.peers):
            return float(goal.must)
    return None


def _curve(rows: Sequence[Row]) -> Html:
    sizes = [int(row.setting.rpartition(" ")[2]) for row in rows]

    def cost(axes: Any) -> None:
        axes.plot(sizes, [row.figure("ns/token") for row in rows], color=ACCENT, marker="o", markersize=4)
        axes.set(xlabel="texts", ylabel="ns a real token", xscale="log", ylim=(0, None))

    def memory(axes: Any) -> None:
        axes.plot(sizes, [row.peak_mb for row in rows], color=WARM, marker="o", markersize=4)
        axes.set(xlabel="texts", ylabel="peak memory, MB", xscale="log", ylim=(0, None))

    return join(
        figure(inline_svg("cost", "Cost of a real token by number of texts", cost), "Cost of a real token."),
        figure(inline_svg("memory", "Peak memory by number of texts", memory), "Peak resident memory of the process."),
    )


def _goals(verdicts: Sequence[Verdict]) -> Html:
    lines = [(each.case, each.what, each.found, each.must, each.moonshot, each.word) for each in verdicts]
    return table(("case", "what", "found", "must", "moonshot", ""), lines, caption="Goals", numbers=(2, 3, 4))


def _rows(rows: Sequence[Row], cases: Mapping[str, Case]) -> Html:
    lines = [cells_of(row, rows, cases) for row in rows]
    return table(list(lines[0]), [list(line.values()) for line in lines], caption="Rows", numbers=range(4, 11))
