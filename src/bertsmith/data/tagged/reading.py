"""Files of marked texts to records."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.formats import display_name
from bertsmith.data.reading import read_records
from bertsmith.data.record import (
    USUAL_COLUMNS,
    Columns,
    Marks,
    OnError,
    Record,
    raise_error,
    refusal,
)
from bertsmith.data.tagged.conll import Sentence, is_conll, read_sentences
from bertsmith.data.tagged.spans import read_spans_of_row
from bertsmith.errors import UserError
from bertsmith.text.tags import SchemeName, Span, detect, read_spans
from bertsmith.text.units import text_of_tokens

Broken = Literal["rare", "refused", "repaired"]
"""What becomes of tags that break their scheme. `repaired`: read as conlleval and seqeval read them (an
`I-PER` without a beginning begins a span); `rare`: so where at most one sentence in a hundred does, else
refused."""

RARE = 0.01

SPANS = "spans"


def read_tagged(
    path: Path,
    columns: Columns = USUAL_COLUMNS,
    *,
    labelled: bool = True,
    broken: Broken = "rare",
    encoding: str = "utf-8",
    on_error: OnError = raise_error,
) -> Iterator[Record]:
    """Read texts and their spans: CoNLL by the file's name, else rows with `text` and `spans`.

    The spans stand in the label column (`spans`, if no other is named). A CoNLL file's scheme is found
    by looking at all of it. What is wrong in one row or sentence goes to `on_error`.

    Raises:
        UserError: what spoils the whole file, or whatever `on_error` raises.
    """
    if is_conll(path):
        return _conll_records(path, encoding, on_error, labelled=labelled, broken=broken)
    return _row_records(path, columns, encoding, on_error, labelled=labelled)


def _row_records(path: Path, columns: Columns, encoding: str, on_error: OnError, *, labelled: bool) -> Iterator[Record]:
    name = SPANS if columns.label == USUAL_COLUMNS.label else columns.label
    for record in read_records(path, columns, labels="none", pairs="ignored", encoding=encoding, on_error=on_error):
        if not labelled:
            yield record
            continue
        try:
            yield _marked(record, name)
        except UserError as error:
            on_error(error)


def _marked(record: Record, column: str) -> Record:
    if column not in record.row:
        what = (
            f"no column {column!r}; tagging needs spans, [[start, end, type], ...]; name it with --columns label=NAME"
        )
        raise refusal(record.where, what, "missing_column")
    spans = read_spans_of_row(record.row[column], record.text, record.where)
    return Record(record.text, None, _types(spans), record.row, record.where, Marks(spans))


def _conll_records(path: Path, encoding: str, on_error: OnError, *, labelled: bool, broken: Broken) -> Iterator[Record]:
    name = display_name(path)
    sentences = read_sentences(TextLines(read_chunks(path), name, encoding), on_error, tagged=labelled)
    seen = False
    if labelled:
        whole = list(sentences)
        yield from sentence_records(whole, broken=broken, on_error=on_error)
        seen = bool(whole)
    else:
        for sentence in sentences:
            seen = True
            yield _record(sentence)
    if not seen:
        raise refusal(name, "the file holds no sentences", "empty_file")


def sentence_records(
    whole: Sequence[Sentence], *, broken: Broken = "rare", on_error: OnError = raise_error
) -> Iterator[Record]:
    """Records of tagged sentences that keep to the scheme of all of them, or may break it.

    Raises:
        UserError: a sentence breaks it, unless `on_error` lets it be left out.
    """
    scheme = detect(sentence.tags for sentence in whole)
    problems = [next(scheme.problems(sentence.tags), None) for sentence in whole]
    count = sum(problem is not None for problem in problems)
    lenient = broken == "repaired" or (broken == "rare" and count <= RARE * len(whole))
    for sentence, problem in zip(whole, problems, strict=True):
        if problem is None:
            yield _record(sentence, scheme=scheme.name)
            continue
        where = sentence.where[problem.place]
        what = f"{problem.what} (token {sentence.tokens[problem.place]!r})"
        if lenient:
            yield _record(sentence, scheme=scheme.name, broken=f"{where}: {what}")
        else:
            advice = (
                f"{count} of {len(whole)} sentences break it; mend them, or let them be read as conlleval reads them"
            )
            on_error(refusal(where, f"{what}; {advice}: --set task.broken=repaired", "broken_tags"))


def _record(sentence: Sentence, *, scheme: SchemeName | None = None, broken: str = "") -> Record:
    text, units = text_of_tokens(sentence.tokens)
    row = {"tokens": list(sentence.tokens), **({"tags": list(sentence.tags)} if sentence.tags else {})}
    spans = tuple(Span(units[s.start][0], units[s.end - 1][1], s.type) for s in read_spans(sentence.tags))
    label = _types(spans) if sentence.tags else None
    return Record(text, None, label, row, sentence.where[0], Marks(spans, units, scheme, broken))


def _types(spans: tuple[Span, ...]) -> tuple[str, ...]:
    return tuple(sorted({span.type for span in spans}))
