"""Labelled examples as the updates of a run: which texts go into which update, and packed when."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Int

from bertsmith.batch import Example, pack
from bertsmith.data import BatchPlan, plan_batches, split_micro_batches
from bertsmith.finetuning.model import LabelledBatch


class LabelledUpdates:
    """The training data as a pure function of the position in the run, so that a run can begin anywhere."""

    def __init__(
        self, examples: Sequence[Example], targets: Int[np.ndarray, "texts"], plan: BatchPlan, *, seed: int
    ) -> None:
        self._examples = examples
        self._targets = targets
        self._lengths = np.array([len(example) for example in examples], dtype=np.int64)
        self._plan = plan
        self._batches = lru_cache(maxsize=2)(partial(_epoch, self._lengths, plan, seed))

    def per_epoch(self, epoch: int) -> int:
        """How many updates this epoch has."""
        return len(self._batches(epoch))

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], LabelledBatch]]:
        """The micro-batches of one update, each made when it is called."""
        rows = self._batches(epoch)[index]
        parts = split_micro_batches(rows, self._lengths, self._plan.max_tokens, parts_at_least=at_least)
        return [partial(self._batch, part) for part in parts]

    def _batch(self, rows: Int[np.ndarray, "rows"]) -> LabelledBatch:
        targets = torch.from_numpy(self._targets[rows].astype(np.int64))
        return LabelledBatch(pack([self._examples[row] for row in rows]), targets)


def _epoch(lengths: Int[np.ndarray, "texts"], plan: BatchPlan, seed: int, epoch: int) -> list[np.ndarray]:
    return plan_batches(lengths, plan, seed=seed, epoch=epoch)
