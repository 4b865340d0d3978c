"""Everything a run that makes a sentence encoder found out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from bertsmith.metrics import Interval
from bertsmith.recipes.contrast_data import ItemSplits
from bertsmith.recipes.contrast_measuring import ItemMeasure
from bertsmith.recipes.contrast_schema import ContrastRecipe, Stage
from bertsmith.recipes.contrast_texts import ReadTexts
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.training import ParameterGroup, TrainingResult


@dataclass(frozen=True, slots=True)
class MeasuredItems:
    """One part with the vectors of its texts, and the figures they give."""

    measure: ItemMeasure
    vectors: Float[np.ndarray, "texts width"]
    metrics: dict[str, float]
    intervals: dict[str, Interval]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A row for each item, as predictions_*.jsonl has it."""
        return self.measure.lines(self.vectors)


@dataclass(frozen=True, slots=True)
class StageResult:
    """How one stage went."""

    stage: Stage
    splits: ItemSplits
    read: ReadTexts
    items: int
    groups: tuple[ParameterGroup, ...]
    training: TrainingResult
    measured: dict[str, MeasuredItems]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """What metrics.json tells of an earlier stage."""
        return {
            "method": self.stage.method,
            **{name: dict(measured.metrics) for name, measured in self.measured.items()},
            "items": self.items,
            "steps": self.training.steps,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class ContrastResult:
    """A trained sentence encoder and how it came to be. `leads` is False on the processes that only helped."""

    recipe: ContrastRecipe
    bundle: SentenceBundle
    last: StageResult
    earlier: tuple[dict[str, Any], ...]
    device: torch.device
    seconds: float
    leads: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What the last stage had to say."""
        return self.last.notes

    def summary(self) -> dict[str, Any]:
        """The object `contrast --json` prints, without `out`."""
        last, result = self.last, self.last.training
        return {
            "dev": {},
            **{name: dict(measured.metrics) for name, measured in last.measured.items()},
            "method": last.stage.method,
            "train_texts": len(last.read.ids),
            "items": last.items,
            "dim": self.bundle.width,
            "pooling": self.bundle.task.pooling,
            "truncated": {"texts": last.read.truncated.texts, "tokens": last.read.truncated.tokens},
            **({"stages": list(self.earlier)} if self.earlier else {}),
            "steps": result.steps,
            "best_step": result.best_step,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": round(result.tokens / result.seconds, 1) if result.seconds else None,
            "seed": self.recipe.seed,
            "notes": list(self.notes),
        }
