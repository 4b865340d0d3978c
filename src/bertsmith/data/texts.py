"""Texts alone, as a stream: one a row of a data file, or one a line of a plain file."""

from collections.abc import Iterator
from pathlib import Path

from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.formats import bare_suffix, display_name
from bertsmith.data.reading import read_records
from bertsmith.data.record import USUAL_COLUMNS, Columns, refusal


def read_texts(
    path: Path, columns: Columns = USUAL_COLUMNS, *, encoding: str = "utf-8", lines: bool = False
) -> Iterator[str]:
    """Stream the texts of a file, blank ones too, so that the n-th text is that of the n-th row.

    A .txt file (also .gz, .xz, .zst), or any with `lines`, has a text a line, blank lines included.
    `-` is standard input: JSON lines, or with `lines` plain ones.

    Raises:
        UserError: the file is missing, empty, damaged, in another encoding or without the column.
    """
    if not lines and bare_suffix(path) != ".txt":
        kept = read_records(path, columns, labels="none", pairs="ignored", encoding=encoding, blanks="kept")
        yield from (record.text for record in kept)
        return
    empty = True
    for line in TextLines(read_chunks(path), display_name(path), encoding):
        empty = False
        yield line.rstrip("\r\n")
    if empty:
        raise refusal(display_name(path), "the file holds no lines", "empty_file")
