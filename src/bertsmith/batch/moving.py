"""The way from the host to a device, which nobody waits for."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T", Tensor, Tensor | None)

PINNED = frozenset({"cuda"})
"""Kinds of devices that fetch from pinned memory on their own."""


def moved(values: T, device: torch.device | str) -> T:
    """A copy on a device; on the same device, the tensor itself, and for None, None.

    To a GPU it goes through pinned memory, so that the host goes on at once: from any other memory a copy
    waits for all that the GPU still has to do. torch keeps pinned memory until the copy is made, and uses it again.
    """
    if values is None:
        return None
    if values.device.type == "cpu" and torch.device(device).type in PINNED:
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def sent(numbers: Sequence[int] | np.ndarray, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers of the host as a tensor on a device, in a dtype of its own if one is named."""
    return moved(torch.as_tensor(numbers, dtype=dtype), device)
