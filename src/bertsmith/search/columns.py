"""Columns of an index on disk: texts end to end, and rows of numbers; they only grow, and are never held in memory."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped, UInt8, UInt64

from bertsmith.files import writing
from bertsmith.search.layout import StoredFile

ENDS = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: their UTF-8 bytes, and where each ends."""

    content: UInt8[np.ndarray, "bytes"]
    ends: UInt64[np.ndarray, "rows"]

    @classmethod
    def open(cls, folder: Path, name: str, rows: int) -> "Texts":
        """Look at the first `rows` rows."""
        ends = mapped(folder / f"{name}.ends", ENDS, (rows,))
        size = int(ends[-1]) if rows else 0
        return cls(mapped(folder / f"{name}.txt", np.dtype(np.uint8), (size,)), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        start = int(self.ends[row - 1]) if row else 0
        return self.content[start : int(self.ends[row])].tobytes().decode()

    def between(self, start: int, stop: int) -> list[str]:
        """Consecutive rows."""
        first = int(self.ends[start - 1]) if start else 0
        last = int(self.ends[stop - 1]) if stop > start else first
        content = self.content[first:last].tobytes()
        places = [0, *(self.ends[start:stop].astype(np.int64) - first).tolist()]
        return [content[a:b].decode() for a, b in pairwise(places)]


def mapped(path: Path, kind: np.dtype, shape: tuple[int, ...]) -> Shaped[np.ndarray, "..."]:
    """The beginning of a file as an array, read as it is used."""
    if not np.prod(shape, dtype=np.int64):
        return np.zeros(shape, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r", shape=shape)


class GrowingFile:
    """A file that is written from where its known part ends; it counts its bytes and their checksum."""

    def __init__(self, path: Path, known: StoredFile | None = None) -> None:
        self.path = path
        self.stored = known or StoredFile()
        with writing(path):
            path.touch()
            self._file: BinaryIO = path.open("r+b")
            self._file.truncate(self.stored.size)
            self._file.seek(self.stored.size)

    def append(self, content: bytes | memoryview) -> None:
        """Write more.

        Raises:
            UserError: the disk is full, or the place cannot be written.
        """
        with writing(self.path):
            self._file.write(content)
        self.stored = self.stored.grown(content)

    def flush(self) -> None:
        """Hand all to the system, so that the end of this process loses nothing."""
        with writing(self.path):
            self._file.flush()

    def close(self) -> StoredFile:
        """Push all to the disk, and say what there is."""
        with writing(self.path):
            if not self._file.closed:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
        return self.stored

    def drop(self) -> None:
        """Close the file, whatever is in it."""
        with suppress(OSError):
            self._file.close()


class GrowingTexts:
    """A column of texts that is written: the file of their bytes, and that of their ends."""

    def __init__(self, content: GrowingFile, ends: GrowingFile) -> None:
        self._content = content
        self._ends = ends

    def append(self, texts: Sequence[str]) -> None:
        """Write more texts."""
        pieces = [text.encode() for text in texts]
        ends = self._content.stored.size + np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        self._content.append(b"".join(pieces))
        self._ends.append(ends.astype(ENDS).tobytes())


class GrowingFolder:
    """Files of a folder that are written together, from where their known parts end; leaving it closes them all."""

    def __init__(self, folder: Path, known: Mapping[str, StoredFile] | None = None) -> None:
        self._folder = folder
        self._known = known or {}
        self._open: dict[str, GrowingFile] = {}

    def file(self, name: str) -> GrowingFile:
        """A file of bytes."""
        self._open[name] = GrowingFile(self._folder / name, self._known.get(name))
        return self._open[name]

    def texts(self, name: str) -> GrowingTexts:
        """A column of texts."""
        return GrowingTexts(self.file(f"{name}.txt"), self.file(f"{name}.ends"))

    def close(self) -> dict[str, StoredFile]:
        """Push all to the disk, and say what there is."""
        return {name: file.close() for name, file in self._open.items()}

    def __enter__(self) -> "GrowingFolder":
        return self

    def __exit__(self, *raised: object) -> None:
        for file in self._open.values():
            file.drop()
