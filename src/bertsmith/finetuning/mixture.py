"""Several tasks over one encoder as one thing to train: the model, its batches, and the updates of a run."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from bertsmith.finetuning.guidance import Guided
from bertsmith.finetuning.model import FineTuner, LabelledBatch
from bertsmith.finetuning.sampling import Fixed, Proportional, Temperature, order_of_epoch, quotas
from bertsmith.finetuning.updates import LabelledUpdates


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """A batch of one of the tasks."""

    task: str
    batch: LabelledBatch

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.batch.num_tokens

    def to(self, device: torch.device | str) -> "TaskBatch":
        """Copy to a device."""
        return replace(self, batch=self.batch.to(device))


class MultiTuner(nn.Module):
    """One encoder under a head for each task (Sun et al. 2019, arXiv 1905.05583 table 7; Liu et al. 2019, 1901.11504).

    An update has texts of one task; the losses of the others are zero and weigh nothing, and their heads
    stay untouched. `tasks` share one and the same encoder module; each may come with its guides. A task's
    loss counts `weights` times, once if it is not named.
    """

    def __init__(self, tasks: Mapping[str, FineTuner | Guided], weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        tuners = {name: task.model if isinstance(task, Guided) else task for name, task in tasks.items()}
        self.encoder = next(iter(tuners.values())).encoder
        assert all(tuner.encoder is self.encoder for tuner in tuners.values()), "the tasks share one encoder"
        self.tasks = _ByName(tuners)
        self._trained = dict(tasks)
        self._weights = {name: (weights or {}).get(name, 1.0) for name in tasks}

    @property
    def loss_names(self) -> tuple[str, ...]:
        """A loss a task, called like it; `task.guide` are those of its guides."""
        return tuple(_named(task, loss) for task, trained in self._trained.items() for loss in trained.loss_names)

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; the heads lie above it."""
        return self.encoder.config.num_layers

    def loss_weights(self, batch: TaskBatch) -> dict[str, Tensor]:
        """The weight of the task's own losses; the others' is zero."""
        own = self._trained[batch.task].loss_weights(batch.batch)
        return self._zeros() | {_named(batch.task, loss): weight for loss, weight in own.items()}

    def forward(self, batch: TaskBatch) -> dict[str, Tensor]:
        """The losses of a micro-batch, summed over its items."""
        own, weight = self._trained[batch.task](batch.batch), self._weights[batch.task]
        return self._zeros() | {_named(batch.task, loss): weight * value for loss, value in own.items()}

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else self.top_depth + 1

    def _zeros(self) -> dict[str, Tensor]:
        return dict.fromkeys(self.loss_names, self.encoder.embeddings.token.weight.new_zeros(()))


class _ByName(nn.Module):
    """Modules under names that users chose: `nn.ModuleDict` refuses those it needs itself, as `type` or `values`."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._modules.update(modules)


def _named(task: str, loss: str) -> str:
    return task if loss == "loss" else f"{task}.{loss}"


class MixedUpdates:
    """The updates of several tasks as a pure function of the position in the run, so that it can begin anywhere.

    `quotas` says how many updates of an epoch each task has. Every task goes through its own epochs at its
    own pace: its k-th update of the run is the k-th of its own data, so that no text is left out in the long run.
    """

    def __init__(
        self, tasks: Mapping[str, LabelledUpdates], sampling: Proportional | Temperature | Fixed, *, seed: int
    ) -> None:
        self._tasks = dict(tasks)
        self._names = tuple(tasks)
        self.quotas = quotas(sampling, {name: updates.per_epoch(0) for name, updates in tasks.items()})
        self._order = lru_cache(maxsize=2)(partial(_order, tuple(self.quotas.values()), seed))
        self._ends: dict[str, list[int]] = {name: [0] for name in tasks}

    def per_epoch(self, epoch: int) -> int:
        """Every epoch has as many updates."""
        return sum(self.quotas.values())

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], TaskBatch]]:
        """The micro-batches of one update, all of one task."""
        order = self._order(epoch)
        place = int(order[index])
        name = self._names[place]
        number = epoch * self.quotas[name] + int((order[:index] == place).sum())
        builds = self._tasks[name].update(*self._place(name, number), at_least=at_least)
        return [partial(_of_task, name, build) for build in builds]

    def _place(self, name: str, number: int) -> tuple[int, int]:
        """Epoch of a task's own data, and index there, of its update number `number` of the run."""
        ends = self._ends[name]
        while ends[-1] <= number:
            ends.append(ends[-1] + self._tasks[name].per_epoch(len(ends) - 1))
        epoch = bisect_right(ends, number) - 1
        return epoch, number - ends[epoch]


def _order(numbers: Sequence[int], seed: int, epoch: int) -> Int[np.ndarray, "updates"]:
    return order_of_epoch(numbers, seed=seed, epoch=epoch)


def _of_task(name: str, build: Callable[[], LabelledBatch]) -> TaskBatch:
    return TaskBatch(name, build())
