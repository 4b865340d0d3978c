"""The tensors of a run by name: into a snapshot and back."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bertsmith.training.groups import ParameterGroup
from bertsmith.training.protocols import Trainable


def weights_of(model: Trainable) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once; not copied."""
    seen: set[int] = set()
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            state[name] = tensor.detach()
    return state


def copy_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the host."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def put_weights(model: Trainable, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into the model.

    Raises:
        ValueError: names or shapes differ from the model's.
    """
    own = weights_of(model)
    wrong = sorted(own.keys() ^ weights.keys()) or [name for name in own if own[name].shape != weights[name].shape]
    if wrong:
        raise ValueError(f"the weights do not fit the model: {', '.join(wrong[:5])}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def optimizer_state(optimizer: torch.optim.Optimizer, groups: tuple[ParameterGroup, ...]) -> dict[str, Tensor]:
    """What the optimizer remembers, as `exp_avg.<parameter>`; parameters never updated have nothing."""
    return {
        f"{kind}.{name}": value
        for group in groups
        for name, parameter in group.parameters.items()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def put_optimizer_state(
    optimizer: torch.optim.Optimizer, groups: tuple[ParameterGroup, ...], state: Mapping[str, Tensor]
) -> None:
    """Give the optimizer back what it remembered."""
    parameters = {name: parameter for group in groups for name, parameter in group.parameters.items()}
    optimizer.state.clear()
    for key, value in state.items():
        kind, _, name = key.partition(".")
        optimizer.state[parameters[name]][kind] = value.to(parameters[name].device, copy=True)
