"""Which weight learns how fast, and from when on: parameters gathered by rate, decay and thawing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bertsmith.errors import UserError
from bertsmith.training.freezing import Freezing
from bertsmith.training.optimizer import OptimizerConfig
from bertsmith.training.protocols import Trainable


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that learn at one rate with one weight decay, from one epoch on; never, if `from_epoch` is None."""

    name: str
    rate: float
    weight_decay: float
    parameters: dict[str, nn.Parameter]
    from_epoch: int | None = 0

    @property
    def size(self) -> int:
        """How many numbers the group holds."""
        return sum(parameter.numel() for parameter in self.parameters.values())


def parameter_groups(
    model: Trainable, config: OptimizerConfig, freezing: Freezing | None = None
) -> list[ParameterGroup]:
    """Trainable parameters from the head down to the embeddings.

    Biases and LayerNorm weights, all that has fewer than two dimensions, are not decayed.

    Raises:
        UserError: `rates` names no parameter, or more layers are to be frozen than there are.
    """
    if freezing is not None:
        freezing.require_fit(model.top_depth)
    names = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    _require_named(config, names)
    members: dict[tuple[int, str, bool], dict[str, nn.Parameter]] = defaultdict(dict)
    for name, parameter in names.items():
        depth = min(model.depth_of(name), model.top_depth + 1)
        members[depth, config.named(name) or "", parameter.ndim < 2][name] = parameter
    return [
        _group(members[key], key, model.top_depth, config, freezing)
        for key in sorted(members, key=lambda key: (-key[0], key[1], key[2]))
    ]


def thaw(groups: Sequence[ParameterGroup], epoch: int | None) -> None:
    """Let the groups learn whose time has come, and no others; without an epoch, all."""
    for group in groups:
        learns = epoch is None or (group.from_epoch is not None and group.from_epoch <= epoch)
        for parameter in group.parameters.values():
            parameter.requires_grad_(learns)


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
    """The optimizer of the groups that ever learn. Each group remembers its `peak_lr`."""
    return config.build(
        [
            {
                "params": list(group.parameters.values()),
                "lr": group.rate,
                "peak_lr": group.rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
            if group.from_epoch is not None
        ]
    )


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Bring every group to this share of its peak rate; return the highest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return max(float(group["lr"]) for group in optimizer.param_groups)


def _group(
    parameters: dict[str, nn.Parameter],
    key: tuple[int, str, bool],
    top_depth: int,
    config: OptimizerConfig,
    freezing: Freezing | None,
) -> ParameterGroup:
    depth, pattern, small = key
    from_epoch = freezing.from_epoch(depth, top_depth) if freezing is not None else 0
    remarks = [pattern] if pattern else []
    if from_epoch is None:
        remarks.append("frozen")
    elif from_epoch:
        remarks.append(f"from epoch {from_epoch + 1}")
    name = "head" if depth > top_depth else f"layer {depth}" if depth else "embeddings"
    return ParameterGroup(
        name=f"{name} ({', '.join(remarks)})" if remarks else name,
        rate=config.rates[pattern] if pattern else config.rate(depth, top_depth),
        weight_decay=0.0 if small else config.weight_decay,
        parameters=parameters,
        from_epoch=from_epoch,
    )


def _require_named(config: OptimizerConfig, names: dict[str, nn.Parameter]) -> None:
    used = {config.named(name) for name in names}
    idle = next((pattern for pattern in config.rates if pattern not in used), None)
    if idle is not None:
        raise UserError(
            f"optimizer.rates: {idle!r} is the whole name of no parameter, or a later pattern has them all; "
            f"names look like {', '.join(list(names)[-3:])}, `finetune --dry-run` prints them",
            code="bad_setting",
        )
