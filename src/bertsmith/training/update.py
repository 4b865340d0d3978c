"""One update: micro-batches, one division by the total weight, clipping, one move of the optimizer.

On a GPU nothing here waits for it: an update is asked for, and its numbers are read later, those of several
updates at once. What must not happen, weights moved by a gradient that is not finite, is seen to on the device.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from bertsmith.errors import UserError
from bertsmith.training.determinism import seed_micro_batch
from bertsmith.training.groups import set_rates
from bertsmith.training.protocols import Build, MicroBatch, Trainable
from bertsmith.training.ranks import Ranks
from bertsmith.training.step import Step

READ_EVERY = 16
"""Updates whose numbers are read together on a GPU: the wait for one of them costs each a sixteenth."""


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
class Made:
    """An update that was asked for: its number (from 0), its rate, and on the device its losses, norm and tokens."""

    number: int
    lr: float
    told: Tensor


@dataclass(slots=True)
class Updater:
    """Makes updates of one model on one device, together with the other processes.

    A micro-batch belongs to process `number % world`. Gradients are those of the mean over all items
    of the update, however it is cut into micro-batches and spread over processes.

    Numbers are read every `read_every` updates; where that is more than one, an update that is not finite
    moves nothing, nor does any after it, until `read` says so.
    """

    model: Trainable
    optimizer: torch.optim.Optimizer
    step: Step
    ranks: Ranks
    device: torch.device
    seed: int
    max_grad_norm: float
    read_every: int = 1
    _broken: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is broken yet."""
        self._broken = torch.zeros((), device=self.device)

    def __call__(self, update: int, builds: Sequence[Build], *, factor: float) -> Made:
        """Make update number `update` (from 0) at this share of the peak rates.

        Raises:
            UserError: every update is read, and the loss or the gradient is not finite; the weights are as before.
        """
        mine = range(self.ranks.rank, len(builds), self.ranks.world)
        batches = {number: builds[number]().to(self.device) for number in mine}
        scales, tokens = self._scales(batches.values())
        self.optimizer.zero_grad()
        sums = torch.zeros_like(scales)
        for number, batch in batches.items():
            seed_micro_batch(self.seed, update, number)
            sums += self._stack(self.step(self.model, batch, self._named(scales.float())))
        losses = self.ranks.sum(sums) * scales
        norm = self._gradient_norm().double()
        made = Made(update, set_rates(self.optimizer, factor), torch.cat([losses, torch.stack([norm, tokens])]))
        self._move(made)
        return made

    def read(self, made: Sequence[Made]) -> list[Outcome]:
        """What these updates did; the only place where the host waits for the device.

        Raises:
            UserError: the loss or the gradient of one is not finite; the weights are as before it.
        """
        if not made:
            return []
        rows = torch.stack([each.told for each in made]).tolist()
        return [self._outcome(each, row) for each, row in zip(made, rows, strict=True)]

    def _outcome(self, made: Made, row: list[float]) -> Outcome:
        *losses, norm, tokens = row
        outcome = Outcome(dict(zip(self.model.loss_names, losses, strict=True)), norm, made.lr, int(tokens))
        _require_finite(outcome, made.number)
        return outcome

    def _move(self, made: Made) -> None:
        """Let the optimizer move the weights, unless a number is not finite."""
        if self.read_every == 1:
            self.read([made])
        else:
            finite = made.told.isfinite().all()
            self._broken = torch.where(finite, self._broken, 1.0)
            self.optimizer.found_inf = self._broken  # type: ignore[attr-defined]
        self.optimizer.step()

    def _scales(self, batches: Iterable[MicroBatch]) -> tuple[Tensor, Tensor]:
        """One over the total weight of each loss, over micro-batches and processes; and the tokens."""
        names = self.model.loss_names
        totals = torch.zeros(len(names) + 1, dtype=torch.float64, device=self.device)
        for batch in batches:
            totals[:-1] += self._stack(self.model.loss_weights(batch))
            totals[-1] += batch.num_tokens
        self.ranks.sum(totals)
        weights = totals[:-1]
        return torch.where(weights > 0, 1 / weights, 0.0), totals[-1]

    def _gradient_norm(self) -> Tensor:
        """Add up the gradients of all processes, clip them, and return their norm before that."""
        parameters = [p for _, p in self.model.named_parameters() if p.requires_grad]
        self.ranks.sum_gradients(parameters)
        moved: list[nn.Parameter] = [p for p in parameters if p.grad is not None]
        norm = get_total_norm([p.grad for p in moved if p.grad is not None])
        if self.max_grad_norm and (self.read_every > 1 or not norm <= self.max_grad_norm):
            clip_grads_with_norm_(moved, self.max_grad_norm, norm)
        return norm

    def _stack(self, values: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([values[name].double() for name in self.model.loss_names])

    def _named(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.model.loss_names, values, strict=True))


def reads_every(device: torch.device, optimizer: torch.optim.Optimizer) -> int:
    """How many updates may be asked for before one is read: on the CPU one, where reading costs nothing.

    On a GPU it takes an optimizer that can be told on the device to move nothing: torch's fused ones
    (`found_inf`, made for gradients scaled in half precision).
    """
    fused = all(group.get("fused") for group in optimizer.param_groups)
    return READ_EVERY if device.type == "cuda" and fused else 1


def _require_finite(outcome: Outcome, update: int) -> None:
    if math.isfinite(outcome.loss) and math.isfinite(outcome.grad_norm):
        return
    raise UserError(
        f"update {update + 1}: the loss is {outcome.loss:g} and the gradient norm {outcome.grad_norm:g} at rate "
        f"{outcome.lr:.3g}; training cannot go on. Lower the rate (optimizer.lr), lengthen the warm-up, "
        "or compute in float32 (precision). Snapshots made before are kept.",
        code="not_finite",
    )
