"""Adversarial training: every text is learned twice, as it is and with its token vectors moved to where it hurts.

Each sequence has a perturbation of its own, so neither the cut into micro-batches nor the number of
processes matters, and no weight is touched: what is added to the token vectors stands in a hook.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from bertsmith.batch import PackedBatch
from bertsmith.config import Config
from bertsmith.encoder.embeddings import Embeddings
from bertsmith.training.protocols import MicroBatch, Trainable
from bertsmith.training.step import Step, Sums


class Fgm(Config):
    """The fast gradient method: one step of length `epsilon` along the gradient (Miyato et al. 2017).

    arXiv 1605.07725 §3, eq. 5 and 6: the loss is that of the text plus `weight` times that of the
    moved text. `epsilon` is the Euclidean length over all token vectors of a sequence; a token vector
    of BERT is about 1.4 long, and is not normalised first as in the paper. An update takes twice as long.
    """

    kind: Literal["fgm"] = "fgm"
    epsilon: PositiveFloat = 1.0
    weight: PositiveFloat = 1.0

    @property
    def steps(self) -> int:
        """One."""
        return 1

    @property
    def step_size(self) -> float:
        """The whole way at once."""
        return self.epsilon


class Pgd(Config):
    """Projected gradient descent: `steps` steps of `step_size`, never further away than `epsilon`.

    Madry et al. 2018, arXiv 1706.06083 §2.1, with Euclidean balls around the token vectors of a
    sequence, from their centre; the loss as in `fgm`. An update takes 1 + `steps` times as long, a
    little less since the steps between need no gradients of weights.
    """

    kind: Literal["pgd"] = "pgd"
    epsilon: PositiveFloat = 1.0
    step_size: PositiveFloat = 0.3
    steps: PositiveInt = 3
    weight: PositiveFloat = 1.0


Adversarial = Annotated[Fgm | Pgd, Field(discriminator="kind")]


def adversarial(step: Step, config: Fgm | Pgd, embeddings: Embeddings) -> Step:
    """A step that also learns the moved texts; what it reports are the losses of the texts as they are.

    `embeddings` are those of the encoder that the model reads with.
    """

    def moved(model: Trainable, batch: MicroBatch, scales: Sums) -> Sums:
        weighted = {name: scale * config.weight for name, scale in scales.items()}
        with _Perturbation(embeddings) as perturbation:
            sums = step(model, batch, scales)
            for _ in range(config.steps - 1):
                perturbation.move(config)
                with _weights_aside(model):
                    step(model, batch, weighted)
            perturbation.move(config)
            step(model, batch, weighted)
        return sums

    return moved


class _Perturbation:
    """What is added to the token vectors: zeros at first; each pass over the model leaves its gradient behind.

    A pass may read several batches (two passes with other dropout, two orders of a pair): the
    number of the call tells them apart.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._vectors: list[Tensor] = []
        self._batches: list[PackedBatch] = []
        self._calls = 0

    def __enter__(self) -> "_Perturbation":
        self._hooks = [
            self._embeddings.register_forward_pre_hook(self._read),
            self._embeddings.token.register_forward_hook(self._add),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _read(self, module: nn.Module, inputs: tuple[PackedBatch]) -> None:
        if self._calls == len(self._batches):
            self._batches.append(inputs[0])

    def _add(self, module: nn.Module, inputs: object, vectors: Tensor) -> Tensor:
        if self._calls == len(self._vectors):
            self._vectors.append(torch.zeros_like(vectors, requires_grad=True))
        self._calls += 1
        return vectors + self._vectors[self._calls - 1]

    @torch.no_grad()
    def move(self, config: Fgm | Pgd) -> None:
        """Take a step along the gradient that the pass just made has left, and begin another pass."""
        for number, (vectors, batch) in enumerate(zip(self._vectors, self._batches, strict=True)):
            assert vectors.grad is not None
            moved = vectors + _with_length(vectors.grad, batch, config.step_size)
            length = _lengths(moved, batch)
            too_long = torch.where(length > config.epsilon, config.epsilon / length, 1.0)
            self._vectors[number] = (moved * too_long[_owners(batch), None]).requires_grad_()
        self._calls = 0


def _with_length(
    vectors: Float[Tensor, "tokens width"], batch: PackedBatch, length: float
) -> Float[Tensor, "tokens width"]:
    """Bring the vectors of every sequence to this common length; nothing stays nothing."""
    found = _lengths(vectors, batch)
    return vectors * torch.where(found > 0, length / found, 0.0)[_owners(batch), None]


def _lengths(vectors: Float[Tensor, "tokens width"], batch: PackedBatch) -> Float[Tensor, "sequences"]:
    squares = vectors.square().sum(1)
    return squares.new_zeros(len(batch.lengths)).index_add_(0, _owners(batch), squares).sqrt()


def _owners(batch: PackedBatch) -> Tensor:
    return torch.repeat_interleave(batch.cu_seqlens.diff(), output_size=batch.num_tokens)


@contextmanager
def _weights_aside(model: Trainable) -> Iterator[None]:
    """No gradient of a weight is computed inside the block."""
    learning = [parameter for _, parameter in model.named_parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad = False
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad = True
