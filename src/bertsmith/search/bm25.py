"""BM25 over texts that come and go: postings on disk, weights worked out when a query asks.

score(d, q) = sum over terms t of q, of  ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5)) * f / (f + k1 (1 - b + b |d| / mean))
with f the count of t in d, |d| the terms of d, N, n(t) and the mean over the texts that are not deleted
(Robertson and Zaragoza 2009 §3.5, without the constant factor k1 + 1, as Lucene has it). Since nothing of
that is stored but the counts, an index after additions and deletions scores as one made afresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from bertsmith.files import write_bytes
from bertsmith.search.columns import mapped
from bertsmith.search.layout import StoredFile, damaged
from bertsmith.search.scanning import Neighbours, of_candidates
from bertsmith.search.settings import Words
from bertsmith.search.terms import term_key, terms

TEXTS_AT_ONCE = 32_768
"""Texts whose postings make one file."""

_HEAD = np.dtype([("first", "<u8"), ("texts", "<u8"), ("terms", "<u8"), ("postings", "<u8")])
_ROWS, _COUNTS, _KEYS = np.dtype("<u4"), np.dtype("<u2"), np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Postings:
    """Which of some consecutive texts hold which terms, and how often; `rows` count from `first`."""

    first: int
    lengths: Shaped[np.ndarray, "texts"]
    keys: Shaped[np.ndarray, "terms"]
    ends: Shaped[np.ndarray, "terms"]
    rows: Shaped[np.ndarray, "postings"]
    counts: Shaped[np.ndarray, "postings"]

    @classmethod
    def of(cls, texts: Sequence[str], first: int, units: Words) -> "Postings":
        """Count the terms of texts."""
        found = [[term_key(term) for term in terms(text, units.units)] for text in texts]
        lengths = np.array([len(line) for line in found], dtype=_ROWS)
        flat = np.fromiter(chain.from_iterable(found), dtype=_KEYS, count=int(lengths.sum()))
        keys, places = np.unique(flat, return_inverse=True)
        pairs, counts = np.unique(
            places * np.int64(len(texts)) + np.repeat(np.arange(len(texts)), lengths), return_counts=True
        )
        owners = pairs // max(1, len(texts))
        return cls(
            first=first,
            lengths=lengths,
            keys=keys,
            ends=np.searchsorted(owners, np.arange(len(keys)), side="right").astype(_KEYS),
            rows=(pairs % max(1, len(texts))).astype(_ROWS),
            counts=np.minimum(counts, np.iinfo(_COUNTS).max).astype(_COUNTS),
        )

    def write(self, path: Path) -> StoredFile:
        """Write them as one file."""
        head = np.array([(self.first, len(self.lengths), len(self.keys), len(self.rows))], dtype=_HEAD)
        parts = (head, self.keys, self.ends, self.lengths, self.rows, self.counts)
        content = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        write_bytes(path, content)
        return StoredFile().grown(content)

    @classmethod
    def read(cls, path: Path) -> "Postings":
        """Look at them on the disk.

        Raises:
            UserError: the file is not as long as it says.
        """
        content = mapped(path, np.dtype(np.uint8), (path.stat().st_size,))
        if len(content) < _HEAD.itemsize:
            raise damaged(path, "is cut short")
        first, texts, terms_, postings = (int(number) for number in content[: _HEAD.itemsize].view(_HEAD)[0])
        sizes = ((_KEYS, terms_), (_KEYS, terms_), (_ROWS, texts), (_ROWS, postings), (_COUNTS, postings))
        places = np.cumsum([_HEAD.itemsize, *(kind.itemsize * size for kind, size in sizes)])
        if places[-1] != len(content):
            raise damaged(path, "is not as long as it says")
        keys, ends, lengths, rows, counts = (
            content[start:stop].view(kind) for (kind, _), start, stop in zip(sizes, places, places[1:], strict=False)
        )
        return cls(first, lengths, keys, ends, rows, counts)

    def of_term(self, key: int) -> tuple[Int64[np.ndarray, "texts"], Float32[np.ndarray, "texts"]]:
        """The rows that hold a term, and how often."""
        place = int(np.searchsorted(self.keys, np.uint64(key)))
        if place == len(self.keys) or int(self.keys[place]) != key:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        start = int(self.ends[place - 1]) if place else 0
        stop = int(self.ends[place])
        return self.rows[start:stop].astype(np.int64) + self.first, self.counts[start:stop].astype(np.float32)


class Bm25:
    """Scores of words over all postings of an index, deleted rows left out."""

    def __init__(
        self, postings: Sequence[Postings], settings: Words, *, rows: int, alive: Bool[np.ndarray, "rows"] | None = None
    ) -> None:
        self._postings = postings
        self._settings = settings
        self._alive = alive
        lengths = np.zeros(rows, dtype=np.float32)
        for some in postings:
            lengths[some.first : some.first + len(some.lengths)] = some.lengths
        self._texts = rows if alive is None else int(alive.sum())
        total = float((lengths if alive is None else lengths[alive]).sum(dtype=np.float64))
        mean = max(total / max(1, self._texts), 1e-9)
        self._worn = settings.k1 * (1 - settings.b + settings.b * lengths / np.float32(mean))

    def scores(self, query: str) -> Float32[np.ndarray, "rows"]:
        """The score of every text; a term that stands twice in the query counts twice."""
        scores = np.zeros(len(self._worn), dtype=np.float32)
        found = [term_key(term) for term in terms(query, self._settings.units)]
        for key in dict.fromkeys(found):
            weight = found.count(key)
            parts = [some.of_term(key) for some in self._postings]
            rows = np.concatenate([rows for rows, _ in parts] or [np.zeros(0, dtype=np.int64)])
            counts = np.concatenate([counts for _, counts in parts] or [np.zeros(0, dtype=np.float32)])
            if self._alive is not None:
                kept = self._alive[rows]
                rows, counts = rows[kept], counts[kept]
            rarity = np.log1p((self._texts - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += np.float32(weight * rarity) * counts / (counts + self._worn[rows])
        return scores

    def nearest(self, queries: Sequence[str], *, top: int, alive: Bool[np.ndarray, "rows"] | None = None) -> Neighbours:
        """The best texts of each query; a text without a word of it is none."""
        found = [self._best(self.scores(query), top, alive) for query in queries]
        return of_candidates(np.stack([rows for rows, _ in found]), np.stack([scores for _, scores in found]), top=top)

    def _best(
        self, scores: Float32[np.ndarray, "rows"], top: int, alive: Bool[np.ndarray, "rows"] | None
    ) -> tuple[Int64[np.ndarray, "top"], Float32[np.ndarray, "top"]]:
        hopeful = np.flatnonzero(scores > 0 if alive is None else (scores > 0) & alive)
        told = of_candidates(hopeful[None], scores[hopeful][None], top=top)
        return told.rows[0], told.scores[0]
