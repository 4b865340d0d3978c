"""The training texts of one epoch, each found by its number."""

from collections.abc import Callable

import numpy as np

from bertsmith.data.shards import LINE, ShardSet, TokenRun
from bertsmith.pretraining.arrangement.assembly import pair, single, source_and_target
from bertsmith.pretraining.arrangement.cuts import CUT, Kind
from bertsmith.pretraining.arrangement.order import RowFile, Shuffle
from bertsmith.pretraining.arrangement.sentences import Sentences, sentences_of
from bertsmith.pretraining.passage import Passage
from bertsmith.text import Tokenizer

_PLAN, _ORDER, _PASSAGE = 1, 2, 3  # so that the draws of one epoch have nothing in common

Cutter = Callable[[Sentences, int, np.random.Generator], np.ndarray]
"""Cuts the sentences of a shard into texts of so many tokens."""


class PassageSource:
    """Every training text of an epoch, in an order that depends on nothing but (seed, epoch).

    Any row can be read at any time in the time its tokens take, so that a run resumes anywhere and
    any number of workers may share the rows.
    """

    def __init__(self, shards: ShardSet, tokenizer: Tokenizer, cut: Cutter, room: int, key: tuple[int, int]) -> None:
        self._shards = shards
        self._tokenizer = tokenizer
        self._room = room
        self._key = key
        self._cuts = RowFile(CUT)
        for shard in range(len(shards)):
            random = np.random.Generator(np.random.PCG64([*key, shard, _PLAN]))
            self._cuts.append(cut(sentences_of(shards, shard), room, random))
        self._order = Shuffle(len(self._cuts), *key, 0, _ORDER)

    def __len__(self) -> int:
        return len(self._cuts)

    def passage(self, row: int) -> Passage:
        """One text, special tokens in place.

        Raises:
            IndexError: the epoch has no such row.
        """
        number = self._order[row]
        kind, start, first, second, document = self._cuts[number]
        if kind == Kind.RUN:
            return single(self._shards.read(start, start + first), self._tokenizer)
        random = np.random.Generator(np.random.PCG64([*self._key, number, _PASSAGE]))
        run = self._shards.read(start, start + first + (0 if kind == Kind.RANDOM else second))
        here, there = run[:first], run[first:]
        if kind == Kind.RANDOM:
            there = self._elsewhere(document, second, random)
        if kind == Kind.SWAPPED:
            here, there = there, here
        here, there = _shortened(here, there, self._room, random)
        if kind == Kind.SOURCE:
            return source_and_target(here, there, self._tokenizer)
        return pair(here, there, Kind(kind), self._tokenizer)

    def length(self, row: int) -> int:
        """How many tokens a text has, special ones and separators between documents left out, without reading it.

        Raises:
            IndexError: the epoch has no such row.
        """
        _, _, first, second, _ = self._cuts[self._order[row]]
        return min(int(first) + int(second), self._room)

    def _elsewhere(self, document: int, wanted: int, random: np.random.Generator) -> TokenRun:
        """Whole sentences from a random one of another document on, until there are as many tokens as wanted."""
        documents = int(self._shards.pieces[-1])
        other = int(random.integers(max(1, documents - 1)))
        piece = self._shards.piece(other + (documents > 1 and other >= document))
        start = self._shards.line_start(piece.shard, int(random.integers(piece.first, piece.stop)))
        stop = self._shards.line_start(piece.shard, piece.stop)
        run = self._shards.read(start, min(stop, start + wanted + self._room))
        ends = np.flatnonzero(run.flags[wanted:] & LINE)
        return run[: wanted + int(ends[0])] if len(ends) else run


def _shortened(first: TokenRun, second: TokenRun, room: int, random: np.random.Generator) -> tuple[TokenRun, TokenRun]:
    """Cut a pair to `room` tokens, always from the longer one, each token from its front or its end by chance."""
    kept = min(len(second), max(room - len(first), room // 2))
    return _trimmed(first, min(len(first), room - kept), random), _trimmed(second, kept, random)


def _trimmed(run: TokenRun, length: int, random: np.random.Generator) -> TokenRun:
    excess = len(run) - length
    front = int(random.binomial(excess, 0.5)) if excess else 0
    return run[front : front + length]
