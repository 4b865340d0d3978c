"""Examples to probabilities, in the order they came, packed by length under a token budget."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from bertsmith.batch import Example, pack
from bertsmith.data import plan_inference
from bertsmith.finetuning.model import FineTuner

INFERENCE_TOKENS = 8192
"""Tokens packed together at once; more gains nothing on a CPU."""


def probabilities(
    model: FineTuner,
    examples: Sequence[Example],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    max_tokens: int = INFERENCE_TOKENS,
) -> Float[np.ndarray, "texts labels"]:
    """Probability of every label for every text; the model's train or eval mode is put back afterwards."""
    lengths = np.array([len(example) for example in examples], dtype=np.int64)
    found = np.zeros((len(examples), len(model.task.labels)), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            for rows in plan_inference(lengths, max_tokens):
                scores = model.scores(pack([examples[row] for row in rows]).to(device))
                found[rows] = model.criterion.probabilities(scores).float().cpu().numpy()
    finally:
        model.train(was_training)
    return found
