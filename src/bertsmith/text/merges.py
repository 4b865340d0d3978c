"""Pieces of words by merging the most frequent pair, again and again (Sennrich et al. 2016, arXiv 1508.07909)."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

Pair = tuple[str, str]


def symbols(word: str) -> list[str]:
    """A word as single characters in WordPiece's spelling: `h ##a ##t`."""
    return [word[:1], *(f"##{character}" for character in word[1:])]


def merged_pieces(words: Mapping[str, int], *, limit: int, min_frequency: int) -> Iterator[tuple[str, int]]:
    """The pieces in the order they are found, each with the count of its pair, which never rises.

    Of equally frequent pairs the first in the order of code points is merged first, so the result
    depends on the counts alone.
    """
    corpus = _Corpus(words)
    seen: set[str] = set()
    while len(seen) < limit and (best := corpus.most_frequent()) is not None:
        pair, count = best
        if count < min_frequency:
            return
        piece = pair[0] + pair[1].removeprefix("##")
        corpus.merge(pair, piece)
        if piece not in seen:
            seen.add(piece)
            yield piece, count


class _Corpus:
    """Words as symbols, with the counts of neighbouring symbols kept up to date."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = [symbols(word) for word in words]
        self._frequency = list(words.values())
        self._counts: Counter[Pair] = Counter()
        self._where: defaultdict[Pair, set[int]] = defaultdict(set)
        for number, word in enumerate(self._words):
            self._add(number, word)
        self._queue = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._queue)

    def most_frequent(self) -> tuple[Pair, int] | None:
        """The pair to merge next. Counts in the queue may be too high; they are put right when met."""
        while self._queue:
            count, pair = heapq.heappop(self._queue)
            true = self._counts[pair]
            if true == -count and true > 0:
                return pair, true
        return None

    def merge(self, pair: Pair, piece: str) -> None:
        """Write `piece` for the pair wherever it stands."""
        touched: set[Pair] = set()
        for number in self._where.pop(pair):
            old = self._words[number]
            new = _merged(old, pair, piece)
            touched |= self._remove(number, old) | self._add(number, new)
            self._words[number] = new
        for changed in touched - {pair}:
            heapq.heappush(self._queue, (-self._counts[changed], changed))

    def _add(self, number: int, word: Sequence[str]) -> set[Pair]:
        pairs = list(pairwise(word))
        for pair in pairs:
            self._counts[pair] += self._frequency[number]
            self._where[pair].add(number)
        return set(pairs)

    def _remove(self, number: int, word: Sequence[str]) -> set[Pair]:
        pairs = list(pairwise(word))
        for pair in pairs:
            self._counts[pair] -= self._frequency[number]
            self._where[pair].discard(number)
        return set(pairs)


def _merged(word: Sequence[str], pair: Pair, piece: str) -> list[str]:
    result: list[str] = []
    for symbol in word:
        if result and (result[-1], symbol) == pair:
            result[-1] = piece
        else:
            result.append(symbol)
    return result
