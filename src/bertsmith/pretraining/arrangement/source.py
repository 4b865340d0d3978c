"""The training texts of one epoch, each found by its number."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from bertsmith.batch import Example
from bertsmith.data.shards import LINE, ShardSet, TokenRun
from bertsmith.pretraining.arrangement.cuts import CUT, Kind
from bertsmith.pretraining.arrangement.order import RowFile, Shuffle
from bertsmith.pretraining.arrangement.sentences import Sentences, sentences_of
from bertsmith.pretraining.arrangement.units import separated, units_of
from bertsmith.pretraining.passage import Passage
from bertsmith.text import Tokenizer
from bertsmith.text.template import Slot

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
            return self._single(self._shards.read(start, start + first))
        random = np.random.Generator(np.random.PCG64([*self._key, number, _PASSAGE]))
        run = self._shards.read(start, start + first + (0 if kind == Kind.RANDOM else second))
        here, there = run[:first], run[first:]
        if kind == Kind.RANDOM:
            there = self._elsewhere(document, second, random)
        if kind == Kind.SWAPPED:
            here, there = there, here
        return self._pair(_shortened(here, there, self._room, random), Kind(kind))

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

    def _single(self, run: TokenRun) -> Passage:
        units = separated(run, self._tokenizer.special.sep)
        lead = _place(self._tokenizer.template.single, "first")
        return Passage(self._tokenizer.assemble(units.token_ids), units.words + lead, units.entities + lead)

    def _pair(self, runs: tuple[TokenRun, TokenRun], kind: Kind) -> Passage:
        first, second = map(units_of, runs)
        template = self._tokenizer.template.pair
        lead, behind = _place(template, "first"), _place(template, "second") + len(runs[0]) - 1
        example = self._tokenizer.assemble(first.token_ids, second.token_ids)
        if kind == Kind.SOURCE:
            example = Example(example.token_ids, (np.arange(len(example)) >= behind).astype(np.int32))
        return Passage(
            example,
            np.concatenate([first.words + lead, second.words + behind]).astype(np.int32),
            np.concatenate([first.entities + lead, second.entities + behind]).astype(np.int32),
            None if kind == Kind.SOURCE else int(kind != Kind.PAIR),
        )


def _place(template: tuple[Slot, ...], content: Literal["first", "second"]) -> int:
    return [slot.content for slot in template].index(content)


def _shortened(first: TokenRun, second: TokenRun, room: int, random: np.random.Generator) -> tuple[TokenRun, TokenRun]:
    """Cut a pair to `room` tokens, always from the longer one, each token from its front or its end by chance."""
    kept = min(len(second), max(room - len(first), room // 2))
    return _trimmed(first, min(len(first), room - kept), random), _trimmed(second, kept, random)


def _trimmed(run: TokenRun, length: int, random: np.random.Generator) -> TokenRun:
    excess = len(run) - length
    front = int(random.binomial(excess, 0.5)) if excess else 0
    return run[front : front + length]
