"""Columns of an index on disk: texts end to end, and rows of numbers; they only grow, and are never held in memory."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
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
        return [content[a:b].decode() for a, b in zip(places, places[1:], strict=False)]


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

    def __enter__(self) -> "GrowingFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class GrowingTexts:
    """A column of texts that is written; `files` are its two files by name."""

    def __init__(self, folder: Path, name: str, known: dict[str, StoredFile]) -> None:
        self.content = GrowingFile(folder / f"{name}.txt", known.get(f"{name}.txt"))
        self.ends = GrowingFile(folder / f"{name}.ends", known.get(f"{name}.ends"))

    def append(self, texts: Sequence[str]) -> None:
        """Write more texts."""
        pieces = [text.encode() for text in texts]
        ends = self.content.stored.size + np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        self.content.append(b"".join(pieces))
        self.ends.append(ends.astype(ENDS).tobytes())

    def files(self) -> Iterator[tuple[str, StoredFile]]:
        """Close both files and say what they hold."""
        for file in (self.content, self.ends):
            yield file.path.name, file.close()
