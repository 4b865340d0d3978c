"""A step whose loss joins all items of an update, though the encoder never holds more than a part of them.

Texts are embedded part by part without keeping what the layers computed, the loss gives the gradients
of the vectors, and each part is embedded again, with the same dropout, to carry its share of them to
the weights (gradient cache; Gao et al. 2021, arXiv 2101.06983 §3.3). The gradient is that of the whole
batch at once, in the memory of one part. Several processes share the texts and exchange vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from bertsmith.training.precision import autocast
from bertsmith.training.protocols import MicroBatch, Trainable
from bertsmith.training.ranks import ALONE, Ranks
from bertsmith.training.step import Step, Sums


@runtime_checkable
class JoinedBatch(MicroBatch, Protocol):
    """What one process reads of an update: items `first`, `first + 1` ... of `items` in all, in parts."""

    @property
    def parts(self) -> Sequence[Any]:
        """What is embedded at once."""
        ...

    @property
    def first(self) -> int:
        """The number of the first item in the update."""
        ...

    @property
    def items(self) -> int:
        """Items of the update, those of other processes included."""
        ...


@runtime_checkable
class Joining(Trainable, Protocol):
    """A trainable with losses of the vectors of all items together; other losses stay within their part."""

    def vectors(self, part: Any) -> Tensor:
        """The vectors of a part; items come first."""
        ...

    def read(self, part: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The same vectors, and the sums of the losses that need no other part."""
        ...

    def joined(self, vectors: Tensor, batch: Any) -> Mapping[str, Tensor]:
        """The sums of the losses of the vectors of all items."""
        ...


def joined(dtype: torch.dtype, device: torch.device, ranks: Ranks = ALONE) -> Step:
    """The step; its model must be `Joining`, its micro-batches `JoinedBatch`, one for each process.

    A batch of one part costs what a plain step does: one forward pass and one backward pass.
    """

    def step(model: Trainable, batch: MicroBatch, scales: Sums) -> Sums:
        learner, texts = cast(Joining, model), cast(JoinedBatch, batch)
        *before, last = texts.parts
        states, vectors = [], []
        for part in before:
            states.append(_generators(device))
            with autocast(dtype, device):
                vectors.append(learner.vectors(part).detach())
        with autocast(dtype, device):
            live = _Read(*learner.read(last))
        own = torch.cat([*vectors, live.vectors.detach()])
        gradients, sums = _of_vectors(learner, texts, own, scales, ranks)
        pieces = list(torch.split_with_sizes(gradients, [len(some) for some in (*vectors, live.vectors)]))
        sums = _added(sums, live.carry(pieces.pop(), scales))
        after = _generators(device)
        for part, state, piece in zip(before, states, pieces, strict=True):
            _set_generators(device, state)
            with autocast(dtype, device):
                again = _Read(*learner.read(part))
            sums = _added(sums, again.carry(piece, scales))
        _set_generators(device, after)
        return {name: sums.get(name, own.new_zeros(())) for name in model.loss_names}

    return step


class _Read(NamedTuple):
    """A part with its graph: its vectors, and the losses of its own."""

    vectors: Tensor
    sums: Mapping[str, Tensor]

    def carry(self, gradient: Tensor, scales: Sums) -> dict[str, Tensor]:
        """Go back from the vectors and the own losses to the weights; these sums."""
        roots = [self.vectors, *self.sums.values()]
        slopes = [gradient, *(scales[name].to(value.dtype) for name, value in self.sums.items())]
        pairs = [(root, slope) for root, slope in zip(roots, slopes, strict=True) if root.requires_grad]
        if pairs:
            torch.autograd.backward([root for root, _ in pairs], [slope for _, slope in pairs])
        return {name: value.detach() for name, value in self.sums.items()}


def _of_vectors(
    model: Joining, batch: JoinedBatch, own: Tensor, scales: Sums, ranks: Ranks
) -> tuple[Tensor, dict[str, Tensor]]:
    """The gradients of the vectors of this process, and the sums of the losses.

    Every process computes the loss of all vectors, so nothing has to travel back; only the leading
    one counts it and what it teaches the weights of the loss itself. It is computed without autocast.
    """
    vectors = ranks.gathered(own, first=batch.first, total=batch.items).requires_grad_()
    sums = model.joined(vectors, batch)
    total = torch.stack([sums[name] * scales[name] for name in sums]).sum()
    total.backward(inputs=None if ranks.leads else [vectors])  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    told = {name: value.detach() if ranks.leads else torch.zeros_like(value) for name, value in sums.items()}
    return vectors.grad[batch.first : batch.first + len(own)], told


def _added(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: sum(some[name] for some in (one, other) if name in some) for name in {**one, **other}}  # type: ignore[misc]


def _generators(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_generators(device: torch.device, states: tuple[Tensor, Tensor | None]) -> None:
    host, cuda = states
    torch.set_rng_state(host)
    if cuda is not None:
        torch.cuda.set_rng_state(cuda, device)
