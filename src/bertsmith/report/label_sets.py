"""Where a model of any number of labels is right and where it is wrong, on the most held-out split."""

import numpy as np

from bertsmith.metrics import calibration, per_label
from bertsmith.report.markup import Html, figure, join, paragraph, quoted, table, tag
from bertsmith.report.page import Section
from bertsmith.report.plots import calibration_plot
from bertsmith.report.results import place_cells, score_cells, text_cell
from bertsmith.report.run import LabelSets, RunReport
from bertsmith.report.wording import counted, share

_ERRORS_SHOWN = 25


def labels_of_sets(report: RunReport) -> Section | None:
    """Precision, recall, F1, support and threshold of every label."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, LabelSets):
        return None
    scores = per_label(rows.truth, rows.answers, labels=rows.labels)
    lines = [(*score_cells(each), f"{cut:.3f}") for each, cut in zip(scores, rows.cuts, strict=True)]
    header = ("Label", "Precision", "Recall", "F1", "Texts", "Given from")
    words = (
        "Precision: how often a label given is right. Recall: how many of the label's texts get it. A label is given "
        "from the probability in the last column on, which was chosen on dev or set by hand."
    )
    right = share(float((rows.truth == rows.answers).all(axis=1).mean()))
    whole = paragraph(f"All labels of a text are right in {right} of the texts.")
    body = join(paragraph(words), table(header, lines, caption="Scores per label", numbers=(1, 2, 3, 4, 5)), whole)
    return Section("labels", f"Label by label ({split.name})", body)


def errors_of_sets(report: RunReport) -> Section | None:
    """The wrong decisions the model is surest of."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, LabelSets):
        return None
    wrong = np.argwhere(rows.truth != rows.answers)
    if not len(wrong):
        return None
    of_truth = np.where(rows.truth, rows.probabilities, 1 - rows.probabilities)
    surest = wrong[np.argsort(of_truth[tuple(wrong.T)], kind="stable")][:_ERRORS_SHOWN]
    header = ("Text", "Label", "Truth", "Answer", "Probability", *(("Where",) if rows.where else ()))
    lines = [_error(rows, int(row), int(label)) for row, label in surest]
    words = (
        f"{counted(len(wrong), 'decision')} of {rows.truth.size:,} wrong; the ones the model is surest of come first. "
        "Some may be mistakes in the data."
    )
    body = join(paragraph(words), table(header, lines, caption="Most confident errors", numbers=(4,)))
    return Section("errors", f"Most confident errors ({split.name})", body)


def confidence_of_sets(report: RunReport) -> Section | None:
    """Whether the probability of a label can be believed."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, LabelSets):
        return None
    found = calibration(rows.probabilities.ravel().astype(np.float64), rows.truth.ravel())
    words = (
        f"The probability of a label and how often it is true differ by {share(found.error)} on average (expected "
        "calibration error). On the dashed line it would be exact. The larger a dot, the more decisions."
    )
    title = f"Can the probabilities be believed ({split.name})"
    return Section("calibration", title, figure(calibration_plot(found), words))


def _error(rows: LabelSets, row: int, label: int) -> tuple[Html | str, ...]:
    said = (tag("span", "yes" if value else "no") for value in (rows.truth[row, label], rows.answers[row, label]))
    chance = f"{rows.probabilities[row, label]:.3f}"
    return text_cell(rows, row), quoted(rows.labels[label], limit=80), *said, chance, *place_cells(rows, row)
