"""Who sees whom in one text."""

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertsmith.encoder import AttentionMask
from bertsmith.encoder.masks import Place
from bertsmith.pretraining.exercise import Exercise


def sight(exercise: Exercise, attend: AttentionMask) -> Bool[np.ndarray, "tokens tokens"]:
    """For every token of the input, row by row, which ones it sees."""
    index, segment = np.arange(len(exercise)), exercise.example.segment_ids
    order = None if exercise.order is None else _tensor(exercise.order)
    here = Place(_tensor(index)[:, None], _tensor(segment)[:, None], None if order is None else order[:, None])
    there = Place(_tensor(index)[None], _tensor(segment)[None], None if order is None else order[None])
    seen: np.ndarray = attend(here, there).numpy()
    return seen


def _tensor(values: Int[np.ndarray, "tokens"]) -> Int[Tensor, "tokens"]:
    return torch.from_numpy(values.astype(np.int64))
