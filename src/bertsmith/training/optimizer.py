"""Which weight learns how fast: a rate for every depth, no decay where it makes no sense, and the rule of the steps."""

import math
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import nn

from bertsmith.config import Config
from bertsmith.training.lamb import LayerwiseAdam
from bertsmith.training.protocols import Trainable
from bertsmith.training.schedule import Linear, Schedule

Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]


class OptimizerConfig(Config):
    """What every optimizer has: rates by depth, decay, moments, clipping, schedule.

    The head learns at `head_lr` (`lr` if None), the encoder's last layer at `lr`, every layer below
    at `layer_decay` times the rate of the one above, the embeddings one step below the first layer
    (Sun et al. 2019, arXiv 1905.05583 §5.3.3; their code leaves the embeddings at the full rate).
    ELECTRA's code decays the last layer already twice: its `lr` and 0.8 are our head_lr = `lr`,
    lr = 0.8² · `lr`. A `layer_decay` of 1 is off; so is a `max_grad_norm` of 0.
    """

    lr: PositiveFloat = 5e-5
    head_lr: PositiveFloat | None = None
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    max_grad_norm: NonNegativeFloat = 1.0
    schedule: Schedule = Linear()

    def rate(self, depth: int, top_depth: int) -> float:
        """Peak learning rate of a parameter at this depth."""
        if depth > top_depth:
            return self.head_lr or self.lr
        return self.lr * self.layer_decay ** (top_depth - depth)

    @abstractmethod
    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make the optimizer of parameter groups that bring their own rate and decay."""


class AdamW(OptimizerConfig):
    """Adam with the decay of weights set apart (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    kind: Literal["adamw"] = "adamw"

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Fused: three times cheaper than the loop over tensors."""
        return torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=True)


class BertAdam(OptimizerConfig):
    """AdamW without bias correction, as in the code of Devlin et al. 2019: the first steps are longer.

    It makes fine-tuning on few texts unstable (Zhang et al. 2021, arXiv 2006.05987 §4); here to repeat results.
    """

    kind: Literal["bert_adam"] = "bert_adam"
    eps: PositiveFloat = 1e-6

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """AdamW at step infinity, where the correction is one."""
        optimizer = torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=True)
        for parameter in (parameter for group in groups for parameter in group["params"]):
            optimizer.state[parameter] = {
                "step": torch.full((), math.inf, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return optimizer


class Lamb(OptimizerConfig):
    """Adam's step scaled tensor by tensor to the size of the weights, for large batches (You et al. 2020).

    arXiv 1904.00962, algorithm 2; `lr` is their rate for 512 texts an update, to grow with the root
    of the batch.
    """

    kind: Literal["lamb"] = "lamb"
    lr: PositiveFloat = 6.25e-4
    eps: PositiveFloat = 1e-6
    bias_correction: bool = True

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Biases and LayerNorm weights keep Adam's step."""
        return LayerwiseAdam(groups, betas=self.betas, eps=self.eps, bias_correction=self.bias_correction)


Optimizer = Annotated[AdamW | BertAdam | Lamb, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that learn at one rate with one weight decay."""

    name: str
    rate: float
    weight_decay: float
    parameters: dict[str, nn.Parameter]

    @property
    def size(self) -> int:
        """How many numbers the group holds."""
        return sum(parameter.numel() for parameter in self.parameters.values())


def parameter_groups(model: Trainable, config: OptimizerConfig) -> list[ParameterGroup]:
    """Trainable parameters from the head down to the embeddings.

    Biases and LayerNorm weights, all that has fewer than two dimensions, are not decayed.
    """
    members: dict[tuple[int, bool], dict[str, nn.Parameter]] = defaultdict(dict)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members[min(model.depth_of(name), model.top_depth + 1), parameter.ndim < 2][name] = parameter
    return [
        ParameterGroup(
            name=_group_name(depth, model.top_depth),
            rate=config.rate(depth, model.top_depth),
            weight_decay=0.0 if small else config.weight_decay,
            parameters=members[depth, small],
        )
        for depth, small in sorted(members, key=lambda key: (-key[0], key[1]))
    ]


def group_table(groups: Sequence[ParameterGroup]) -> str:
    """The groups as text: name, rate, decay, numbers, tensors."""
    rows = [("group", "rate", "decay", "numbers", "tensors")]
    for group in groups:
        names = ", ".join(group.parameters)
        short = names if len(names) <= 60 else f"{names[:57]}..."
        rows.append((group.name, f"{group.rate:.3g}", f"{group.weight_decay:g}", f"{group.size:,}", short))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def build_optimizer(groups: Sequence[ParameterGroup], config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer of these groups. Each group remembers its `peak_lr`."""
    return config.build(
        [
            {
                "params": list(group.parameters.values()),
                "lr": group.rate,
                "peak_lr": group.rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
        ]
    )


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Bring every group to this share of its peak rate; return the highest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return max(float(group["lr"]) for group in optimizer.param_groups)


def _group_name(depth: int, top_depth: int) -> str:
    if depth > top_depth:
        return "head"
    return f"layer {depth}" if depth else "embeddings"
