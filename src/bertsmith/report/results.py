"""Where the model is right and where it is wrong, on the most held-out split."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bertsmith.metrics import ClassScores, calibration, confusion, per_class
from bertsmith.report.markup import Html, figure, join, paragraph, quoted, scrolling, table, tag
from bertsmith.report.page import Section
from bertsmith.report.plots import calibration_plot
from bertsmith.report.run import Answers, LabelSets, MarkedTexts, Numbers, RunReport
from bertsmith.report.wording import counted, share

MOST_LABELS_IN_A_MATRIX = 60
_ERRORS_SHOWN = 25
_PAIRS_SHOWN = 12


def confusions(report: RunReport) -> Section | None:
    """Which labels are taken for which others: the commonest mistakes, then the whole matrix."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Answers):
        return None
    matrix = confusion(rows.truth, rows.answers, labels=rows.labels)
    pieces = [_commonest_mistakes(matrix, rows.labels)]
    if len(rows.labels) <= MOST_LABELS_IN_A_MATRIX:
        pieces.append(confusion_table(matrix, rows.labels))
    return Section("confusion", f"Which labels are confused ({split.name})", join(*pieces))


def per_label(report: RunReport) -> Section | None:
    """Precision, recall, F1 and support of every label."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Answers):
        return None
    scores = per_class(rows.truth, rows.answers, labels=rows.labels)
    lines = [score_cells(each) for each in scores]
    header = ("Label", "Precision", "Recall", "F1", "Texts")
    words = "Precision: how often an answer is right. Recall: how many of the label's texts are found."
    body = join(paragraph(words), table(header, lines, caption="Scores per label", numbers=(1, 2, 3, 4)))
    return Section("labels", f"Label by label ({split.name})", body)


def errors(report: RunReport) -> Section | None:
    """The wrong answers the model is surest of: wrong labels in the data often stand at the top."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Answers):
        return None
    wrong = np.flatnonzero(rows.truth != rows.answers)
    if not len(wrong):
        return None
    surest = wrong[np.argsort(-_confidence(rows)[wrong], kind="stable")][:_ERRORS_SHOWN]
    header = ("Text", "Truth", "Answer", "Confidence", *(("Where",) if rows.where else ()))
    lines = [_error(rows, int(row)) for row in surest]
    words = (
        f"{counted(len(wrong), 'text')} of {split.rows:,} answered wrong; the ones the model is surest of come first. "
        "Some may be mistakes in the data."
    )
    body = join(paragraph(words), table(header, lines, caption="Most confident errors", numbers=(3,)))
    return Section("errors", f"Most confident errors ({split.name})", body)


def confidence(report: RunReport) -> Section | None:
    """Whether the stated confidence can be believed."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, Answers):
        return None
    right: Bool[np.ndarray, " rows"] = rows.truth == rows.answers
    found = calibration(_confidence(rows), right)
    words = (
        f"Stated confidence and the share of right answers differ by {share(found.error)} on average (expected "
        "calibration error). On the dashed line confidence would be exact; below it the model is too sure. "
        "The larger a dot, the more texts."
    )
    title = f"Can the confidence be believed ({split.name})"
    return Section("calibration", title, figure(calibration_plot(found), words))


def _commonest_mistakes(matrix: Int[np.ndarray, "labels labels"], labels: Sequence[str]) -> Html:
    mistakes = matrix - np.diag(np.diag(matrix))
    if not mistakes.any():
        return paragraph("No label is taken for another.")
    order = np.argsort(-mistakes, axis=None, kind="stable")[:_PAIRS_SHOWN]
    places = [divmod(int(place), len(labels)) for place in order]
    lines = [
        (quoted(labels[true], limit=80), quoted(labels[answer], limit=80), f"{n:,}", share(n / matrix[true].sum()))
        for true, answer in places
        if (n := int(mistakes[true, answer]))
    ]
    header = ("Truth", "Answered as", "Texts", "Share of label")
    return table(header, lines, caption="Commonest mistakes", numbers=(2, 3))


def confusion_table(matrix: Int[np.ndarray, "labels labels"], labels: Sequence[str]) -> Html:
    """Truth down, answers across."""
    heads = (tag("th", tag("span", quoted(label, limit=24)), scope="col", title=label) for label in labels)
    lines = []
    for place, (label, counts) in enumerate(zip(labels, matrix, strict=True)):
        total = max(int(counts.sum()), 1)
        cells = (_cell(int(n), n / total, right=answer == place) for answer, n in enumerate(counts))
        lines.append(tag("tr", tag("th", quoted(label, limit=24), scope="row", title=label), *cells))
    caption = tag("caption", "Truth down, answers across; the stronger the colour, the larger the share of the row.")
    corner = tag("tr", tag("td", "truth ↓ answer →", class_="corner"), *heads)
    content = tag("table", caption, tag("thead", corner), tag("tbody", *lines), class_=_density(len(labels)))
    return scrolling(content, "Confusion matrix")


def _density(labels: int) -> str:
    return "matrix dense" if labels > 20 else "matrix"


def _cell(number: int, portion: float, *, right: bool) -> Html:
    if not number:
        return tag("td", class_="hit" if right else None)
    strength = portion**0.5
    kind = ("hit" if right else "miss") + (" strong" if strength > 0.85 else "")
    return tag("td", f"{number:,}", class_=kind, style=f"--s:{strength:.2f}")


def score_cells(scores: ClassScores) -> tuple[Html | str, ...]:
    """A label and how well it is found, as the cells of a row."""
    bars = (_bar(value) for value in (scores.precision, scores.recall, scores.f1))
    return (quoted(scores.label, limit=80), *bars, f"{scores.support:,}")


def _bar(value: float) -> Html:
    return tag("span", f"{value:.3f}", class_="bar", style=f"--s:{value:.3f}")


def _confidence(rows: Answers) -> Float[np.ndarray, " rows"]:
    """The probability of each given answer."""
    return np.asarray(rows.probabilities[np.arange(len(rows.answers)), rows.answers])


def _error(rows: Answers, row: int) -> tuple[Html | str, ...]:
    truth, answer = (quoted(rows.labels[place], limit=80) for place in (rows.truth[row], rows.answers[row]))
    return text_cell(rows, row), truth, answer, f"{_confidence(rows)[row]:.3f}", *place_cells(rows, row)


def text_cell(rows: Answers | LabelSets | Numbers | MarkedTexts, row: int) -> Html:
    """The text of a row, or both of a pair."""
    text = quoted(rows.texts[row])
    if rows.pairs:
        text = join(text, tag("hr"), quoted(rows.pairs[row]))
    return tag("div", text, class_="text")


def place_cells(rows: Answers | LabelSets | Numbers | MarkedTexts, row: int) -> tuple[Html, ...]:
    """Where the row stands, if that is known."""
    return (tag("code", rows.where[row]),) if rows.where else ()
