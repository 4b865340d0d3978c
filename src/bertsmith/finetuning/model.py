"""The model that is fine-tuned: encoder, features, head and criterion, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertsmith.batch import PackedBatch
from bertsmith.encoder import Encoder
from bertsmith.finetuning.task import Task


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Packed texts and the number of each one's label."""

    texts: PackedBatch
    targets: Int[Tensor, "sequences"]

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.texts.num_tokens

    def to(self, device: torch.device | str) -> "LabelledBatch":
        """Copy to a device."""
        return replace(self, texts=self.texts.to(device), targets=self.targets.to(device, non_blocking=True))


class FineTuner(nn.Module):
    """Packed texts -> scores for each label; in training, the summed loss.

    `label_counts` (how often each label occurs in the training data) is needed by balanced class
    weights only; a model made for prediction can leave it out.
    """

    def __init__(
        self,
        task: Task,
        encoder: Encoder,
        *,
        label_counts: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.task = task
        self.encoder = encoder
        self.features = task.features.build(encoder.config.hidden_size, generator=generator)
        self.head = task.head.build(self.features.width, len(task.labels), generator=generator)
        self.criterion = task.criterion.build(label_counts or (1,) * len(task.labels))

    def scores(self, texts: PackedBatch) -> Float[Tensor, "sequences labels"]:
        """Score every label for every text."""
        states = self.encoder(texts, keep_layers=self.features.keep_layers)
        scores: Tensor = self.head(self.features(states, texts))
        return scores

    @property
    def loss_names(self) -> tuple[str, ...]:
        """There is one loss."""
        return ("loss",)

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; pooler and head lie above it."""
        return self.encoder.config.num_layers

    def loss_weights(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """The sum of the class weights of a micro-batch."""
        return {"loss": self.criterion.weight(batch.targets)}

    def forward(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """The loss of a micro-batch, summed over its texts."""
        return {"loss": self.criterion.loss(self.scores(batch.texts), batch.targets).sum}

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else self.top_depth + 1
