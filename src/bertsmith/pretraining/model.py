"""The model that is pre-trained: the encoder, the heads that the losses need, and the losses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bertsmith.encoder import Encoder
from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.counts import Counts
from bertsmith.pretraining.objective import LossHead
from bertsmith.pretraining.reading import Reading


class Pretrainer(nn.Module):
    """Packed texts with targets -> the sum of each loss over its targets.

    Losses that need the same head share it. A loss for which a batch has no targets is zero and
    weighs nothing, so that batches of several kinds may take turns. What is counted on the way stands in `counts`.
    """

    def __init__(
        self, encoder: Encoder, losses: Sequence[LossHead], *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.losses = tuple(losses)
        self.heads = nn.ModuleDict()
        for loss in self.losses:
            for name, build in loss.heads(encoder).items():
                if name not in self.heads:
                    self.heads[name] = build(generator)
        self.counts = self.new_counts()

    def new_counts(self) -> Counts:
        """Nothing counted yet."""
        return Counts([name for loss in self.losses for name in loss.counted] + ["degraded_share"])

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Every loss once, in the order of the objective."""
        return tuple(dict.fromkeys(name for loss in self.losses for name in loss.losses))

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; the heads and the generator lie above it."""
        return self.encoder.config.num_layers

    def loss_weights(self, batch: PretrainBatch) -> dict[str, Tensor]:
        """The number of targets of each loss in a micro-batch."""
        weights = {name: weight for loss in self.losses for name, weight in loss.weights(batch).items()}
        like = self.encoder.embeddings.token.weight
        return {name: like.new_full((), weights.get(name, 0)) for name in self.loss_names}

    def forward(self, batch: PretrainBatch) -> dict[str, Tensor]:
        """The weighted sum of each loss over its targets in a micro-batch."""
        reading = Reading(batch, self.encoder, self.heads, self.counts)
        zero = self.encoder.embeddings.token.weight.new_zeros(())
        sums = dict.fromkeys(self.loss_names, zero)
        degraded = batch.counts.get("degraded", 0)
        if wanted := degraded + batch.counts.get("similar", 0):
            self.counts.add("degraded_share", degraded, wanted)
        for loss in self.losses:
            if loss.weights(batch):
                sums |= loss(reading)
        return sums

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else self.top_depth + 1
