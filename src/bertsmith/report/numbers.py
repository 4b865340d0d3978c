"""How far the numbers of a model are from the true ones, on the most held-out split."""

import numpy as np

from bertsmith.report.markup import Html, figure, join, paragraph, table
from bertsmith.report.page import Section
from bertsmith.report.plots import scatter_plot
from bertsmith.report.results import place_cells, text_cell
from bertsmith.report.run import Numbers, RunReport

_MISSES_SHOWN = 25


def scatter(report: RunReport) -> Section | None:
    """Answers against the truth."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Numbers):
        return None
    miss = rows.answers - rows.truth
    words = (
        f"Answers are {np.abs(miss).mean():.3g} from the truth on average, and {miss.mean():+.3g} with their sign; "
        f"the true numbers go from {rows.truth.min():g} to {rows.truth.max():g}. "
        "On the dashed line an answer is exact."
    )
    return Section(
        "scatter", f"Answers and truth ({split.name})", figure(scatter_plot(rows.truth, rows.answers), words)
    )


def misses(report: RunReport) -> Section | None:
    """The answers farthest from the truth."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Numbers):
        return None
    farthest = np.argsort(-np.abs(rows.answers - rows.truth), kind="stable")[:_MISSES_SHOWN]
    header = ("Text", "Truth", "Answer", "Off by", *(("Where",) if rows.where else ()))
    lines = [_miss(rows, int(row)) for row in farthest]
    words = "The answers farthest from the truth come first. Some may be mistakes in the data."
    body = join(paragraph(words), table(header, lines, caption="Largest misses", numbers=(1, 2, 3)))
    return Section("errors", f"Largest misses ({split.name})", body)


def _miss(rows: Numbers, row: int) -> tuple[Html | str, ...]:
    truth, answer = float(rows.truth[row]), float(rows.answers[row])
    return text_cell(rows, row), f"{truth:.4g}", f"{answer:.4g}", f"{answer - truth:+.3g}", *place_cells(rows, row)
