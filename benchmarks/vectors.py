"""From text to vector: bertsmith and sentence-transformers with the same weights, end to end, in one run.

The systems take turns, each time in a process of its own. sentence-transformers is measured at several batch
sizes, and the best counts. What is timed begins with strings and ends with a float32 array; loading is left out.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

import sets
from choices import Row, Setup
from fresh import in_fresh_process

Precision = Literal["float32", "bfloat16"]
ROUNDS = 3
PEER_BATCHES = (32, 64, 128)


@dataclass(frozen=True)
class Work:
    """Texts to be encoded by a model."""

    model: str
    texts: tuple[str, ...]
    precision: Precision
    system: str
    batch_size: int = 32


@dataclass(frozen=True)
class Pace:
    """What it took: the clock's seconds, those of all threads, and the vectors."""

    seconds: float
    cpu_seconds: float
    tokens: int
    vectors: np.ndarray


def vectors(setup: Setup) -> list[Row]:
    """Texts to vectors, beside sentence-transformers at its best batch size: ratios of processor time."""
    assert setup.model is not None
    rows: list[Row] = []
    for kind, texts in loads(setup).items():
        exact = in_fresh_process(encode, Work(str(setup.model), texts, "float32", "sentence-transformers")).vectors
        for precision in ("float32", "bfloat16"):
            print(f"{kind}, {precision}: {len(texts)} texts", file=sys.stderr, flush=True)
            works = [Work(str(setup.model), texts, precision, "bertsmith")]
            works += [replace(works[0], system="sentence-transformers", batch_size=size) for size in PEER_BATCHES]
            rows.append({"texts": kind, **compared(works, exact, rounds=setup.size(ROUNDS, quick=1))})
    return rows


def loads(setup: Setup) -> dict[str, tuple[str, ...]]:
    """Short questions, sentences, documents, and a mixture with a long tail."""
    assert setup.data is not None
    short = sets.TREC.read(setup.data, "train").texts
    middle = sets.SST2.read(setup.data, "train").texts
    long = sets.IMDB.read(setup.data, "test").texts
    few, many = setup.size(96, quick=8), setup.size(1536, quick=32)
    return {
        "questions (TREC)": short[:many],
        "sentences (SST-2)": middle[:many],
        "documents (IMDb)": long[:few],
        "one document to fifteen sentences": mixed(middle, long[few:], count=many // 2),
    }


def mixed(short: Sequence[str], long: Sequence[str], *, count: int) -> tuple[str, ...]:
    """A long text among fifteen short ones."""
    return tuple(long[number // 16 % len(long)] if number % 16 == 0 else short[number] for number in range(count))


def compared(works: Sequence[Work], exact: np.ndarray, *, rounds: int) -> Row:
    """One load in one precision, ours first: medians over rounds, in which the systems take turns."""
    paces: dict[Work, list[Pace]] = {work: [] for work in works}
    for _ in range(rounds):
        for work in works:
            paces[work].append(in_fresh_process(encode, work))
    times = {work: statistics.median(pace.cpu_seconds for pace in found) for work, found in paces.items()}
    ours, best = works[0], min(works[1:], key=times.__getitem__)
    mine, theirs = paces[ours][0], paces[best][0]
    return {
        "precision": ours.precision,
        "texts/s": round(len(ours.texts) / times[ours]),
        "tokens/s": round(mine.tokens / times[ours]),
        "peer texts/s": round(len(ours.texts) / times[best]),
        "peer batch": best.batch_size,
        "ratio": round(times[best] / times[ours], 2),
        "spread": f"{spread(paces[ours]):.0%}, {spread(paces[best]):.0%}",
        "smallest cosine to float32": f"{smallest(mine.vectors, exact):.5f}",
        "peer's": f"{smallest(theirs.vectors, exact):.5f}",
    }


def smallest(vectors: np.ndarray, exact: np.ndarray) -> float:
    """The smallest cosine of a vector to what the peer computes in float32."""
    return float(np.sum(vectors * exact, axis=1).min())


def spread(paces: Sequence[Pace]) -> float:
    """How far the rounds lie apart, as a share of their median."""
    found = [pace.cpu_seconds for pace in paces]
    return (max(found) - min(found)) / statistics.median(found)


def encode(work: Work) -> Pace:
    """Runs in a process of its own, into which only this system is imported; a few texts warm it up."""
    return (_ours if work.system == "bertsmith" else _peer)(work)


def _ours(work: Work) -> Pace:
    import torch

    from bertsmith.recipes.sentence_loading import load_sentence_bundle

    bundle = load_sentence_bundle(work.model, normalize=True, precision=work.precision)
    device = torch.device("cpu")
    bundle.encode(work.texts[:32], device=device)
    began, worked = time.perf_counter(), time.process_time()
    encoded = bundle.encode(work.texts, device=device)
    return Pace(time.perf_counter() - began, time.process_time() - worked, encoded.counts.tokens, encoded.vectors)


def _peer(work: Work) -> Pace:
    import torch
    from sentence_transformers import SentenceTransformer

    dtype = torch.bfloat16 if work.precision == "bfloat16" else torch.float32
    model = SentenceTransformer(work.model, device="cpu", model_kwargs={"dtype": dtype})
    model.encode(list(work.texts[:32]), batch_size=work.batch_size, show_progress_bar=False)
    began, worked = time.perf_counter(), time.process_time()
    found = model.encode(
        list(work.texts), batch_size=work.batch_size, normalize_embeddings=True, show_progress_bar=False
    )
    return Pace(time.perf_counter() - began, time.process_time() - worked, 0, np.asarray(found, dtype=np.float32))
