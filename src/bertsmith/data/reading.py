"""Data files to records, streamed: .csv, .tsv, .jsonl and .parquet, plain or compressed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.delimited import delimited_rows
from bertsmith.data.fields import Fields
from bertsmith.data.formats import display_name, kind_of
from bertsmith.data.jsonlines import json_rows
from bertsmith.data.parquet import parquet_rows
from bertsmith.data.record import (
    USUAL_COLUMNS,
    BlankKind,
    Columns,
    LabelKind,
    OnError,
    PairKind,
    Record,
    raise_error,
    refusal,
)
from bertsmith.errors import UserError


def read_records(  # noqa: PLR0913 - each says how one thing is read
    path: Path,
    columns: Columns = USUAL_COLUMNS,
    *,
    labels: LabelKind = "single",
    pairs: PairKind = "optional",
    blanks: BlankKind = "refused",
    encoding: str = "utf-8",
    on_error: OnError = raise_error,
) -> Iterator[Record]:
    """Stream the records of a file; `-` is standard input as JSON lines.

    A problem of one row goes to `on_error`, which may note it and let the reading go on. What spoils the
    whole file (missing, another encoding, damaged, without the column) is always raised, once iteration
    gets there.

    Raises:
        UserError: as said above; also where the file holds no rows at all.
    """
    fields = Fields(columns=columns, labels=labels, pairs=pairs, blanks=blanks)
    name = display_name(path)
    seen = False
    for number, row in raw_rows(path, encoding, on_error):
        try:
            record = fields.record(row, f"{name}:{number}")
        except UserError as error:
            if error.code == "missing_column" and not seen:
                raise
            on_error(error)
        else:
            yield record
        seen = True
    if not seen:
        raise refusal(name, "the file holds no rows of data", "empty_file")


def column_names(path: Path, *, encoding: str = "utf-8") -> tuple[str, ...]:
    """The columns of the first row of a file; none if it has no rows.

    Raises:
        UserError: the file is missing or cannot be read, or its first row is broken.
    """
    return next((tuple(row) for _, row in raw_rows(path, encoding)), ())


def raw_rows(path: Path, encoding: str, on_error: OnError = raise_error) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream number and fields of every row, not understood yet.

    Raises:
        UserError: the file cannot be read; of one row, by way of `on_error`.
    """
    kind = kind_of(path)
    if kind.format == "parquet":
        return parquet_rows(path)
    lines = TextLines(read_chunks(path), display_name(path), encoding)
    if kind.format == "jsonl":
        return json_rows(lines, on_error)
    return delimited_rows(lines, "," if kind.format == "csv" else "\t", on_error)
