"""Files of a search: texts with ids and metadata, queries, ids to delete."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from bertsmith.data import Columns, read_records
from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.formats import bare_suffix, display_name
from bertsmith.data.reading import raw_rows
from bertsmith.data.record import refusal
from bertsmith.errors import UserError
from bertsmith.search import Entry, Id

USUAL_IDS = ("id", "doc_id", "query_id", "_id")
"""Columns that are taken for ids where none is named, the first that the file has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with its id; the number of its row (from 0) where the file has none."""

    text: str
    id: Id


def read_entries(path: Path, columns: Columns, *, id_column: str | None, encoding: str) -> Iterator[Entry]:
    """Stream the texts of a file: of .txt every line, else the rows with all other columns as metadata.

    Raises:
        UserError: the file cannot be read, a text is blank, or an id is missing or neither text nor whole number.
    """
    if bare_suffix(path) == ".txt":
        yield from _lines(path, encoding)
        return
    records = read_records(path, columns, labels="none", pairs="ignored", encoding=encoding)
    first = next(records)
    if id_column is None:
        id_column = next((name for name in USUAL_IDS if name in first.row), None)
    for record in chain([first], records):
        named = None if id_column is None else _id(record.row, id_column, record.where)
        metadata = {
            name: value
            for name, value in record.row.items()
            if name not in (columns.text, id_column) and value not in (None, "")
        }
        yield Entry(record.text, named, metadata, record.where)


def read_queries(path: Path, columns: Columns, *, id_column: str | None, encoding: str) -> list[Asked]:
    """The queries of a file, in order.

    Raises:
        UserError: as `read_entries`.
    """
    entries = read_entries(path, columns, id_column=id_column, encoding=encoding)
    return [Asked(one.text, number if one.id is None else one.id) for number, one in enumerate(entries)]


def read_ids(path: Path, *, encoding: str) -> list[str]:
    """Ids to delete: of .txt a line each, else the column of ids.

    Raises:
        UserError: the file cannot be read, or has no column of ids.
    """
    if bare_suffix(path) == ".txt":
        lines = TextLines(read_chunks(path), display_name(path), encoding)
        return [line.strip() for line in lines if line.strip()]
    found = []
    for number, row in raw_rows(path, encoding):
        column = _column(row, USUAL_IDS, f"{display_name(path)}:{number}")
        found.append(str(_id(row, column, f"{display_name(path)}:{number}")))
    return found


def _lines(path: Path, encoding: str) -> Iterator[Entry]:
    lines, empty = TextLines(read_chunks(path), display_name(path), encoding), True
    for line in lines:
        if line.strip():
            empty = False
            yield Entry(line.strip(), where=lines.place())
    if empty:
        raise refusal(display_name(path), "the file holds no text", "empty_file")


def _id(row: dict[str, Any], column: str, where: str) -> Id:
    if column not in row:
        columns = ", ".join(map(repr, list(row)[:20]))
        raise refusal(where, f"no column {column!r} for the ids; the columns are {columns}", "missing_column")
    value = row[column]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        what = f"column {column!r} must hold an id, a text or a whole number, found {value!r:.60}"
        raise refusal(where, what, "bad_id")
    return value


def _column(row: dict[str, Any], names: tuple[str, ...], where: str) -> str:
    found = next((name for name in names if name in row), None)
    if found is None:
        columns = ", ".join(map(repr, list(row)[:20]))
        raise UserError(
            f"{where}: none of the columns {', '.join(names)} is there; the columns are {columns}. Rename one",
            code="missing_column",
            where=where,
        )
    return found
