"""The weights of many updates as one model: smoother than the last, and measured, kept and saved in its place.

It costs one more copy of the weights, on the device and in every snapshot, and a pass over them an update.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from bertsmith.config import Config
from bertsmith.training.protocols import Trainable
from bertsmith.training.state import weights_of


class Ema(Config):
    """Exponential moving average: each update counts `decay` times as much as the one after it.

    The average of w_1 … w_t with weights decay^(t − i), divided by their sum (the bias correction of
    Kingma & Ba 2015, arXiv 1412.6980 §3), so that the random head of the start has no part in it and
    short runs need no smaller decay (Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv 1703.01780).
    """

    kind: Literal["ema"] = "ema"
    decay: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.999

    def share(self, step: int, total: int) -> float:
        """How far the average moves to the weights after update `step`, counted from 1."""
        return float((1 - self.decay) / (1 - self.decay**step))


class Swa(Config):
    """Stochastic weight averaging: the plain mean of the weights after every `every`-th update of the last part.

    Izmailov et al. 2018, arXiv 1803.05407 §3. `start` is the share of the run after which it begins;
    until then the average is the weights themselves. A rate that does not fall to zero gives it more
    to average: `optimizer.schedule.kind=constant`.
    """

    kind: Literal["swa"] = "swa"
    start: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.75
    every: PositiveInt = 1

    def share(self, step: int, total: int) -> float:
        """How far the average moves to the weights after update `step`, counted from 1."""
        number, rest = divmod(step - 1 - int(self.start * total), self.every)
        if number < 0:
            return 1.0
        return 0.0 if rest else 1 / (number + 1)


Averaging = Annotated[Ema | Swa, Field(discriminator="kind")]


class Itself:
    """No average: the weights of the model stand for themselves."""

    def __init__(self, model: Trainable) -> None:
        self._model = model

    def follow(self, step: int) -> None:
        """Nothing to take in."""

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has its own weights inside the block, too."""
        yield

    def weights(self) -> dict[str, Tensor]:
        """The weights to keep; not copied."""
        return weights_of(self._model)

    def state(self) -> dict[str, Tensor] | None:
        """A snapshot needs nothing more than the weights."""
        return None

    def restore(self, state: Mapping[str, Tensor] | None) -> None:
        """Nothing to go on from."""


class Average:
    """The averaged weights of a run; what is no floating-point number is that of the last update.

    The share of every update follows from its number, so a snapshot holds the average and nothing else.
    """

    def __init__(self, config: Ema | Swa, model: Trainable, total: int) -> None:
        self._config, self._model, self._total = config, model, total
        self._average = {name: tensor.clone() for name, tensor in weights_of(model).items()}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the weights after update `step`, counted from 1."""
        share = self._config.share(step, self._total)
        own = weights_of(self._model)
        for name, average in self._average.items():
            if not average.is_floating_point() or share == 1.0:
                average.copy_(own[name])
            elif share:
                average.lerp_(own[name], share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def weights(self) -> dict[str, Tensor]:
        """The weights to keep; not copied."""
        return self._average

    def state(self) -> dict[str, Tensor]:
        """What a snapshot must hold."""
        return self._average

    def restore(self, state: Mapping[str, Tensor] | None) -> None:
        """Go on from a snapshot.

        Raises:
            ValueError: the snapshot has no average.
        """
        if state is None:
            raise ValueError("the snapshot holds no averaged weights")
        for name, average in self._average.items():
            average.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        """Change places with the weights of the model, one tensor at a time."""
        for name, tensor in weights_of(self._model).items():
            held = tensor.clone()
            tensor.copy_(self._average[name])
            self._average[name].copy_(held)


def averager(config: Ema | Swa | None, model: Trainable, total: int) -> Average | Itself:
    """What stands in for the weights of a run of `total` updates."""
    return Itself(model) if config is None else Average(config, model, total)
