"""How well spans are found: a span counts as found if its start, end and type are all right (Tjong Kim Sang 2002).

The figures are those of conlleval and seqeval; everything is counted per text, so that texts can be re-drawn.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bertsmith.metrics.bootstrap import RESAMPLES, Interval, Weighted, bootstrap, percentile_interval
from bertsmith.metrics.classification import ClassScores
from bertsmith.text.tags import Span

Spans = Sequence[Sequence[Span]]
"""The spans of each text."""

NOTHING = "(none)"
"""What a missed span was taken for, and what an invented one is."""


@dataclass(frozen=True, slots=True)
class SpanError:
    """A span that is wrong: what was true there, and what was answered; None where there was nothing."""

    text: int
    truth: Span | None
    answer: Span | None

    @property
    def kind(self) -> str:
        """`missed`, `invented`, `type` (right place, wrong type) or `boundary`."""
        if self.answer is None:
            return "missed"
        if self.truth is None:
            return "invented"
        return "type" if self.truth[:2] == self.answer[:2] else "boundary"


def entity_metrics(truth: Spans, answers: Spans) -> dict[str, float]:
    """`precision`, `recall` and `f1` over all spans of all texts; 0 where there is nothing to divide by."""
    totals = _counts(truth, answers).sum(0, keepdims=True)
    return {name: float(values[0]) for name, values in zip(_NAMES, _figures(totals), strict=True)}


def entity_intervals(truth: Spans, answers: Spans, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """95 % percentile intervals of the same figures, by bootstrap over texts."""
    counts = _counts(truth, answers)
    if not len(counts):
        raise ValueError("metrics need at least one text")
    alike, kinds = np.unique(counts, axis=0, return_inverse=True)
    values = bootstrap(kinds.reshape(-1), lambda drawn: _figures(drawn @ alike), resamples=resamples, seed=seed)
    intervals = {name: percentile_interval(row) for name, row in zip(_NAMES, values, strict=True)}
    return {name: interval for name, interval in intervals.items() if interval is not None}


def weighted_entities(truth: Spans, answers: Spans) -> dict[str, Weighted]:
    """The same figures as functions of how often each text is in a sample."""
    counts = _counts(truth, answers)

    def of(place: int) -> Weighted:
        return lambda drawn: _figures(drawn @ counts)[place]

    return {name: of(place) for place, name in enumerate(_NAMES)}


def per_type(truth: Spans, answers: Spans, *, types: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall, F1 and support of every type of span."""
    hits, true, said = (_by_type(spans) for spans in (_common(truth, answers), truth, answers))
    counts = np.array([[hits[kind], true[kind], said[kind]] for kind in types], dtype=np.int64).reshape(-1, 3)
    columns = zip(types, *_figures(counts), counts[:, 1], strict=True)
    return tuple(ClassScores(kind, float(p), float(r), float(f), int(n)) for kind, p, r, f, n in columns)


def span_errors(truth: Spans, answers: Spans) -> list[SpanError]:
    """Every wrong span once: a wrong answer is set beside the true span it shares most characters with."""
    errors: list[SpanError] = []
    for text, (true, said) in enumerate(zip(truth, answers, strict=True)):
        right = set(true) & set(said)
        missed, invented = [s for s in true if s not in right], [s for s in said if s not in right]
        for answer in invented:
            beside = max(missed, key=lambda span: _overlap(span, answer), default=None)
            if beside is None or _overlap(beside, answer) <= 0:
                errors.append(SpanError(text, None, answer))
            else:
                missed.remove(beside)
                errors.append(SpanError(text, beside, answer))
        errors += [SpanError(text, span, None) for span in missed]
    return errors


def type_confusion(truth: Spans, answers: Spans, *, types: Sequence[str]) -> Int[np.ndarray, "types types"]:
    """Count spans by true type (down) and answered type (across); last comes `NOTHING`: missed and invented ones.

    A span with wrong boundaries counts for the answer that lies over it.
    """
    place = {kind: number for number, kind in enumerate((*types, NOTHING))}
    table = np.zeros((len(place), len(place)), dtype=np.int64)
    for kind, number in _by_type(_common(truth, answers)).items():
        table[place[kind], place[kind]] += number
    for error in span_errors(truth, answers):
        true, said = (NOTHING if span is None else span.type for span in (error.truth, error.answer))
        table[place[true], place[said]] += 1
    return table


_NAMES = ("precision", "recall", "f1")


def _counts(truth: Spans, answers: Spans) -> Int[np.ndarray, "texts 3"]:
    """Per text: spans found, spans that are true, spans answered."""
    rows = [
        (len(set(true) & set(said)), len(set(true)), len(set(said))) for true, said in zip(truth, answers, strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _figures(counts: Int[np.ndarray, "samples 3"]) -> Float[np.ndarray, "3 samples"]:
    hits, true, said = counts.T
    return np.stack([hits / np.maximum(said, 1), hits / np.maximum(true, 1), 2 * hits / np.maximum(true + said, 1)])


def _common(truth: Spans, answers: Spans) -> list[list[Span]]:
    return [sorted(set(true) & set(said)) for true, said in zip(truth, answers, strict=True)]


def _by_type(texts: Iterable[Iterable[Span]]) -> Counter[str]:
    return Counter(span.type for spans in texts for span in set(spans))


def _overlap(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start)
