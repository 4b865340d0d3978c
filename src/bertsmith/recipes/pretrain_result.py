"""Everything a pre-training run found out."""

from dataclasses import dataclass
from typing import Any

import torch

from bertsmith.pretraining import Pretrainer, PretrainUpdates, TokenCorpus
from bertsmith.recipes.pretraining_schema import PretrainRecipe
from bertsmith.text import Tokenizer
from bertsmith.training import ParameterGroup, TrainingResult


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """Everything a run found out. `leads` is False on the processes that only helped."""

    recipe: PretrainRecipe
    model: Pretrainer
    tokenizer: Tokenizer
    family: str
    corpus: TokenCorpus
    training: TrainingResult
    heldout: dict[str, float]
    heldout_documents: int
    samples: PretrainUpdates
    groups: tuple[ParameterGroup, ...]
    device: torch.device
    notes: tuple[str, ...]
    seconds: float
    leads: bool = True
    dropout: tuple[float, float] | None = None
    """The rates (hidden, attention) that `start.dropout` replaced while it learned."""

    def summary(self) -> dict[str, Any]:
        """The object `pretrain --json` prints, without `out` and the course of the loss."""
        result = self.training
        return {
            "steps": result.steps,
            "tokens": result.tokens,
            "objective": self.recipe.name,
            "corpus_tokens": self.corpus.shards.tokens,
            "excluded": self.corpus.shards.meta.excluded,
            "losses": {name: self.heldout[name] for name in self.model.loss_names if name in self.heldout},
            "heldout": dict(self.heldout),
            "vocab_size": self.tokenizer.vocab_size,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": round(result.tokens / result.seconds, 1) if result.seconds else None,
            "seed": self.recipe.seed,
            "notes": list(self.notes),
        }
