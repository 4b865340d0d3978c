"""Mixed precision by what the hardware can do, never by timing: the same machine always chooses the same."""

from contextlib import AbstractContextManager
from typing import Literal

import torch

from bertsmith.encoder.processor import bfloat16_instructions

Precision = Literal["auto", "float32", "bfloat16"]


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of matrix products; weights and optimizer state stay in float32.

    `auto` is bfloat16 on GPUs that have it and on CPUs with AMX-BF16 or AVX512-BF16, else float32, which is
    never TF32 in training: that has the range of float32 and ten bits of its fraction.
    """
    if precision == "auto":
        precision = "float32" if bfloat16_by(device) is None else "bfloat16"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Compute in `dtype` where that is safe."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def bfloat16_by(device: torch.device) -> str | None:
    """What lets the device multiply in bfloat16: instructions of the processor, or the GPU itself; None: nothing."""
    if device.type == "cuda":
        return "the GPU" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    return bfloat16_instructions()
