"""What the loop asks of others: it knows no losses, encoders or metrics by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class MicroBatch(Protocol):
    """What goes through the model at once. Built on the host, moved to the device by the loop."""

    @property
    def num_tokens(self) -> int:
        """Real tokens, for speed and logs."""
        ...

    def to(self, device: torch.device) -> "MicroBatch":
        """Copy to a device."""
        ...


Build = Callable[[], MicroBatch]
"""Makes one micro-batch when it is needed, and not before."""


@runtime_checkable
class Updates(Protocol):
    """The data of a run as a pure function of the position in it, so that a run can begin anywhere."""

    def per_epoch(self, epoch: int) -> int:
        """How many updates this epoch has, at least one."""
        ...

    def update(self, epoch: int, index: int, *, at_least: int) -> Sequence[Build]:
        """The micro-batches of one update: at least so many if there are enough items, one for each process."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """A module that turns a micro-batch into named losses, summed over items.

    A mean over one micro-batch is the wrong thing to add up when micro-batches differ in size. So the
    model gives sums, and the weights to divide them by: the loop adds the weights of all
    micro-batches of an update on all processes first, and every sum is divided by the total.
    """

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Names of the losses, in a fixed order."""
        ...

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; deeper parameters belong to the head."""
        ...

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, more than `top_depth` for the head."""
        ...

    def loss_weights(self, batch: Any) -> Mapping[str, Tensor]:
        """Weight of each loss in this micro-batch (items, or their class weights), known without a forward pass."""
        ...

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        """The sum of each loss over the items of this micro-batch."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """As `nn.Module`."""
        ...

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Any]:
        """As `nn.Module`."""
        ...

    def train(self) -> Any:
        """As `nn.Module`."""
        ...

    def eval(self) -> Any:
        """As `nn.Module`."""
        ...


Evaluate = Callable[[], Mapping[str, float]]
"""Measures the model as it is now: metric names and values."""
