"""Neighbours of vectors by numpy alone, and by faiss."""

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.neighbours import measured
from harness.peers import needed
from harness.protocol import Ask, Job, Measure

PART = 256
"""Queries compared at once."""


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Vectors of length 1, so that dot products are cosines."""
    vectors, queries = np.load(job.files["vectors"]), np.load(job.files["queries"])
    if job.system == "numpy":
        return measured(
            job, vectors, queries, lambda: vectors, lambda index, some: brute(index, some, job.options["top"])
        )
    faiss = needed("faiss")
    faiss.omp_set_num_threads(job.threads)
    return measured(
        job,
        vectors,
        queries,
        lambda: built(faiss, job.way, vectors),
        lambda index, some: index.search(np.ascontiguousarray(some), job.options["top"])[0],
    )


def brute(vectors: np.ndarray, queries: np.ndarray, top: int) -> np.ndarray:
    """Every vector compared, the best sorted."""
    found = []
    for start in range(0, len(queries), PART):
        scores = queries[start : start + PART] @ vectors.T
        best = np.take_along_axis(scores, np.argpartition(-scores, top, axis=1)[:, :top], axis=1)
        found.append(-np.sort(-best, axis=1))
    return np.concatenate(found)


def built(faiss: Any, kind: str, vectors: np.ndarray) -> Any:
    """An index with the settings its users begin with: as many cells as the root of the vectors, an eighth visited."""
    width, inner = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
    if kind == "exact":
        index = faiss.IndexFlatIP(width)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(width, 32, inner)
        index.hnsw.efConstruction, index.hnsw.efSearch = 200, 64
    else:
        cells = max(1, int(len(vectors) ** 0.5))
        index = faiss.index_factory(width, f"IVF{cells},SQ8", inner)
        index.train(vectors)
        index.nprobe = max(1, cells // 8)
    index.add(vectors)
    return index
