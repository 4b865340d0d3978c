"""How well the model does on texts it does not learn from."""

from collections.abc import Callable, Iterable

import torch

from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.model import Pretrainer


def heldout_metrics(
    model: Pretrainer,
    builds: Iterable[Callable[[], PretrainBatch]],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> dict[str, float]:
    """Mean of every loss over its targets, `loss` as their sum, and what the losses count.

    The same texts, weights and seed give the same numbers; what the model has counted in training and
    its train or eval mode stay as they are.
    """
    was_training, outer = model.training, model.counts
    totals = torch.zeros(2, len(model.loss_names), dtype=torch.float64, device=device)
    model.eval()
    model.counts = counts = model.new_counts()
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16),
        ):
            torch.manual_seed(seed)
            for build in builds:
                batch = build().to(device)
                sums, weights = model(batch), model.loss_weights(batch)
                for row, values in enumerate((sums, weights)):
                    totals[row] += torch.stack([values[name].double() for name in model.loss_names])
    finally:
        model.counts = outer
        model.train(was_training)
    means = (totals[0] / totals[1].clamp(min=1)).tolist()
    losses = dict(zip(model.loss_names, means, strict=True))
    return {"loss": sum(means), **losses, **counts.take()}
