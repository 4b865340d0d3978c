"""Readings to outputs, in the order they came, packed by length under a token budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batch import Layout
from bertsmith.data import plan_inference
from bertsmith.finetuning.model import FineTuner
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.reading import Reading, pack_readings
from bertsmith.metrics import pooled, tempered

INFERENCE_TOKENS = 4096
"""Tokens packed together at once; more leave the caches of a CPU."""


def predict(
    model: FineTuner,
    views: Sequence[Sequence[Reading]],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    max_tokens: int = INFERENCE_TOKENS,
) -> Outputs:
    """What the model says of every text, at the temperature of its task; of texts read in several ways the mean.

    A linear model of n-grams, if it has one, is pooled with the encoder. The model's train or eval mode is put back
    afterwards.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            said = [_outputs(model, readings, device, max_tokens) for readings in views]
    finally:
        model.train(was_training)
    outputs = said[0] if len(said) == 1 else Outputs(np.mean([outputs.values for outputs in said], axis=0))
    if model.ngrams is not None:
        values = pooled(outputs.values, model.ngrams.chances(*views), model.ngrams.part.powers)
        outputs = replace(outputs, values=values)
    if model.task.temperature == 1.0:
        return outputs
    return replace(outputs, values=tempered(outputs.values, model.task.temperature))


def _outputs(model: FineTuner, readings: Sequence[Reading], device: torch.device, max_tokens: int) -> Outputs:
    items = Items.of(readings)
    values = np.zeros((items.total, len(model.task.labels)), dtype=np.float32)
    best = np.zeros(len(values), dtype=np.int64) if model.task.answers.per_token else None
    for places, scores, layout in scored(model, readings, device=device, max_tokens=max_tokens):
        values[places] = model.criterion.probabilities(scores, layout).float().cpu().numpy()
        if best is not None:
            best[places] = model.criterion.answer(scores, layout).cpu().numpy()
    return Outputs(values, None if best is None else items.counts, best)


@dataclass(frozen=True, slots=True)
class Items:
    """How many answers each text gets, and where its first stands among those of all."""

    counts: Int[np.ndarray, "texts"]
    starts: Int[np.ndarray, "texts"]

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> "Items":
        """The items of these texts, end to end."""
        counts = np.array([reading.items for reading in readings], dtype=np.int64)
        return cls(counts, np.cumsum(counts) - counts)

    @property
    def total(self) -> int:
        """All items."""
        return int(self.counts.sum())

    def places(self, rows: Int[np.ndarray, "rows"]) -> Int[np.ndarray, "some"]:
        """The places of the items of these texts."""
        return np.concatenate([np.arange(self.starts[row], self.starts[row] + self.counts[row]) for row in rows])


def scored(
    model: FineTuner, readings: Sequence[Reading], *, device: torch.device, max_tokens: int = INFERENCE_TOKENS
) -> Iterator[tuple[Int[np.ndarray, "some"], Float[Tensor, "some outputs"], Layout | None]]:
    """The scores of some items at a time: their places among all items, and which stand together in a text."""
    lengths = np.array([len(reading) for reading in readings], dtype=np.int64)
    items = Items.of(readings)
    for rows in plan_inference(lengths, max_tokens):
        texts = pack_readings([readings[row] for row in rows]).to(device)
        yield items.places(rows), model.scores(texts), texts.layout
