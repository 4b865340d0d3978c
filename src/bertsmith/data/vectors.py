"""Rows of vectors on disk: a .npy file whose length is known at the end only, and a scratch file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from bertsmith.errors import UserError
from bertsmith.files import atomic_path, writing

Rows = Float[np.ndarray, "rows width"]


class VectorSink:
    """Takes float32 rows as they come."""

    def __init__(self, file: BinaryIO, width: int) -> None:
        self._file = file
        self.width = width
        self.rows = 0

    def add(self, rows: Rows) -> None:
        """Write some rows."""
        self._file.write(np.ascontiguousarray(rows, dtype="<f4").data)
        self.rows += len(rows)


def require_npy(path: Path) -> None:
    """Make sure that vectors can be written under this name.

    Raises:
        UserError: it does not end in .npy, or is a pipe, a device or a folder.
    """
    if path.suffix != ".npy" or (path.exists() and not path.is_file()):
        raise UserError(
            f"vectors are written to a .npy file, an ordinary one; {path} is none: name it, say, vectors.npy",
            code="not_npy",
            where=str(path),
        )


@contextmanager
def vector_file(path: Path, width: int) -> Iterator[VectorSink]:
    """Write a .npy of float32 rows, in constant memory; the file appears when it is complete.

    Raises:
        UserError: the name or the place does not do.
    """
    require_npy(path)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        _header(file, 0, width)
        start = file.tell()
        sink = VectorSink(file, width)
        yield sink
        file.seek(0)
        _header(file, sink.rows, width)
        assert file.tell() == start, "numpy leaves room in the header for any number of rows"


@contextmanager
def scratch_vectors(beside: Path, width: int) -> Iterator["Scratch"]:
    """A nameless file on the disk of `beside`, gone afterwards.

    Raises:
        UserError: the disk is full or cannot be written.
    """
    with writing(beside):
        beside.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=beside.parent) as file:
            yield Scratch(file, width)


class Scratch(VectorSink):
    """Rows that are written once and read again in parts."""

    def parts(self, rows: int = 65536) -> Iterator[Rows]:
        """All rows, so many at a time."""
        self._file.seek(0, os.SEEK_SET)
        size = 4 * self.width
        while content := self._file.read(rows * size):
            yield np.frombuffer(bytearray(content), dtype="<f4").reshape(-1, self.width)


def _header(file: BinaryIO, rows: int, width: int) -> None:
    facts = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, facts)
