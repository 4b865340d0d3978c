"""Rows added to a packed batch so that the processor meets few different shapes.

On the CPU, matrix products in bfloat16, and all by packed weights, go through oneDNN, which builds a kernel for
every new number of rows: about a millisecond for each shape, forward and again backward, at any size. Packed batches
have a new number of tokens every time, so it would build kernels all the time. Nothing reads these
rows, no token attends to them, and they are counted with the rounding of attention.
"""

import torch

from bertsmith.encoder.processor import can_pack

MULTIPLE = 32


def spare_rows(tokens: int, device: torch.device, *, answering: bool = False) -> int:
    """How many rows to add to so many tokens: up to a multiple of 32 where kernels are built, none elsewhere.

    `answering`: nothing is learned in this pass, so that weights may be packed.
    """
    return -tokens % MULTIPLE if builds_kernels(device, answering=answering) else 0


def builds_kernels(device: torch.device, *, answering: bool = False) -> bool:
    """Whether matrix products go through kernels made for one shape: in bfloat16, or by packed weights, on the CPU."""
    if device.type != "cpu":
        return False
    mixed = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return mixed or (answering and can_pack(torch.float32))
