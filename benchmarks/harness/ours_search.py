"""bertsmith's indexes of vectors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree

import numpy as np

from bertsmith.search import Entry, Exact, Hnsw, IndexSettings, Ivf, VectorIndex, build
from harness.neighbours import Found, measured
from harness.protocol import Ask, Job, Measure

KINDS = {"exact": Exact(), "exact-int8": Exact(codes="int8"), "ivf-int8": Ivf(), "hnsw-int8": Hnsw()}


class Ready:
    """Vectors that are there already, handed out in their order."""

    fingerprint = "ready"

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors, self._next = vectors, 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The next vectors, of as many texts."""
        self._next += len(texts)
        return self._vectors[self._next - len(texts) : self._next]

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Nobody asks here."""
        raise AssertionError("an index is only built from these vectors")


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Each round builds the index anew, and searches in it."""
    vectors, queries = np.load(job.files["vectors"]), np.load(job.files["queries"])
    lines = Path(job.files["vectors"]).with_suffix(".txt").read_text(encoding="utf-8").split("\n")[: len(vectors)]
    folder = Path(job.files["scratch"]) / "index"

    def built() -> VectorIndex:
        rmtree(folder, ignore_errors=True)
        settings = IndexSettings(neighbours=KINDS[job.way])
        build(folder, (Entry(line) for line in lines), Ready(vectors), source="ready", settings=settings)
        return VectorIndex.open(folder)

    def ask(index: VectorIndex, some: np.ndarray) -> Found:
        found = index.nearest(some, top=job.options["top"])
        return np.asarray(found.scores)

    return measured(job, vectors, queries, built, ask)
