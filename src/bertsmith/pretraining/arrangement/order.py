"""Large tables of an epoch without large memory: a shuffle that is a formula, rows that are on disk."""

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.files import writing

_MASK = (1 << 64) - 1
_ROUNDS = 6


class Shuffle:
    """A permutation of 0 to `size` that is computed, not stored: a Feistel network (Black & Rogaway 2002).

    A network over the next power of four is a permutation; stepping on until the number is small
    enough makes it one of any size.
    """

    def __init__(self, size: int, *key: int) -> None:
        self._size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        state = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)
        self._keys = [int(part) for part in state]

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row: int) -> int:
        if not 0 <= row < self._size:
            raise IndexError(f"row {row} of {self._size}")
        row = self._step(row)
        while row >= self._size:
            row = self._step(row)
        return row

    def _step(self, number: int) -> int:
        mask = (1 << self._half) - 1
        left, right = number >> self._half, number & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) >> (64 - self._half))
        return left << self._half | right


class RowFile:
    """Rows of a structured type in a nameless temporary file, read one at a time; it goes with the object."""

    def __init__(self, kind: np.dtype) -> None:
        self._kind = kind
        self._rows = 0
        self._folder = Path(tempfile.gettempdir())
        with writing(self._folder):
            self._file, name = tempfile.mkstemp(prefix="bertsmith.")
            os.unlink(name)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: np.ndarray) -> None:
        """Write rows at the end.

        Raises:
            UserError: the temporary folder is full.
        """
        content = memoryview(rows.astype(self._kind).tobytes())
        self._rows += len(rows)
        with writing(self._folder):
            while content:
                content = content[os.write(self._file, content) :]

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        width = self._kind.itemsize
        (found,) = np.frombuffer(os.pread(self._file, width, row * width), self._kind).tolist()
        return tuple(found)


def _mixed(value: int) -> int:
    """Spread every bit over the upper ones (the finalizer of SplitMix64, Steele et al. 2014)."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31
