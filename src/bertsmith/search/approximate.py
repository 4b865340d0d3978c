"""Neighbours of millions of vectors through faiss: built from the disk, and as thorough as was asked."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from bertsmith.errors import UserError
from bertsmith.search.layout import damaged
from bertsmith.search.scanning import Neighbours, Scanned, nearest
from bertsmith.search.settings import Hnsw, Ivf
from bertsmith.search.vectors import normalised, rescored

PROBES = 256
"""Points that are asked for their neighbours, to find how much effort a search needs."""
ROWS_AT_ONCE = 32_768
TRAIN_A_CELL = 64
"""Vectors a cell that centres and codes are learned from; faiss warns below 39."""
TOP = 10
LEAST_GAIN = 5e-4
"""Recall that more effort must bring to be worth it."""

Say = Callable[[str], None]


def require_faiss(why: str) -> ModuleType:
    """Import faiss.

    Raises:
        UserError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UserError(
            f"{why} needs faiss, which is not installed: pip install 'bertsmith[ann]', or build with --kind exact",
            code="missing_package",
        ) from None
    return faiss


def has_faiss() -> bool:
    """Whether faiss can be imported."""
    try:
        require_faiss("")
    except UserError:
        return False
    return True


class Approximate:
    """A faiss index; `effort` is how many candidates (HNSW) or cells (IVF) a search looks at."""

    def __init__(self, index: Any, kind: Hnsw | Ivf, *, effort: int = 1) -> None:
        self.index = index
        self.kind = kind
        self.effort = effort

    @classmethod
    def read(cls, path: Path, kind: Hnsw | Ivf, *, rows: int, effort: int) -> "Approximate":
        """Load what `write` wrote.

        Raises:
            UserError: faiss is missing, or the file is damaged.
        """
        faiss = require_faiss(f"an index of kind {kind.kind}")
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise damaged(path, f"is no faiss index ({str(error).splitlines()[0]:.80})") from None
        if index.ntotal != rows:
            raise damaged(path, f"holds {index.ntotal:,} vectors instead of {rows:,}")
        return cls(index, kind, effort=effort)

    @classmethod
    def built(
        cls, vectors: Shaped[np.ndarray, "rows width"], kind: Hnsw | Ivf, *, seed: int = 0, say: Say = print
    ) -> "Approximate":
        """Learn what must be learned from some vectors, and put all in.

        Raises:
            UserError: faiss is missing, or there are too few vectors for the cells asked for.
        """
        index = _empty(vectors.shape[1], len(vectors), kind)
        sample = np.sort(np.random.default_rng(seed).permutation(len(vectors))[: _training_rows(len(vectors), kind)])
        index.train(np.asarray(vectors[sample], dtype=np.float32))
        made = cls(index, kind)
        made.add(vectors, say=say)
        return made

    def add(self, vectors: Shaped[np.ndarray, "rows width"], *, say: Say = print) -> None:
        """Put in the rows that it does not hold yet, as they are read from the disk."""
        for first, block in _blocks(vectors, self.index.ntotal):
            self.index.add(block)
            say(f"{self.kind.kind}: {first + len(block):,} of {len(vectors):,} vectors")

    def write(self, path: Path) -> None:
        """Write the index to a file."""
        require_faiss("writing").write_index(self.index, str(path))

    def candidates(
        self,
        queries: Float32[np.ndarray, "queries width"],
        *,
        top: int,
        alive: Bool[np.ndarray, "rows"] | None = None,
        effort: int | None = None,
    ) -> Int64[np.ndarray, "queries top"]:
        """Rows that are probably among the nearest; -1 where none was found."""
        faiss = require_faiss("searching")
        sel = (
            faiss.IDSelectorBitmap(np.packbits(alive[: self.index.ntotal], bitorder="little"))
            if alive is not None
            else None
        )
        effort = effort or self.effort
        asked: dict[str, Any] = {} if sel is None else {"sel": sel}
        if self.kind.kind == "hnsw":
            parameters = faiss.SearchParametersHNSW(efSearch=max(effort, top), **asked)
        else:
            parameters = faiss.SearchParametersIVF(nprobe=effort, **asked)
        _, rows = self.index.search(np.ascontiguousarray(queries), min(top, self.index.ntotal), params=parameters)
        if rows.shape[1] < top:
            rows = np.pad(rows, ((0, 0), (0, top - rows.shape[1])), constant_values=-1)
        return np.asarray(rows, dtype=np.int64)

    def tune(self, vectors: Shaped[np.ndarray, "rows width"], *, rescore: int, seed: int = 0) -> float:
        """Find the least effort whose recall@10 is as asked, and return that recall.

        Asked are points a quarter of the way from one vector to another: like a query they lie among the texts, and
        are none of them (a vector of the index finds itself, and by its links its neighbours, too easily; LOG.md).
        Where more effort finds no more, what is missing was lost in the codes, and the search for it ends.
        """
        probes = _probes(vectors, seed)
        truth = nearest(probes, Scanned(vectors), top=TOP)
        best = (0.0, 1)
        for effort in self._efforts():
            rows = self.candidates(probes, top=TOP * rescore, effort=effort)
            recall = _recall(rescored(probes, rows, vectors, top=TOP), truth)
            if recall > best[0] + LEAST_GAIN:
                best = (recall, effort)
            if recall >= self.kind.recall:
                best = (recall, effort)
                break
            if effort > 4 * max(best[1], TOP * rescore):
                break
        self.effort = best[1]
        return best[0]

    def _efforts(self) -> Iterator[int]:
        most = 4096 if self.kind.kind == "hnsw" else int(self.index.nlist)
        effort = 16 if self.kind.kind == "hnsw" else 1
        while effort < most:
            yield effort
            effort = max(effort + 1, effort * 3 // 2)
        yield most


def _probes(vectors: Shaped[np.ndarray, "rows width"], seed: int) -> Float32[np.ndarray, "probes width"]:
    """Points between vectors, three times as near to the one as to the other."""
    rng = np.random.default_rng(seed)
    near, far = (np.sort(rng.permutation(len(vectors))[:PROBES]) for _ in range(2))
    some = np.asarray(vectors[near], dtype=np.float32)
    return normalised(3 * some + np.asarray(vectors[far], dtype=np.float32)[rng.permutation(len(far))])


def _recall(found: Neighbours, truth: Neighbours) -> float:
    """Share of the true neighbours that were found, those of a score as good as the last counting too."""
    wanted = (truth.rows >= 0).sum(axis=1)
    last = np.take_along_axis(truth.scores, np.maximum(wanted - 1, 0)[:, None], axis=1)
    got = ((found.rows >= 0) & (found.scores >= last - 1e-6)).sum(axis=1)
    return float(np.minimum(got, wanted).sum() / max(1, wanted.sum()))


def _empty(width: int, rows: int, kind: Hnsw | Ivf) -> Any:
    faiss = require_faiss(f"an index of kind {kind.kind}")
    metric = faiss.METRIC_INNER_PRODUCT
    if isinstance(kind, Hnsw):
        if kind.codes == "int8":
            index = faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_8bit, kind.links, metric)
        else:
            index = faiss.IndexHNSWFlat(width, kind.links, metric)
        index.hnsw.efConstruction = kind.build_effort
        return index
    cells = _cells(rows, kind)
    if cells > rows:
        raise UserError(f"{cells:,} cells for {rows:,} vectors; a cell needs at least one", code="too_few_rows")
    store = "SQ8" if kind.codes == "int8" else "Flat"
    index = faiss.index_factory(width, f"IVF{cells},{store}", metric)
    faiss.extract_index_ivf(index).cp.min_points_per_centroid = 1
    return index


def _cells(rows: int, kind: Ivf) -> int:
    return kind.cells or max(1, min(4 * math.isqrt(rows), rows // 39))


def _training_rows(rows: int, kind: Hnsw | Ivf) -> int:
    wanted = 65_536 if isinstance(kind, Hnsw) else max(16_384, TRAIN_A_CELL * _cells(rows, kind))
    return min(rows, wanted)


def _blocks(
    vectors: Shaped[np.ndarray, "rows width"], start: int
) -> Iterator[tuple[int, Float32[np.ndarray, "some width"]]]:
    for first in range(start, len(vectors), ROWS_AT_ONCE):
        yield first, np.ascontiguousarray(vectors[first : first + ROWS_AT_ONCE], dtype=np.float32)
