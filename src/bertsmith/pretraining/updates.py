"""A corpus as the updates of a run: which texts go into which update, corrupted when they are needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from pydantic import PositiveInt

from bertsmith.config import Config
from bertsmith.data import split_micro_batches
from bertsmith.data.shards import ShardSet
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import Arrangement, PassageSource
from bertsmith.pretraining.arrangement.order import Shuffle
from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.corruption import rng_for
from bertsmith.pretraining.exercise import Exercise, exercise, pack_exercises
from bertsmith.pretraining.objective import Objective
from bertsmith.pretraining.timetable import Turn, mixed, stage_at, texts_of_epoch, turns
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import Tokenizer
from bertsmith.text.similar import SimilarTokens

_COPY_ORDER = int.from_bytes(b"copy")


class TextPlan(Config):
    """How much goes into an update: `batch_size` texts of at most `max_length` tokens, special ones included.

    About `max_tokens` tokens go through the encoder at once; fewer need less memory.
    """

    batch_size: PositiveInt = 64
    max_length: PositiveInt = 128
    max_tokens: PositiveInt = 8192


@dataclass(frozen=True)
class TokenCorpus:
    """Token shards, the tokenizer they were made with, and the similar words if there are any."""

    shards: ShardSet
    tokenizer: Tokenizer
    similar: SimilarTokens | None = None

    @cached_property
    def vocabulary(self) -> VocabularyFacts:
        """What corrupting needs to know of the vocabulary."""
        return VocabularyFacts.from_tokenizer(self.tokenizer)


class Piece(NamedTuple):
    """The texts of one micro-batch: rows of a part of an epoch."""

    part: int
    epoch: int
    rows: Int[np.ndarray, "rows"]


class PretrainUpdates:
    """The corpus under an objective, as a pure function of the position in the run, so that a run can begin anywhere.

    Every epoch has as many updates as the first: where an arrangement cuts at random, an epoch may
    leave out a few texts or meet a few twice. `total` is the number of updates of the run, which
    only an objective with stages needs.

    Raises:
        UserError: the corpus has no texts of that form, or the corruption lacks what it needs.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(PretrainUpdates, seed=self.seed, total=self.total), (self.corpus, self.objective, self.plan)

    def __init__(
        self, corpus: TokenCorpus, objective: Objective, plan: TextPlan, *, seed: int, total: int | None = None
    ) -> None:
        self.corpus, self.objective, self.plan, self.seed, self.total = corpus, objective, plan, seed, total
        self.parts = objective.parts
        if objective.stages and total is None:
            raise ValueError("an objective with stages needs to know how many updates the run has")
        for part in self.parts:
            part.require(corpus.vocabulary, corpus.similar)
        arrangements = [part.arrange for part in self.parts]
        self._kinds = [kind for place, kind in enumerate(arrangements) if kind not in arrangements[:place]]
        self._groups = [self._kinds.index(kind) for kind in arrangements]
        self._source = lru_cache(maxsize=2 * len(self._kinds))(self._arranged)
        self._before = lru_cache(maxsize=2)(self._mixed)

    def per_epoch(self, epoch: int) -> int:
        """How many updates an epoch has, the same for all."""
        return len(self._sizes)

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], PretrainBatch]]:
        """The micro-batches of one update, each made when it is called; each belongs to one part."""
        return [partial(self._batch, piece) for piece in self.pieces(epoch, index, at_least=at_least)]

    def pieces(self, epoch: int, index: int, *, at_least: int) -> list[Piece]:
        """Which texts go into each micro-batch of an update."""
        found = [
            Piece(turn.part, epoch, rows)
            for turn in self._turns(epoch, index)
            for rows in self._micro_batches(epoch, turn)
        ]
        while len(found) < at_least and max(len(piece.rows) for piece in found) > 1:
            largest = max(range(len(found)), key=lambda place: len(found[place].rows))
            part, _, rows = found[largest]
            found[largest : largest + 1] = [Piece(part, epoch, half) for half in np.array_split(rows, 2)]
        return found

    def exercises(self, piece: Piece) -> list[Exercise]:
        """The texts of a micro-batch, corrupted."""
        return [self.exercise(piece.part, piece.epoch, int(row)) for row in piece.rows]

    def packed(self, piece: Piece, exercises: Sequence[Exercise]) -> PretrainBatch:
        """These texts as the micro-batch."""
        return pack_exercises(exercises, self.parts[piece.part].attend)

    def _batch(self, piece: Piece) -> PretrainBatch:
        return self.packed(piece, self.exercises(piece))

    def exercise(self, part: int, epoch: int, row: int) -> Exercise:
        """One text of one part of an epoch, corrupted."""
        copy, row = self._copied(part, epoch, row)
        passage = self._source(self._groups[part], copy).passage(row)
        rng = rng_for(self.seed, copy, row)
        return exercise(passage, self.parts[part], self.corpus.vocabulary, rng, self.corpus.similar)

    @cached_property
    def _sizes(self) -> Int[np.ndarray, "updates"]:
        """How many texts each update of an epoch has."""
        shares = [
            sum(share for share, group in zip(self._shares, self._groups, strict=True) if group == own)
            for own in range(len(self._kinds))
        ]
        lengths = [len(self._source(group, 0)) for group in range(len(self._kinds))]
        if not min(lengths):
            empty = self._kinds[lengths.index(0)].kind
            raise UserError(f"the corpus has no text for arrange {empty}; it is too small", code="empty_corpus")
        texts = texts_of_epoch(shares, lengths)
        sizes = np.full(ceil(texts / self.plan.batch_size), self.plan.batch_size)
        sizes[-1] = texts - sizes[:-1].sum()
        return sizes

    @property
    def _shares(self) -> tuple[float, ...]:
        variants = self.objective.mixture or self.objective.stages
        return tuple(variant.share for variant in variants.values()) or (1.0,)

    def _turns(self, epoch: int, index: int) -> list[Turn]:
        if self.objective.mixture:
            return turns(self._before(epoch), index, self._groups)
        first = int(self._sizes[:index].sum())
        part = 0
        if self.objective.stages:
            assert self.total is not None
            part = stage_at(self._shares, epoch * self.per_epoch(epoch) + index, self.total)
        return [Turn(part, first, first + int(self._sizes[index]))]

    def _mixed(self, epoch: int) -> Int[np.ndarray, "_ parts"]:
        return mixed(self._shares, self._sizes, seed=self.seed, epoch=epoch)

    def _micro_batches(self, epoch: int, turn: Turn) -> list[np.ndarray]:
        rows = np.arange(turn.first, turn.stop)
        lengths = np.array([self._length(turn.part, epoch, int(row)) for row in rows])
        places = split_micro_batches(np.arange(len(rows)), lengths, self.plan.max_tokens)
        return [rows[part] for part in places]

    def _length(self, part: int, epoch: int, row: int) -> int:
        copy, row = self._copied(part, epoch, row)
        return self._source(self._groups[part], copy).length(row)

    def _copied(self, part: int, epoch: int, row: int) -> tuple[int, int]:
        """Which copy of the corpus an epoch reads, and which text of it: later rounds meet a copy in another order."""
        copies = self.objective.copies
        copy = epoch if copies is None else epoch % copies
        texts = len(self._source(self._groups[part], copy))
        row %= texts
        return copy, row if copy == epoch else Shuffle(texts, self.seed, epoch, _COPY_ORDER)[row]

    def _arranged(self, group: int, epoch: int) -> PassageSource:
        arrange: Arrangement = self._kinds[group]
        return arrange.passages(
            self.corpus.shards, self.corpus.tokenizer, max_length=self.plan.max_length, seed=self.seed, epoch=epoch
        )
