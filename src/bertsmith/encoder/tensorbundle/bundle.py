"""A TensorFlow checkpoint as variables by name: read one at a time, each compared with its checksum.

The format is TensorFlow's "tensor bundle" (V2, since 2016): `PREFIX.index` is a sorted table from names
to entries, `PREFIX.data-00000-of-00002` and so on hold the numbers. A partitioned variable has an entry
of its own for each part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Shaped

from bertsmith.encoder.tensorbundle.checksum import crc32c, masked
from bertsmith.encoder.tensorbundle.entry import DTYPES, Entry, Header, read_entry, read_header
from bertsmith.encoder.tensorbundle.slices import slice_key
from bertsmith.encoder.tensorbundle.table import entries
from bertsmith.encoder.tensorbundle.wire import Malformed
from bertsmith.errors import UserError

_INDEX = ".index"


@dataclass(frozen=True, slots=True)
class Variable:
    """What an index says of a variable, without reading it. `dtype` is numpy's name, or TensorFlow's number."""

    shape: tuple[int, ...]
    dtype: str
    parts: int


class TensorBundle:
    """The variables of one checkpoint.

    Raises:
        UserError: there is no index of that name, or it is damaged or of a kind that is not read.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self._header, self._entries = _read_index(prefix)

    @property
    def shards(self) -> int:
        """How many data files there are."""
        return self._header.shards

    @property
    def variables(self) -> Mapping[str, Variable]:
        """Everything that has a name, parts of partitioned variables not counted."""
        return {
            key.decode("utf-8", "replace"): Variable(entry.shape, entry.dtype, max(1, len(entry.slices)))
            for key, entry in self._entries.items()
            if key and key[0] != 0
        }

    def read(self, name: str) -> Shaped[np.ndarray, "..."]:
        """The numbers of a variable; bfloat16, which numpy has not, comes as float32.

        Raises:
            UserError: there is no such variable, or its data are missing, cut short or damaged.
        """
        entry = self._entry(name.encode(), name)
        if not entry.slices:
            return self._numbers(entry, name)
        result = np.empty(entry.shape, dtype=_in_numpy(entry.dtype))
        covered = 0
        for extents in entry.slices:
            part = self._entry(slice_key(name, extents), name)
            place = tuple(slice(None) if size < 0 else slice(start, start + size) for start, size in extents)
            numbers = self._numbers(part, name)
            if result[place].shape != numbers.shape:
                self._damaged(name, f"a part of shape {list(numbers.shape)} does not fit its place")
            result[place] = numbers
            covered += numbers.size
        if covered != result.size:
            self._damaged(name, f"its parts hold {covered:,} of {result.size:,} numbers")
        return result

    def _entry(self, key: bytes, name: str) -> Entry:
        if key not in self._entries:
            self._damaged(name, "the index has no entry for it, or for one of its parts")
        return self._entries[key]

    def _numbers(self, entry: Entry, name: str) -> np.ndarray:
        if entry.dtype not in DTYPES.values():
            self._damaged(name, f"it holds no numbers (TensorFlow's type {entry.dtype})")
        stored = np.dtype("<u2" if entry.dtype == "bfloat16" else entry.dtype).newbyteorder(self._header.order)
        count = int(np.prod(entry.shape, dtype=np.int64))
        if entry.size != count * stored.itemsize:
            self._damaged(name, f"{entry.size:,} bytes for {count:,} numbers of {entry.dtype}")
        raw = self._bytes(entry, name)
        if masked(crc32c(raw)) != entry.checksum:
            self._damaged(name, f"its checksum in {self._shard(entry).name} is wrong", file=self._shard(entry))
        numbers = raw.view(stored).astype(stored.newbyteorder("="), copy=False).reshape(entry.shape)
        return _widened(numbers) if entry.dtype == "bfloat16" else numbers

    def _bytes(self, entry: Entry, name: str) -> np.ndarray:
        path = self._shard(entry)
        try:
            raw = np.fromfile(path, dtype=np.uint8, count=entry.size, offset=entry.offset)
        except FileNotFoundError:
            self._damaged(name, f"{path.name} is missing", file=path)
        except OSError as error:
            self._damaged(name, f"{path.name} cannot be read ({error.strerror or error})", file=path)
        if len(raw) != entry.size:
            self._damaged(name, f"{path.name} ends before it does", file=path)
        return raw

    def _shard(self, entry: Entry) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self._header.shards:05d}")

    def _damaged(self, name: str, fact: str, *, file: Path | None = None) -> NoReturn:
        where = str(file or self.prefix.with_name(self.prefix.name + _INDEX))
        raise UserError(
            f"{where}: variable {name}: {fact}; copy or download the checkpoint again",
            code="broken_weights",
            where=where,
        )


def is_bundle(prefix: Path) -> bool:
    """Whether there is an index of that prefix."""
    return prefix.with_name(prefix.name + _INDEX).is_file()


def prefixes(folder: Path) -> Sequence[Path]:
    """The checkpoints of a folder, by the name of their index."""
    found = sorted(folder.glob("*" + _INDEX))
    return [path.with_name(path.name.removesuffix(_INDEX)) for path in found if _has_shards(path)]


def _has_shards(index: Path) -> bool:
    stem = index.name.removesuffix(_INDEX)
    return any(path.name.startswith(f"{stem}.data-") for path in index.parent.iterdir())


def _read_index(prefix: Path) -> tuple[Header, dict[bytes, Entry]]:
    path = prefix.with_name(prefix.name + _INDEX)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", code="missing_file", where=str(path)) from None
    try:
        found = dict(entries(content))
        if b"" not in found:
            raise Malformed("it has no header")
        header = read_header(found.pop(b""))
        return header, {key: read_entry(value) for key, value in found.items()}
    except Malformed as error:
        raise UserError(
            f"{path} is damaged or no index of a TensorFlow checkpoint: {error}; copy or download it again",
            code="broken_weights",
            where=str(path),
        ) from None


def _in_numpy(dtype: str) -> str:
    return "float32" if dtype == "bfloat16" else dtype


def _widened(halves: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """The upper half of a float32 as a whole one."""
    wide: np.ndarray = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return wide
