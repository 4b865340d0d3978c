"""Readings to outputs, in the order they came, packed by length under a token budget."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from bertsmith.data import plan_inference
from bertsmith.finetuning.model import FineTuner
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.reading import Reading, pack_readings
from bertsmith.metrics.calibration import tempered

INFERENCE_TOKENS = 8192
"""Tokens packed together at once; more gains nothing on a CPU."""


def predict(
    model: FineTuner,
    views: Sequence[Sequence[Reading]],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    max_tokens: int = INFERENCE_TOKENS,
) -> Outputs:
    """What the model says of every text, at the temperature of its task; of texts read in several ways the mean.

    The model's train or eval mode is put back afterwards.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            said = [_outputs(model, readings, device, max_tokens) for readings in views]
    finally:
        model.train(was_training)
    outputs = said[0] if len(said) == 1 else Outputs(np.mean([outputs.values for outputs in said], axis=0))
    if model.task.temperature == 1.0:
        return outputs
    return replace(outputs, values=tempered(outputs.values, model.task.temperature))


def _outputs(model: FineTuner, readings: Sequence[Reading], device: torch.device, max_tokens: int) -> Outputs:
    lengths = np.array([len(reading) for reading in readings], dtype=np.int64)
    counts = np.array([reading.items for reading in readings], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    values = np.zeros((int(counts.sum()), len(model.task.labels)), dtype=np.float32)
    best = np.zeros(len(values), dtype=np.int64) if model.task.answers.per_token else None
    for rows in plan_inference(lengths, max_tokens):
        texts = pack_readings([readings[row] for row in rows]).to(device)
        scores = model.scores(texts)
        places = np.concatenate([np.arange(starts[row], starts[row] + counts[row]) for row in rows])
        values[places] = model.criterion.probabilities(scores, texts.layout).float().cpu().numpy()
        if best is not None:
            best[places] = model.criterion.answer(scores, texts.layout).cpu().numpy()
    return Outputs(values, None if best is None else counts, best)
