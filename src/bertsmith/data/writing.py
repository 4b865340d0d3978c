"""Rows to data files: the format the name says, in order, never half-written."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bertsmith.data.compression import ByteSink, compressing
from bertsmith.data.formats import STREAM, Format, kind_of
from bertsmith.data.parquet import write_parquet
from bertsmith.data.record import refusal
from bertsmith.files import atomic_path, json_line, writing

Row = Mapping[str, Any]


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows (column name to value) as UTF-8 and return how many; `-` is standard output as JSON lines.

    Rows are drawn one by one. The columns of .csv and .tsv are those of the first row.

    Raises:
        UserError: the format cannot hold a row, or the file cannot be written.
    """
    counted = _Counted(rows)
    if path == STREAM:
        with writing(path):
            for line in _json_lines(counted):
                sys.stdout.write(line)
                sys.stdout.flush()
        return counted.number
    kind = kind_of(path)
    with atomic_path(path) as temporary, compressing(temporary, kind.compression) as file:
        if kind.format == "parquet":
            write_parquet(file, counted, str(path))
        else:
            _write_lines(file, _lines(kind.format, counted, str(path)))
    return counted.number


class _Counted:
    """Rows that know how many of them were drawn."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += 1
            yield row


def _write_lines(file: ByteSink, lines: Iterable[str]) -> None:
    for line in lines:
        file.write(line.encode())


def _lines(kind: Format, rows: Iterable[Row], name: str) -> Iterator[str]:
    if kind == "jsonl":
        return _json_lines(rows)
    return _table_lines(rows, name, _csv_line if kind == "csv" else _tsv_line)


def _json_lines(rows: Iterable[Row]) -> Iterator[str]:
    return (json_line(dict(row), default=str) + "\n" for row in rows)


def _table_lines(rows: Iterable[Row], name: str, line: Any) -> Iterator[str]:
    columns: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not columns:
            columns = list(row)
            yield line(columns, name, 0)
        strange = [column for column in row if column not in columns]
        if strange:
            what = f"row {number} has a column {strange[0]!r} that the first row lacks; write .jsonl instead"
            raise refusal(name, what, "uneven_rows")
        yield line([_cell(row.get(column)) for column in columns], name, number)


def _csv_line(cells: list[str], name: str, number: int) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _tsv_line(cells: list[str], name: str, number: int) -> str:
    for cell in cells:
        if "\t" in cell or "\n" in cell or "\r" in cell:
            what = f"row {number} holds a TAB or a line break, which a .tsv cannot; write .csv or .jsonl instead"
            raise refusal(name, what, "unwritable_cell")
    return "\t".join(cells) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) and "|" not in each for each in value):
        return "|".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)
