"""Search in vectors of real text: memory, recall and time of every kind of index, on the same vectors.

python benchmarks/search.py --data PATH --model FOLDER --work FOLDER [--count 1000000]

Lines of `raw/zh_mixed_*` (then of the news) are encoded once, into an index in `--work`; a run that was killed goes on
there. Every kind is then built from those vectors, and searched, in a process of its own: its peak of resident memory,
mapped files included, is what the system says of it afterwards. Queries are lines of `raw/zh_mixed_dev`, none of which
is indexed; what is right is what comparing every vector finds.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

import recording
from bertsmith.data import read_texts
from bertsmith.recipes import EncoderChoice, IndexRecipe, index_entries, lasting, open_encoder
from bertsmith.search import (
    MANIFEST,
    Entry,
    Exact,
    Hnsw,
    IndexSettings,
    Ivf,
    VectorIndex,
    build,
    query_vectors,
    read_manifest,
)
from bertsmith.training import resolve_device

CORPUS = ("zh_mixed_part1.txt.xz", "zh_mixed_part2.txt.xz", "zh_cctv_news_202209_202509.txt.gz")
QUERIES = "zh_mixed_dev.txt.xz"
KINDS = {
    "exact": Exact(),
    "exact-int8": Exact(codes="int8"),
    "ivf-int8": Ivf(),
    "hnsw-int8": Hnsw(),
}
TOP = 10
SINGLE = 200
"""Queries that are asked one by one, for the time of one."""


def main() -> None:
    """Encode, then a process for each kind."""
    options = parser().parse_args()
    if options.child:
        print(json.dumps(one_kind(options.work, options.child)))
        return
    base, seconds = encoded(options)
    print(f"{len(base):,} lines encoded, {base.vectors.shape[1]} wide", file=sys.stderr, flush=True)
    rows = [measured(options.work, name, len(base)) for name in options.kinds]
    print(recording.table(rows))
    about = (
        f"{len(base):,} lines of the corpus, {base.vectors.shape[1]} dimensions, {options.queries:,} queries of other "
        f"documents; top {TOP}; first build {seconds:.0f} s (0: it was there)."
    )
    command = f"python benchmarks/search.py --data PATH --model PATH --work PATH --count {options.count}"
    recording.record(recording.Measured("search", about, tuple(rows)), command=command, out=None, keep=options.keep)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, help="folder with raw/")
    made.add_argument("--model", help="a sentence encoder, or any encoder")
    made.add_argument("--work", type=Path, required=True, help="folder for the vectors and the indexes")
    made.add_argument("--count", type=int, default=1_000_000, help="lines to index")
    made.add_argument("--queries", type=int, default=1000)
    made.add_argument("--max-length", type=int, default=64, help="tokens read of a line")
    made.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    made.add_argument("--keep", action="store_true", help="add the table to benchmarks/results")
    made.add_argument("--child", choices=list(KINDS), help=argparse.SUPPRESS)
    return made


def encoded(options: argparse.Namespace) -> tuple[VectorIndex, float]:
    """The index that holds the vectors, made now or earlier, and the vectors of the queries beside it."""
    folder, began = options.work / "base", time.perf_counter()
    choice = EncoderChoice(source=options.model, max_length=options.max_length)
    if not (folder / MANIFEST).exists():
        recipe = IndexRecipe(encoder=choice, input=options.data, index=IndexSettings(neighbours=Exact()))
        embedder = open_encoder(choice, resolve_device("auto"))
        lines = (Entry(line) for line in islice(distinct(options.data), options.count))
        index_entries(recipe, folder, lines, embedder, resume=folder.exists(), say=to_stderr)
    base = VectorIndex.open(folder)
    if lasting(choice.source) != base.manifest.model.source or len(base) > options.count:
        sys.exit(f"{folder} holds {len(base):,} lines by {base.manifest.model.source}; choose another --work")
    if not (options.work / "queries.npy").exists():
        texts = list(islice(read_texts(options.data / "raw" / QUERIES), 20 * options.queries))
        asked = [text for text in texts if text.strip()][:: max(1, len(texts) // (2 * options.queries))]
        embedder = open_encoder(choice, resolve_device("auto"))
        np.save(options.work / "queries.npy", query_vectors(base, asked[: options.queries], embedder))
    return base, time.perf_counter() - began


def distinct(data: Path) -> Iterator[str]:
    """Lines of the corpus, each once."""
    seen: set[int] = set()
    for name in CORPUS:
        for line in read_texts(data / "raw" / name):
            if line.strip() and hash(line) not in seen:
                seen.add(hash(line))
                yield line.strip()


class Ready:
    """Vectors that are there already, handed out in their order."""

    def __init__(self, base: VectorIndex) -> None:
        self.fingerprint = base.manifest.model.fingerprint
        self._vectors, self._next = base.vectors, 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The next vectors, of as many texts."""
        self._next += len(texts)
        return np.asarray(self._vectors[self._next - len(texts) : self._next], dtype=np.float32)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Nobody asks here."""
        raise AssertionError("an index is only built from these vectors")


def one_kind(work: Path, name: str) -> dict[str, float | str | int]:
    """Build one kind and search in it; runs in a process of its own."""
    base, folder = VectorIndex.open(work / "base"), work / name
    began = time.perf_counter()
    if not (folder / MANIFEST).exists():
        lines = (Entry(base.texts[row]) for row in range(base.manifest.rows))
        settings = IndexSettings(neighbours=KINDS[name])
        build(folder, lines, Ready(base), source="ready", settings=settings, say=to_stderr)
    seconds, index = time.perf_counter() - began, VectorIndex.open(folder)
    queries = np.load(work / "queries.npy")
    index.nearest(queries[:2], top=TOP)
    began = time.perf_counter()
    found = index.nearest(queries, top=TOP)
    together = 1000 * (time.perf_counter() - began) / len(queries)
    began = time.perf_counter()
    for query in queries[:SINGLE]:
        index.nearest(query[None], top=TOP)
    alone = 1000 * (time.perf_counter() - began) / min(SINGLE, len(queries))
    manifest = read_manifest(folder)
    np.save(work / f"{name}.npy", found.scores)
    return {
        "kind": name,
        "build s": round(seconds, 1),
        "MB on disk": round(sum(file.size for file in manifest.files.values()) / 1e6),
        "effort": manifest.approximate.effort if manifest.approximate else 0,
        "ms/query, one by one": round(alone, 3),
        "ms/query, together": round(together, 3),
    }


def measured(work: Path, name: str, count: int) -> dict[str, float | str | int]:
    """The row of one kind: what its process says, the memory it took, and the recall against the truth."""
    out = work / f"{name}.json"
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, __file__, "--work", str(work), "--child", name],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, str(out), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)],
    )
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{name} failed; see above")
    row = json.loads(out.read_text(encoding="utf-8"))
    recall = recall_of(work, name)
    return {**row, f"recall@{TOP}": round(recall, 4), "peak MB": round(usage.ru_maxrss / 1024)}


def recall_of(work: Path, name: str) -> float:
    """Share of the best scores that were found; a line as near as the tenth counts as well as it."""
    truth_file = work / "truth.npy"
    if not truth_file.exists():
        base = VectorIndex.open(work / "base")
        np.save(truth_file, base.nearest(np.load(work / "queries.npy"), top=TOP, exact=True).scores)
    truth, scores = np.load(truth_file), np.load(work / f"{name}.npy")
    return float((scores >= truth[:, -1:] - 1e-6).mean())


def to_stderr(message: str) -> None:
    """Say a line."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
