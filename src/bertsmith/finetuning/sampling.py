"""Which task has which update of an epoch, where several tasks share an encoder."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field, PositiveFloat, PositiveInt

from bertsmith.config import Config
from bertsmith.errors import UserError

_STREAM = int.from_bytes(b"tasks")


class Proportional(Config):
    """Every task has as many updates as it has batches: an epoch reads each text once (Sun et al. 2019's code)."""

    kind: Literal["proportional"] = "proportional"

    def shares(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """The tasks' shares of the updates, from how many batches each has."""
        return {name: float(size) for name, size in sizes.items()}

    def updates(self, sizes: Mapping[str, int]) -> int:
        """Updates of an epoch."""
        return sum(sizes.values())


class Temperature(Config):
    """A task's share grows with its batches to the power 1 / `temperature`: 1 is proportional, large is even.

    Temperature-scaled mixing (Raffel et al. 2020, arXiv 1910.10683 §3.5.2; multilingual BERT's exponent 0.7 is a
    temperature of 1.43). Small tasks then come several times an epoch, large ones not whole. An epoch has
    `updates_per_epoch` updates, or as many as reading every text once would take.
    """

    kind: Literal["temperature"] = "temperature"
    temperature: Annotated[float, Field(ge=1.0)] = 2.0
    updates_per_epoch: PositiveInt | None = None

    def shares(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """The tasks' shares of the updates, from how many batches each has."""
        largest = max(sizes.values())
        return {name: float((size / largest) ** (1 / self.temperature)) for name, size in sizes.items()}

    def updates(self, sizes: Mapping[str, int]) -> int:
        """Updates of an epoch."""
        return self.updates_per_epoch or sum(sizes.values())


class Fixed(Config):
    """Shares by hand, by the name of the task; they need not sum to one."""

    kind: Literal["fixed"] = "fixed"
    by_task: dict[str, PositiveFloat]
    updates_per_epoch: PositiveInt | None = None

    def shares(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """The tasks' shares of the updates."""
        return {name: self.by_task[name] for name in sizes}

    def updates(self, sizes: Mapping[str, int]) -> int:
        """Updates of an epoch."""
        return self.updates_per_epoch or sum(sizes.values())


Sampling = Annotated[Proportional | Temperature | Fixed, Field(discriminator="kind")]
"""How the updates of an epoch are shared out among tasks."""


def quotas(sampling: Proportional | Temperature | Fixed, sizes: Mapping[str, int]) -> dict[str, int]:
    """How many updates of an epoch each task has, at least one; together exactly an epoch (largest remainders).

    Raises:
        UserError: there are more tasks than updates.
    """
    total, shares = sampling.updates(sizes), sampling.shares(sizes)
    if total < len(sizes):
        raise UserError(
            f"sampling.updates_per_epoch is {total}, but there are {len(sizes)} tasks; give each at least one",
            code="bad_setting",
        )
    exact = {name: total * share / sum(shares.values()) for name, share in shares.items()}
    found = {name: max(1, int(wanted)) for name, wanted in exact.items()}
    while (left := total - sum(found.values())) != 0:
        step = 1 if left > 0 else -1
        able = [name for name in found if step > 0 or found[name] > 1]
        found[max(able, key=lambda name: step * (exact[name] - found[name]))] += step
    return found


def order_of_epoch(numbers: Sequence[int], *, seed: int, epoch: int) -> Int[np.ndarray, "updates"]:
    """The task (its place) of every update of an epoch: shuffled, each task exactly as often as it should be."""
    turns = np.repeat(np.arange(len(numbers)), numbers)
    return np.random.Generator(np.random.PCG64([_STREAM, seed, epoch])).permutation(turns)
