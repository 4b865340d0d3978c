"""Texts taken out of an index: marked first, and left out for good once they are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bertsmith.errors import UserError
from bertsmith.files import write_bytes, writing
from bertsmith.search.building import Say, new_data, silent
from bertsmith.search.columns import GrowingFolder, Texts
from bertsmith.search.derived import derive
from bertsmith.search.entries import AT_ONCE, IDS, KEYS, METADATA, TEXTS, Id, deleted_rows, id_key, stored_keys
from bertsmith.search.layout import Manifest, StoredFile, changing, read_manifest, write_manifest
from bertsmith.search.vectors import VECTORS, open_vectors


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows were deleted, and whether the index was rewritten without them."""

    rows: int
    compacted: bool


def delete(folder: Path, ids: Sequence[Id], *, say: Say = silent) -> Deleted:
    """Delete texts by their ids. They are marked only; where many are, the index is rewritten without them.

    Raises:
        UserError: there is no text of an id, or none would be left.
    """
    with changing(folder):
        known = read_manifest(folder)
        data = folder / known.data
        gone = deleted_rows(data, known)
        rows = _rows_of(data, known, gone, [str(name) for name in ids])
        if known.live_rows == len(rows):
            raise UserError(
                f"{folder}: these ids are all that the index holds; remove the folder instead", code="empty_index"
            )
        gone[rows] = True
        if gone.mean() > known.settings.compact_share:
            _compacted(folder, known, ~gone, say)
            return Deleted(len(rows), compacted=True)
        bits, name = np.packbits(gone, bitorder="little").tobytes(), f"deleted-{int(gone.sum())}.bits"
        write_bytes(data / name, bits)
        files = {file: stored for file, stored in known.files.items() if file != known.deleted}
        marked = known.but(deleted=name, deleted_rows=int(gone.sum()), files={**files, name: StoredFile().grown(bits)})
        write_manifest(folder, marked)
        return Deleted(len(rows), compacted=False)


def compact(folder: Path, *, say: Say = silent) -> Manifest:
    """Rewrite an index without its deleted rows, and what is derived from the others anew."""
    with changing(folder):
        known = read_manifest(folder)
        return _compacted(folder, known, ~deleted_rows(folder / known.data, known), say)


def _rows_of(data: Path, manifest: Manifest, gone: np.ndarray, ids: list[str]) -> np.ndarray:
    """The rows of ids that are not deleted."""
    names = Texts.open(data, IDS, manifest.rows)
    wanted = {id_key(name): name for name in ids}
    found = np.flatnonzero(np.isin(stored_keys(data, manifest.rows), np.array(list(wanted), dtype=np.uint64)) & ~gone)
    known = {names[int(row)] for row in found}
    missing = [name for name in dict.fromkeys(ids) if name not in known]
    if missing:
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise UserError(
            f"{data.parent}: no text with id {missing[0]!r}{more} in the index; check the ids. Nothing was deleted",
            code="unknown_id",
            where=str(data.parent),
        )
    return np.array([row for row in found.tolist() if names[row] in set(ids)], dtype=np.int64)


def _compacted(folder: Path, known: Manifest, alive: np.ndarray, say: Say) -> Manifest:
    """Copy the rows that are alive to new files, block by block."""
    old, (new, _) = folder / known.data, new_data(folder, resume=False)
    with writing(new):
        new.mkdir()
    say(f"rewriting {int(alive.sum()):,} of {known.rows:,} rows")
    keys = stored_keys(old, known.rows)
    vectors = open_vectors(old, known.settings.vectors, known.rows, known.width)
    with GrowingFolder(new) as growing:
        columns = [(Texts.open(old, name, known.rows), growing.texts(name)) for name in (TEXTS, IDS, METADATA)]
        new_keys, new_vectors = growing.file(KEYS), growing.file(VECTORS)
        for first in range(0, known.rows, AT_ONCE):
            kept = np.flatnonzero(alive[first : first + AT_ONCE])
            for before, after in columns:
                texts = before.between(first, min(first + AT_ONCE, known.rows))
                after.append([texts[place] for place in kept.tolist()])
            new_keys.append(keys[first + kept].tobytes())
            new_vectors.append(np.asarray(vectors[first + kept]).tobytes())
        files = growing.close()
    bare = known.but(
        data=new.name, rows=int(alive.sum()), files=files, deleted=None, deleted_rows=0, approximate=None, postings=()
    )
    done = derive(new, bare.but(rows=0, files={}), bare, say=say)
    write_manifest(folder, done)
    return done
