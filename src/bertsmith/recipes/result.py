"""Everything a fine-tuning run found out."""

from dataclasses import dataclass
from typing import Any

import torch

from bertsmith.finetuning import Prepared, Truncated
from bertsmith.recipes.bundle import Bundle
from bertsmith.recipes.evaluation import Measured
from bertsmith.recipes.ngrams import Joined
from bertsmith.recipes.schema import FinetuneRecipe
from bertsmith.recipes.splits import Splits
from bertsmith.recipes.tricks import Calibrated
from bertsmith.training import ParameterGroup, TrainingResult


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """Everything a run found out. `leads` is False on the processes that only helped."""

    recipe: FinetuneRecipe
    bundle: Bundle
    splits: Splits
    prepared: dict[str, Prepared]
    measured: dict[str, Measured]
    training: TrainingResult
    groups: tuple[ParameterGroup, ...]
    device: torch.device
    notes: tuple[str, ...]
    seconds: float
    calibrated: Calibrated | None = None
    joined: Joined | None = None
    """What the n-grams are worth beside the encoder, if they were asked for."""
    why: str | None = None
    """Why texts are read as they are, where the recipe leaves it open."""
    leads: bool = True
    warmed: TrainingResult | None = None
    """How the warm start went, if there was one."""

    @property
    def truncated(self) -> Truncated:
        """What shortening cost the training texts."""
        return self.prepared["train"].truncated

    def _document(self) -> dict[str, Any]:
        """How texts are read, and why if the recipe left it open."""
        told = self.bundle.model.task.document.model_dump(mode="json")
        return told if self.why is None else {**told, "why": self.why}

    def _warmed(self, warmed: TrainingResult) -> dict[str, Any]:
        return {"steps": warmed.steps, "tokens": warmed.tokens, "seconds": round(warmed.seconds, 3)}

    def summary(self) -> dict[str, Any]:
        """The object `finetune --json` prints, without `out`."""
        result = self.training
        return {
            **{name: dict(measured.metrics) for name, measured in self.measured.items()},
            "labels": list(self.bundle.answers.shown),
            "train_texts": len(self.splits.train.records),
            "document": self._document(),
            "truncated": {
                "texts": self.truncated.texts,
                "tokens": self.truncated.tokens,
                "splits": {
                    name: {"texts": prepared.truncated.texts, "tokens": prepared.truncated.tokens}
                    for name, prepared in self.prepared.items()
                },
            },
            **({} if self.joined is None else {"ngrams": self.joined.summary()}),
            **({} if self.calibrated is None else {"calibration": self.calibrated.summary()}),
            **({} if self.warmed is None else {"warm_start": self._warmed(self.warmed)}),
            "steps": result.steps,
            "best_step": result.best_step,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": round(result.tokens / result.seconds, 1) if result.seconds else None,
            "seed": self.recipe.seed,
            "notes": list(self.notes),
        }
