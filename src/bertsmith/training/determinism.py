"""Randomness as a function of the position in a run, and operations that give the same bits every time."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils import deterministic as guard


def seed_micro_batch(seed: int, update: int, number: int) -> None:
    """Seed torch for one micro-batch.

    Dropout becomes a function of (seed, update, micro-batch), so a resumed run needs no stored
    generator state, and it does not matter which process computes the micro-batch.
    """
    state = np.random.SeedSequence((seed, update, number)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Same input, same bits, inside the block, on CPU; the caller's settings and generators come back afterwards.

    On a GPU products of float32 are float32, never TF32: what is not computed in bfloat16 is what must be exact.
    """
    products = torch.get_float32_matmul_precision()
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = guard.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            if device.type == "cpu":
                torch.use_deterministic_algorithms(mode=True)
                guard.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            torch.set_float32_matmul_precision("highest")
            yield
        finally:
            torch.set_float32_matmul_precision(products)
            torch.use_deterministic_algorithms(mode=enabled, warn_only=warn_only)
            guard.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
