"""Several models of one task as one: the mean of what they say."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from bertsmith.batch import Layout
from bertsmith.finetuning.model import FineTuner
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.prediction import Items, predict, scored
from bertsmith.finetuning.reading import Reading
from bertsmith.losses.crf import CrfCriterion

Views = Sequence[Sequence[Reading]]

UNITS_AT_ONCE = 65536
"""Units decoded together."""


def predict_together(
    models: Sequence[FineTuner], views: Sequence[Views], *, device: torch.device, dtypes: Sequence[torch.dtype]
) -> Outputs:
    """The mean over models of their probabilities, or of their numbers; `views` holds the texts as each reads them.

    Where all decide tags by a CRF, their scores are averaged before one chain decodes them: the
    emissions, and the scores of steps between tags, so that the answer keeps the tag scheme. Other
    taggers choose the likeliest tag of the mean at each unit.

    The models must cut the texts into the same items.
    """
    criteria = [model.criterion for model in models]
    if all(isinstance(criterion, CrfCriterion) for criterion in criteria):
        return _decoded(models, views, device, dtypes)
    said = [
        predict(model, theirs, device=device, dtype=dtype)
        for model, theirs, dtype in zip(models, views, dtypes, strict=True)
    ]
    values = np.stack([outputs.values for outputs in said]).mean(axis=0, dtype=np.float64).astype(np.float32)
    counts = said[0].counts
    return Outputs(values, counts, None if counts is None else values.argmax(1))


def mean_crf(criteria: Sequence[nn.Module]) -> CrfCriterion:
    """A chain whose scores of steps are the means of these."""
    first = criteria[0]
    assert isinstance(first, CrfCriterion)
    mean = deepcopy(first).cpu()
    with torch.no_grad():
        for name in ("start", "steps", "end"):
            parts = [getattr(criterion, name).detach().cpu() for criterion in criteria]
            getattr(mean, name).copy_(torch.stack(parts).mean(0))
    return mean


@torch.inference_mode()
def _decoded(
    models: Sequence[FineTuner], views: Sequence[Views], device: torch.device, dtypes: Sequence[torch.dtype]
) -> Outputs:
    items = Items.of(views[0][0])
    total = np.zeros((items.total, len(models[0].task.labels)), dtype=np.float64)
    for model, theirs, dtype in zip(models, views, dtypes, strict=True):
        model.eval()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            for places, scores, _ in scored(model, theirs[0], device=device):
                total[places] += scores.double().cpu().numpy()
    mean = (total / len(models)).astype(np.float32)
    chain = mean_crf([model.criterion for model in models])
    values, best = np.zeros_like(mean), np.zeros(len(mean), dtype=np.int64)
    for part, counts in _parts(items.counts):
        emissions, layout = torch.from_numpy(mean[part]), Layout.of(counts)
        values[part] = chain.probabilities(emissions, layout).numpy()
        best[part] = chain.answer(emissions, layout).numpy()
    return Outputs(values, items.counts, best)


def _parts(counts: Int[np.ndarray, "texts"]) -> Iterator[tuple[slice, list[int]]]:
    """Whole texts, so many units at a time."""
    ends = np.cumsum(counts)
    number = 0
    while number < len(counts):
        begin = int(ends[number] - counts[number])
        until = max(number + 1, int(np.searchsorted(ends, begin + UNITS_AT_ONCE, side="right")))
        yield slice(begin, int(ends[until - 1])), counts[number:until].tolist()
        number = until
