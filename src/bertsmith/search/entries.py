"""Rows on their way into an index: texts, ids and metadata to the disk first, so that what is wrong shows early."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt64

from bertsmith.errors import UserError
from bertsmith.search.columns import GrowingFolder, Texts, mapped
from bertsmith.search.layout import Manifest

TEXTS, IDS, METADATA, KEYS = "texts", "ids", "metadata", "ids.keys"
"""Columns of an index by the names of their files."""
KEY = np.dtype("<u8")
AT_ONCE = 8192

Id = str | int


@dataclass(frozen=True, slots=True)
class Entry:
    """A text to be found; without an id it gets the next number. `where` is its place, as `docs.csv:17`."""

    text: str
    id: Id | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


def store(folder: Path, manifest: Manifest, entries: Iterable[Entry]) -> Manifest:
    """Write rows behind those that are known; they count once the manifest that is returned is written.

    Raises:
        UserError: there are none, an id stands twice or is there already, or the disk is full.
    """
    with GrowingFolder(folder, manifest.files) as growing:
        writer = _Writer(growing, manifest)
        stream = iter(entries)
        while chunk := list(islice(stream, AT_ONCE)):
            writer.write(chunk)
        files = {**manifest.files, **growing.close()}
    if writer.rows == manifest.rows:
        raise UserError("there is no text to index; give at least one", code="empty_file")
    grown = manifest.but(rows=writer.rows, files=files, numbered=writer.numbered, next_id=writer.next_id)
    _require_new(folder, manifest, grown, np.concatenate(writer.lines), writer.name)
    return grown


class _Writer:
    """Writes entries behind the rows there are, and remembers the line of each, for messages."""

    def __init__(self, growing: GrowingFolder, manifest: Manifest) -> None:
        self._texts, self._ids, self._metadata = (growing.texts(name) for name in (TEXTS, IDS, METADATA))
        self._keys = growing.file(KEYS)
        self.rows, self.numbered, self.next_id = manifest.rows, manifest.numbered, manifest.next_id
        self.lines: list[np.ndarray] = []
        self.name = ""

    def write(self, chunk: list[Entry]) -> None:
        """Write some entries."""
        ids = [self._named(entry.id) for entry in chunk]
        self._texts.append([entry.text for entry in chunk])
        self._ids.append(ids)
        self._metadata.append([_as_json(entry) for entry in chunk])
        self._keys.append(np.array([id_key(name) for name in ids], dtype=KEY).tobytes())
        self.lines.append(np.array([_line(entry.where, self.rows + place) for place, entry in enumerate(chunk)]))
        self.name = chunk[-1].where.rpartition(":")[0]
        self.rows += len(chunk)

    def _named(self, given: Id | None) -> str:
        """The id of an entry, or the next number."""
        name = self.next_id if given is None else given
        if isinstance(name, int):
            self.next_id = max(self.next_id, name + 1)
        else:
            self.numbered = False
        return str(name)


def id_key(name: str) -> int:
    """64 bits that stand for an id."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def stored_keys(folder: Path, rows: int) -> UInt64[np.ndarray, "rows"]:
    """The key of the id of every row."""
    return mapped(folder / KEYS, KEY, (rows,))


def deleted_rows(folder: Path, manifest: Manifest) -> np.ndarray:
    """Which rows are deleted, as a mask over all."""
    mask = np.zeros(manifest.rows, dtype=bool)
    if manifest.deleted is not None:
        bits = np.fromfile(folder / manifest.deleted, dtype=np.uint8)
        known = np.unpackbits(bits, bitorder="little")[: manifest.rows].astype(bool)
        mask[: len(known)] = known
    return mask


def _require_new(folder: Path, before: Manifest, after: Manifest, lines: np.ndarray, name: str) -> None:
    """Make sure that every id stands once among the rows that are not deleted."""
    keys = np.array(stored_keys(folder, after.rows))
    gone = deleted_rows(folder, before)
    alive = np.concatenate([np.flatnonzero(~gone), np.arange(before.rows, after.rows)])
    order = alive[np.argsort(keys[alive], kind="stable")]
    twins = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    ids = Texts.open(folder, IDS, after.rows)
    for one, other in sorted(
        zip(order[twins].tolist(), order[twins + 1].tolist(), strict=True), key=lambda pair: pair[1]
    ):
        if ids[one] != ids[other]:
            continue
        second = f"{name}:{lines[other - before.rows]}" if name else f"row {lines[other - before.rows]}"
        if one < before.rows:
            known, advice = "is in the index already", "delete it first to replace it (--delete), or leave the row out"
        else:
            first = f"{name}:{lines[one - before.rows]}" if name else f"row {lines[one - before.rows]}"
            known, advice = f"stands at {first} already", "give every text an id of its own, or name another column"
        raise UserError(f"{second}: id {ids[other]!r} {known}; {advice}", code="duplicate_id", where=second)


def _as_json(entry: Entry) -> str:
    if not entry.metadata:
        return ""
    try:
        return json.dumps(dict(entry.metadata), ensure_ascii=False, default=str)
    except (TypeError, ValueError) as error:
        message = f"{entry.where or entry.id}: the metadata cannot be stored as JSON ({error}); leave the field out"
        raise UserError(message, code="bad_metadata", where=entry.where or None) from None


def _line(where: str, row: int) -> int:
    number = where.rpartition(":")[2]
    return int(number) if number.isdecimal() else row


def blocks_of(texts: Texts, start: int, stop: int, size: int) -> Iterator[tuple[int, list[str]]]:
    """Consecutive texts, so many at a time, with the row each block begins at."""
    for first in range(start, stop, size):
        yield first, texts.between(first, min(first + size, stop))
