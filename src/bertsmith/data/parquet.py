"""Rows of .parquet, through pyarrow where it is installed."""

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bertsmith.data.compression import ByteSink, read_chunks
from bertsmith.data.formats import kind_of, require_file
from bertsmith.data.record import refusal
from bertsmith.errors import UserError


def parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row number (from 1) and values by column name, a row group at a time.

    Raises:
        UserError: pyarrow is missing, or the file is not Parquet.
    """
    require_file(path)
    arrow, parquet = _pyarrow()
    compressed = kind_of(path).compression != "none"
    source = io.BytesIO(b"".join(read_chunks(path))) if compressed else str(path)
    number = 0
    try:
        with parquet.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise refusal(str(path), f"not readable as Parquet: {str(error).splitlines()[0]}", "damaged_file") from error


def write_parquet(file: ByteSink, rows: Iterable[Mapping[str, Any]], name: str) -> None:
    """Write rows as one table; all of them are gathered first, since a column's type needs every value.

    Raises:
        UserError: pyarrow is missing, or a column mixes types.
    """
    arrow, parquet = _pyarrow()
    gathered = [dict(row) for row in rows]
    columns = list(dict.fromkeys(column for row in gathered for column in row))
    try:
        table = arrow.table({column: [row.get(column) for row in gathered] for column in columns})
    except arrow.ArrowException as error:
        what = f"a Parquet column holds values of one type only: {error}; write .jsonl instead"
        raise refusal(name, what, "mixed_types") from error
    parquet.write_table(table, file)


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        message = "Parquet files need pyarrow: pip install 'bertsmith[parquet]', or convert the file to .jsonl"
        raise UserError(message, code="missing_package") from None
    return pyarrow, pyarrow.parquet
