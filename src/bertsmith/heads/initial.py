"""How the weights of a head begin."""

import torch
from torch import nn


def initialise(head: nn.Module, std: float, generator: torch.Generator | None = None) -> None:
    """Draw matrices and tables from a normal distribution, as the encoder does; biases zero, norms one."""
    for module in head.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std, generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
