"""One update: micro-batches, one division by the total weight, clipping, one move of the optimizer."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from bertsmith.errors import UserError
from bertsmith.training.determinism import seed_micro_batch
from bertsmith.training.groups import set_rates
from bertsmith.training.protocols import Build, MicroBatch, Trainable
from bertsmith.training.ranks import Ranks
from bertsmith.training.step import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an update did: mean losses, norm of the gradient before clipping, highest rate, tokens of all processes."""

    losses: dict[str, float]
    grad_norm: float
    lr: float
    tokens: int

    @property
    def loss(self) -> float:
        """Sum of the losses: what was descended."""
        return sum(self.losses.values())


@dataclass(frozen=True, slots=True)
class Updater:
    """Makes updates of one model on one device, together with the other processes.

    A micro-batch belongs to process `number % world`. Gradients are those of the mean over all items
    of the update, however it is cut into micro-batches and spread over processes.
    """

    model: Trainable
    optimizer: torch.optim.Optimizer
    step: Step
    ranks: Ranks
    device: torch.device
    seed: int
    max_grad_norm: float

    def __call__(self, update: int, builds: Sequence[Build], *, factor: float) -> Outcome:
        """Make update number `update` (from 0) at this share of the peak rates.

        Raises:
            UserError: the loss or the gradient is not finite; the weights are as before.
        """
        mine = range(self.ranks.rank, len(builds), self.ranks.world)
        batches = {number: builds[number]().to(self.device) for number in mine}
        scales, tokens = self._scales(batches.values())
        self.optimizer.zero_grad()
        sums = torch.zeros_like(scales)
        for number, batch in batches.items():
            seed_micro_batch(self.seed, update, number)
            sums += self._stack(self.step(self.model, batch, self._named(scales.float())))
        losses = (self.ranks.sum(sums) * scales).tolist()
        norm = self._gradient_norm()
        lr = set_rates(self.optimizer, factor)
        outcome = Outcome(dict(zip(self.model.loss_names, losses, strict=True)), norm, lr, tokens)
        _require_finite(outcome, update)
        self.optimizer.step()
        return outcome

    def _scales(self, batches: Iterable[MicroBatch]) -> tuple[Tensor, int]:
        """One over the total weight of each loss, over micro-batches and processes; and the tokens."""
        names = self.model.loss_names
        totals = torch.zeros(len(names) + 1, dtype=torch.float64, device=self.device)
        for batch in batches:
            totals[:-1] += self._stack(self.model.loss_weights(batch))
            totals[-1] += batch.num_tokens
        self.ranks.sum(totals)
        weights = totals[:-1]
        return torch.where(weights > 0, 1 / weights, 0.0), int(totals[-1].item())

    def _gradient_norm(self) -> float:
        """Add up the gradients of all processes, clip them, and return their norm before that."""
        parameters = [p for _, p in self.model.named_parameters() if p.requires_grad]
        self.ranks.sum_gradients(parameters)
        moved: list[nn.Parameter] = [p for p in parameters if p.grad is not None]
        norm = get_total_norm([p.grad for p in moved if p.grad is not None])
        if self.max_grad_norm and not norm <= self.max_grad_norm:
            clip_grads_with_norm_(moved, self.max_grad_norm, norm)
        return norm.item()

    def _stack(self, values: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([values[name].double() for name in self.model.loss_names])

    def _named(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.model.loss_names, values, strict=True))


def _require_finite(outcome: Outcome, update: int) -> None:
    if math.isfinite(outcome.loss) and math.isfinite(outcome.grad_norm):
        return
    raise UserError(
        f"update {update + 1}: the loss is {outcome.loss:g} and the gradient norm {outcome.grad_norm:g} at rate "
        f"{outcome.lr:.3g}; training cannot go on. Lower the rate (optimizer.lr), lengthen the warm-up, "
        "or compute in float32 (precision). Snapshots made before are kept.",
        code="not_finite",
    )
