"""Rows of .csv (RFC 4180) and .tsv (no quote character)."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from bertsmith.data.decoding import LONGEST_LINE, TextLines
from bertsmith.data.record import OnError, refusal

# The limit is one for the whole process; raising it harms nobody, and our lines are bounded anyway.
csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))

_REASONS = {
    "unexpected end of data": 'a quote (") opens a field in this row and is never closed',
    "field larger": f"a quoted field is still open after {LONGEST_LINE:,} characters; is its closing quote missing?",
    "expected after": 'text follows a closing quote; inside a quoted field a quote is written twice ("")',
    "new-line character": "a bare carriage return stands inside the row; save the file with ordinary line ends",
}


def delimited_rows(
    lines: TextLines, delimiter: Literal[",", "\t"], on_error: OnError
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of the line a row starts on, and its fields by column name; empty lines are skipped.

    Raises:
        UserError: a column name occurs twice, or the quotes of a row do not match.
    """
    numbered = _quoted(lines) if delimiter == "," else _split(lines)
    header: list[str] = []
    for number, fields in numbered:
        if not header:
            header = _header(fields, lines.place(number))
        elif len(fields) != len(header):
            on_error(refusal(lines.place(number), _ragged(fields, header, delimiter), "ragged_row"))
        else:
            yield number, dict(zip(header, fields, strict=True))


def _quoted(lines: TextLines) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(lines, strict=True)
    while True:
        start = lines.number + 1
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            reason = next((text for sign, text in _REASONS.items() if sign in str(error)), str(error))
            raise refusal(lines.place(start), f"broken CSV: {reason}", "broken_csv") from None
        if fields:
            yield start, fields


def _split(lines: TextLines) -> Iterator[tuple[int, list[str]]]:
    for line in lines:
        line = line.removesuffix("\n").removesuffix("\r")
        if line:
            yield lines.number, line.split("\t")


def _header(fields: Iterable[str], place: str) -> list[str]:
    names = [field.strip() for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refusal(place, f"the column name {twice[0]!r} occurs twice; rename one", "duplicate_column")
    return names


def _ragged(fields: list[str], header: list[str], delimiter: Literal[",", "\t"]) -> str:
    columns = f"the header has {len(header)} ({', '.join(header)[:200]})"
    way_out = (
        "a text that holds a comma must stand in double quotes"
        if delimiter == ","
        else "a .tsv has no quotes, so a text cannot hold a TAB or a line break; use .csv or .jsonl for those"
    )
    return f"{len(fields)} field{'s' * (len(fields) != 1)}, but {columns}; {way_out}"
