"""The rule of the steps, and the rate of every depth."""

import math
import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator

from bertsmith.config import Config
from bertsmith.training.lamb import LayerwiseAdam
from bertsmith.training.schedule import Linear, Schedule

Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]


class OptimizerConfig(Config):
    """What every optimizer has: rates by depth or by name, decay, moments, clipping, schedule.

    The head learns at `head_lr` (`lr` if None), the encoder's last layer at `lr`, every layer below
    at `layer_decay` times the rate of the one above (Sun et al. 2019, arXiv 1905.05583 §5.3.4). With
    `decayed: all` the embeddings lie one step below the first layer, as the formula has it; with
    `decayed: layers` they keep `lr`, as in the authors' code, which decays only what is named
    `layer.i` (run_classifier_discriminative.py). ELECTRA's code decays the last layer already twice:
    its `lr` and 0.8 are our head_lr = `lr`, lr = 0.8² · `lr`. `rates` names parameters by a regular
    expression that fits their whole name (`head.*`) and sets their peak rate; the last that fits
    holds. A `layer_decay` of 1 is off; so is a `max_grad_norm` of 0.
    """

    lr: PositiveFloat = 5e-5
    head_lr: PositiveFloat | None = None
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    decayed: Literal["all", "layers"] = "all"
    rates: dict[str, PositiveFloat] = Field(default={})
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    max_grad_norm: NonNegativeFloat = 1.0
    schedule: Schedule = Linear()

    def rate(self, depth: int, top_depth: int) -> float:
        """Peak learning rate of a parameter at this depth."""
        if depth > top_depth:
            return self.head_lr or self.lr
        if depth == 0 and self.decayed == "layers":
            return self.lr
        return self.lr * self.layer_decay ** (top_depth - depth)

    def named(self, parameter: str) -> str | None:
        """The last pattern of `rates` that fits the name of a parameter."""
        return next((pattern for pattern in reversed(self.rates) if re.fullmatch(pattern, parameter)), None)

    @field_validator("rates")
    @classmethod
    def _patterns(cls, rates: dict[str, float]) -> dict[str, float]:
        for pattern in rates:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return rates

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

    It makes fine-tuning on few texts unstable (Zhang et al. 2021, arXiv 2006.05987 §4); here to repeat
    results. Gradients are clipped by their common norm, as BERT's code does; the PyTorch copy that
    Sun et al. 2019 used clips every tensor by itself.
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
