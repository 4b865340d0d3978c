"""Which spans a tagger finds, takes for others, misses and invents, on the most held-out split."""

from collections import Counter

import numpy as np

from bertsmith.metrics import NOTHING, SpanError, per_type, span_errors, type_confusion
from bertsmith.report.markup import Html, join, paragraph, quoted, table, tag
from bertsmith.report.page import Section
from bertsmith.report.results import MOST_LABELS_IN_A_MATRIX, confusion_table, place_cells, score_cells
from bertsmith.report.run import MarkedTexts, RunReport
from bertsmith.report.wording import counted
from bertsmith.text.tags import Span

_ERRORS_SHOWN = 40
_AROUND = 40
"""Characters shown on each side of a span."""

_KINDS = {"missed": "missed", "invented": "invented", "type": "of another type", "boundary": "with other ends"}


def types_of_spans(report: RunReport) -> Section | None:
    """Precision, recall, F1 and support of every type."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, MarkedTexts):
        return None
    lines = [score_cells(each) for each in per_type(rows.truth, rows.answers, types=rows.types)]
    words = (
        "A span counts as found if start, end and type are all right. Precision: how often a span answered is right. "
        "Recall: how many of the true spans are found."
    )
    header = ("Type", "Precision", "Recall", "F1", "Spans")
    body = join(paragraph(words), table(header, lines, caption="Scores per type", numbers=(1, 2, 3, 4)))
    return Section("labels", f"Type by type ({split.name})", body)


def confusion_of_types(report: RunReport) -> Section | None:
    """Which types are taken for which."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, MarkedTexts):
        return None
    if len(rows.types) >= MOST_LABELS_IN_A_MATRIX:
        return None
    matrix = type_confusion(rows.truth, rows.answers, types=rows.types)
    words = f"A span with wrong ends counts for the true span beneath it; {NOTHING} are spans missed or invented."
    body = join(paragraph(words), confusion_table(np.asarray(matrix), (*rows.types, NOTHING)))
    return Section("confusion", f"Which types are confused ({split.name})", body)


def errors_of_spans(report: RunReport) -> Section | None:
    """Examples of every kind of error, in turn."""
    if (split := report.held_out) is None or not isinstance(rows := split.answers, MarkedTexts):
        return None
    wrong = span_errors(rows.truth, rows.answers)
    if not wrong:
        return None
    kinds = Counter(error.kind for error in wrong)
    told = ", ".join(f"{kinds[kind]:,} {words}" for kind, words in _KINDS.items() if kinds[kind])
    header = ("Text", "Truth", "Answer", *(("Where",) if rows.where else ()))
    lines = [_error(rows, error) for error in _in_turn(wrong)[:_ERRORS_SHOWN]]
    words = f"{counted(len(wrong), 'span')} wrong: {told}. Some may be mistakes in the data."
    return Section("errors", f"Errors ({split.name})", join(paragraph(words), table(header, lines, caption="Errors")))


def _in_turn(errors: list[SpanError]) -> list[SpanError]:
    """One of each kind after the other, so that a common kind does not hide the rest."""
    seen: Counter[str] = Counter()
    ranked = []
    for number, error in enumerate(errors):
        ranked.append((seen[error.kind], number, error))
        seen[error.kind] += 1
    return [error for _, _, error in sorted(ranked, key=lambda each: each[:2])]


def _error(rows: MarkedTexts, error: SpanError) -> tuple[Html | str, ...]:
    text = rows.texts[error.text]
    spans = [span for span in (error.truth, error.answer) if span is not None]
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    shown = join(
        quoted(text[max(start - _AROUND, 0) : start]),
        tag("mark", quoted(text[start:end])),
        quoted(text[end : end + _AROUND]),
    )
    where = place_cells(rows, error.text)
    return tag("div", shown, class_="text"), _span(text, error.truth), _span(text, error.answer), *where


def _span(text: str, span: Span | None) -> Html | str:
    return quoted(f"{span.type}: {text[span.start : span.end]}", limit=80) if span is not None else "–"
