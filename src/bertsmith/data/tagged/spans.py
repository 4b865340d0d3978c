"""The spans of a row, as `[[start, end, type], ...]`: characters, end exclusive."""

import itertools
import json
from typing import Any

from bertsmith.data.record import refusal
from bertsmith.text.characters import is_blank
from bertsmith.text.tags import Span


def read_spans_of_row(value: Any, text: str, where: str) -> tuple[Span, ...]:
    """Check the spans of a text and put them in order; blanks at their ends are left out, repetitions too.

    Raises:
        UserError: they are no list of spans, one leaves the text, or two overlap.
    """
    found = sorted({_span(each, text, where) for each in _listed(value, where)})
    for before, span in itertools.pairwise(found):
        if span.start < before.end:
            nested = "are nested" if span.end <= before.end or span.start == before.start else "overlap"
            what = (
                f"spans {_shown(before, text)} and {_shown(span, text)} {nested}; a character bears one tag: keep one"
            )
            raise refusal(where, what, "overlapping_spans")
    return tuple(found)


def _listed(value: Any, where: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, list | tuple):
        raise refusal(where, 'spans must be a list like [[0, 3, "PER"]], or [] where there are none', "bad_span")
    return list(value)


def _span(value: Any, text: str, where: str) -> Span:
    if isinstance(value, dict):
        value = [value.get("start"), value.get("end"), value.get("type", value.get("label"))]
    if not (isinstance(value, list | tuple) and len(value) == 3):
        raise refusal(where, f"span {_json(value)} must be [start, end, type]", "bad_span")
    start, end, kind = value
    if not (_is_count(start) and _is_count(end) and isinstance(kind, str) and kind.strip()):
        what = f'span {_json(value)} must hold two whole numbers and a type, as [0, 3, "PER"]'
        raise refusal(where, what, "bad_span")
    if not 0 <= start < end <= len(text):
        what = f"span {_json(value)} is empty or leaves the text of {len(text)} characters (the end is exclusive)"
        raise refusal(where, what, "bad_span")
    covered = text[start:end]
    if is_blank(covered):
        raise refusal(where, f"span {_json(value)} covers nothing visible ({covered!r})", "bad_span")
    return Span(start + len(covered) - len(covered.lstrip()), end - len(covered) + len(covered.rstrip()), kind)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(span: Span, text: str) -> str:
    return f"[{span.start}, {span.end}, {span.type}] {text[span.start : span.end]!r:.40}"


def _json(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False, default=str):.60}"
