"""Rows added to a packed batch so that the processor meets few different shapes.

On the CPU, matrix products in bfloat16 go through oneDNN, which builds a kernel for every new number
of rows: several milliseconds for each weight, forward and again backward, at any size. Packed batches
have a new number of tokens every time, so it would build kernels all the time. Nothing reads these
rows, no token attends to them, and they are counted with the rounding of attention.
"""

import torch

MULTIPLE = 32


def spare_rows(tokens: int, device: torch.device) -> int:
    """How many rows to add to so many tokens: up to a multiple of 32 in bfloat16 on the CPU, none elsewhere."""
    return -tokens % MULTIPLE if builds_kernels(device) else 0


def builds_kernels(device: torch.device) -> bool:
    """Whether matrix products go through kernels made for one shape: bfloat16 on the CPU."""
    if device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return torch.get_autocast_dtype("cpu") == torch.bfloat16
