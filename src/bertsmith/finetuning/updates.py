"""Labelled texts as the updates of a run: which texts go into which update, and packed when."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Int

from bertsmith.data import BatchPlan, plan_batches, split_micro_batches
from bertsmith.finetuning.model import LabelledBatch
from bertsmith.finetuning.reading import Reading, pack_readings
from bertsmith.finetuning.targets import Targets


class LabelledUpdates:
    """The training data as a pure function of the position in the run, so that a run can begin anywhere.

    Where texts can be read in several ways (`views`: a pair in both orders), each epoch draws one for
    every text, seeded. `soft` is what a teacher says of the texts.
    """

    def __init__(
        self,
        views: Sequence[Sequence[Reading]],
        targets: Targets,
        plan: BatchPlan,
        *,
        seed: int,
        soft: Targets | None = None,
    ) -> None:
        self._views = views
        self._targets = targets
        self._soft = soft
        self._lengths = np.array([len(reading) for reading in views[0]], dtype=np.int64)
        self._plan = plan
        self._batches = lru_cache(maxsize=2)(partial(_epoch, self._lengths, plan, seed))
        self._choices = lru_cache(maxsize=2)(partial(_choices, len(self._lengths), len(views), seed))

    def per_epoch(self, epoch: int) -> int:
        """How many updates this epoch has."""
        return len(self._batches(epoch))

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], LabelledBatch]]:
        """The micro-batches of one update, each made when it is called."""
        rows = self._batches(epoch)[index]
        parts = split_micro_batches(rows, self._lengths, self._plan.max_tokens, parts_at_least=at_least)
        return [partial(self._batch, epoch, part) for part in parts]

    def _batch(self, epoch: int, rows: Int[np.ndarray, "rows"]) -> LabelledBatch:
        view = self._choices(epoch)
        texts = pack_readings([self._views[view[row]][row] for row in rows])
        soft = None if self._soft is None else torch.from_numpy(self._soft.of(rows))
        return LabelledBatch(texts, torch.from_numpy(self._targets.of(rows)), soft)


def _epoch(lengths: Int[np.ndarray, "texts"], plan: BatchPlan, seed: int, epoch: int) -> list[np.ndarray]:
    return plan_batches(lengths, plan, seed=seed, epoch=epoch)


def _choices(texts: int, views: int, seed: int, epoch: int) -> Int[np.ndarray, "texts"]:
    """Which view of each text this epoch sees."""
    if views == 1:
        return np.zeros(texts, dtype=np.int64)
    return np.random.Generator(np.random.PCG64([seed, epoch, views])).integers(views, size=texts)
