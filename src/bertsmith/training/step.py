"""Forward and backward on one micro-batch. A step may wrap another; only here is `backward()` called."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bertsmith.training.precision import autocast
from bertsmith.training.protocols import MicroBatch, Trainable

Sums = Mapping[str, Tensor]
"""A number for each loss."""

Step = Callable[[Trainable, MicroBatch, Sums], Sums]
"""(model, micro-batch, scale of each loss) -> detached sum of each loss; adds to the gradients."""


def plain(dtype: torch.dtype, device: torch.device) -> Step:
    """One forward pass, in mixed precision if the dtype says so, and one backward pass."""

    def step(model: Trainable, batch: MicroBatch, scales: Sums) -> Sums:
        with autocast(dtype, device):
            sums = model(batch)
        torch.stack([sums[name] * scales[name] for name in sums]).sum().backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in sums.items()}

    return step
