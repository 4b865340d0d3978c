"""An index that is open: rows in, texts out; neighbours of vectors, however they are found."""

import json
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from bertsmith.errors import UserError
from bertsmith.search.approximate import Approximate
from bertsmith.search.bm25 import Bm25, Postings
from bertsmith.search.columns import Texts, mapped
from bertsmith.search.derived import RESCORE
from bertsmith.search.entries import IDS, METADATA, TEXTS, Id, deleted_rows, id_key, stored_keys
from bertsmith.search.layout import Manifest, read_manifest
from bertsmith.search.scanning import Neighbours, Scanned, nearest
from bertsmith.search.settings import Exact
from bertsmith.search.vectors import CODES, SCALES, open_vectors, require_finite, rescored

FEW = 20_000
"""Where a filter leaves so few rows, they are compared one by one: a graph would not find them."""

Mask = Bool[np.ndarray, "rows"]


class VectorIndex:
    """What the folder holds, read as it is used; a change of the folder shows once it is opened again."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        data = folder / manifest.data
        self.folder = folder
        self.manifest = manifest
        self.texts = Texts.open(data, TEXTS, manifest.rows)
        self.vectors: Shaped[np.ndarray, "rows width"] = open_vectors(
            data, manifest.settings.vectors, manifest.rows, manifest.width
        )
        self._ids = Texts.open(data, IDS, manifest.rows)
        self._metadata = Texts.open(data, METADATA, manifest.rows)

    @classmethod
    def open(cls, folder: Path) -> "VectorIndex":
        """Open an index.

        Raises:
            UserError: there is none, or it is damaged.
        """
        return cls(folder, read_manifest(folder))

    def __len__(self) -> int:
        return self.manifest.live_rows

    @cached_property
    def alive(self) -> Mask | None:
        """The rows that are not deleted; None if none is."""
        if self.manifest.deleted is None:
            return None
        return ~deleted_rows(self._data, self.manifest)

    def id_of(self, row: int) -> Id:
        """The id of a row, a number where all ids are."""
        name = self._ids[row]
        return int(name) if self.manifest.numbered else name

    def count_of(self, ids: Iterable[Id]) -> int:
        """How many of these ids stand in the index (by their keys)."""
        keys = np.array([id_key(str(name)) for name in ids], dtype=np.uint64)
        stored = stored_keys(self._data, self.manifest.rows)
        return int(np.isin(keys, stored if self.alive is None else stored[self.alive]).sum())

    def metadata_of(self, row: int) -> dict[str, Any]:
        """The other fields of a row."""
        stored = self._metadata[row]
        return json.loads(stored) if stored else {}

    def where(self, wanted: dict[str, Any]) -> Mask:
        """The rows that are not deleted and whose metadata have these values; `17` and `"17"` are the same.

        Every row's metadata are read, about a million in two seconds.

        Raises:
            UserError: no row has a column of this name.
        """
        kept = np.zeros(self.manifest.rows, dtype=bool)
        rows = np.arange(self.manifest.rows) if self.alive is None else np.flatnonzero(self.alive)
        columns: dict[str, None] = {}
        for row in rows.tolist():
            found = self.metadata_of(row)
            columns |= dict.fromkeys(found)
            kept[row] = all(name in found and str(found[name]) == str(value) for name, value in wanted.items())
        if len(rows):
            self._require_columns(wanted, columns)
        return kept

    def _require_columns(self, wanted: Iterable[str], columns: Collection[str]) -> None:
        missing = [name for name in wanted if name not in columns]
        if missing:
            there = f"there are {', '.join(columns)}" if columns else "its texts have none"
            raise UserError(
                f"no column {missing[0]!r} in this index; {there}", code="unknown_column", where=str(self.folder)
            )

    def nearest(
        self,
        queries: Float32[np.ndarray, "queries width"],
        *,
        top: int,
        rescore: int = RESCORE,
        among: Mask | None = None,
        exact: bool = False,
    ) -> Neighbours:
        """The rows nearest to vectors, by the kind of this index; `exact` compares every vector nevertheless.

        `among` says which rows may be found.

        Raises:
            UserError: a query is not finite, faiss is needed and missing, or the index is damaged.
        """
        require_finite(queries, lambda row: f"query {row + 1}")
        alive = self.alive if among is None else among
        if among is not None and among.sum() <= FEW:
            return self._among_few(queries, np.flatnonzero(among), top)
        kind = self.manifest.chosen
        if exact or kind == Exact():
            return nearest(queries, Scanned(self.vectors), top=top, alive=alive)
        wanted = top * rescore
        if isinstance(kind, Exact):
            rows = nearest(queries, self._codes, top=wanted, alive=alive).rows
        else:
            near = self._approximate
            rows = near.candidates(queries, top=wanted, alive=alive)
            if near.index.ntotal < self.manifest.rows:
                tail = nearest(queries, Scanned(self.vectors), top=top, alive=alive, start=near.index.ntotal)
                rows = np.concatenate([rows, tail.rows], axis=1)
        return rescored(queries, rows, self.vectors, top=top)

    @cached_property
    def words(self) -> Bm25 | None:
        """BM25 over the texts, where the index counts words."""
        settings = self.manifest.settings.words
        if settings is None:
            return None
        postings = [Postings.read(self._data / name) for name in self.manifest.postings]
        return Bm25(postings, settings, rows=self.manifest.rows, alive=self.alive)

    @property
    def _data(self) -> Path:
        return self.folder / self.manifest.data

    @cached_property
    def _codes(self) -> Scanned:
        rows, width = self.vectors.shape
        steps, middles = np.array(mapped(self._data / SCALES, np.dtype("<f4"), (2, width)))
        return Scanned(mapped(self._data / CODES, np.dtype(np.int8), (rows, width)), steps, middles)

    @cached_property
    def _approximate(self) -> Approximate:
        note, kind = self.manifest.approximate, self.manifest.chosen
        assert note is not None
        assert kind is not None
        assert not isinstance(kind, Exact)
        return Approximate.read(self._data / note.file, kind, rows=note.rows, effort=note.effort)

    def _among_few(
        self, queries: Float32[np.ndarray, "queries width"], rows: Shaped[np.ndarray, "some"], top: int
    ) -> Neighbours:
        told = nearest(queries, Scanned(np.asarray(self.vectors[rows])), top=top)
        if not len(rows):
            return told
        return Neighbours(np.where(told.rows < 0, -1, rows[np.maximum(told.rows, 0)]), told.scores)
