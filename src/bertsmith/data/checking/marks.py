"""What the marks of texts say: schemes, tags that break them, spans in the middle of words."""

from collections import Counter
from collections.abc import Iterator

from bertsmith.data.checking.finding import Finding, Splits, count, quoted
from bertsmith.data.record import Marks, Record
from bertsmith.text.units import find_units, units_of_spans


def mark_findings(splits: Splits) -> Iterator[Finding]:
    """Look at the marks of every split; texts without any say nothing."""
    for name, records in splits.items():
        marked = [record for record in records if record.marks is not None]
        if marked:
            yield _counts(name, marked)
            yield from _broken(name, marked)
            yield from _cutting(name, marked)


def _counts(name: str, records: list[Record]) -> Finding:
    types = Counter(span.type for record in records for span in _marks(record).spans)
    listing = ", ".join(f"{quoted(kind)} {number:,}" for kind, number in types.most_common(20))
    schemes = sorted({scheme for record in records if (scheme := _marks(record).scheme)})
    written = f", tags in {' and '.join(schemes)}" if schemes else ""
    what = f"{count(sum(types.values()), 'span')} in {count(len(records), 'text')} of {name}{written}: {listing}"
    return Finding("info", "spans", what, "nothing to do if these are the types you mean")


def _broken(name: str, records: list[Record]) -> Iterator[Finding]:
    broken = [_marks(record).broken for record in records if _marks(record).broken]
    if broken:
        what = f"the tags of {count(len(broken), 'sentence')} of {name} break their scheme: {broken[0]}"
        fix = "mend them; they are read as conlleval reads them"
        yield Finding("warning", "broken_tags", what, fix, broken[0].split(": ")[0], tuple(broken[1:4]))


def _cutting(name: str, records: list[Record]) -> Iterator[Finding]:
    """Spans that begin or end inside a word; where the file gives tokens they cannot."""
    cutting = [
        record
        for record in records
        if _marks(record).units is None and units_of_spans(_marks(record).spans, find_units(record.text, "words"))[1]
    ]
    if cutting:
        what = f"{count(len(cutting), 'text')} of {name} with spans that begin or end inside a word"
        fix = "look whether start and end are right (end exclusive); task.units=characters can learn such spans"
        yield Finding("warning", "cut_words", what, fix, cutting[0].where, tuple(_shown(each) for each in cutting[:3]))


def _shown(record: Record) -> str:
    spans = ", ".join(quoted(record.text[span.start : span.end]) for span in _marks(record).spans)
    return f"{record.where} {quoted(record.text)}: {spans}"


def _marks(record: Record) -> Marks:
    return record.marks or Marks()
