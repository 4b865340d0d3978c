"""One micro-batch as the losses meet it."""

from functools import cached_property
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertsmith.encoder import Encoder
from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.counts import Counts

H = TypeVar("H", bound=nn.Module)


def head_of(heads: nn.ModuleDict, name: str, kind: type[H]) -> H:
    """One of the heads, known to be of this kind."""
    head = heads[name]
    assert isinstance(head, kind), f"{name} is a {type(head).__name__}"
    return head


class Reading:
    """A micro-batch, the encoder, the heads by name, and where to count; the encoder runs at most once on the texts."""

    def __init__(self, batch: PretrainBatch, encoder: Encoder, heads: nn.ModuleDict, counts: Counts) -> None:
        self.batch = batch
        self.encoder = encoder
        self.heads = heads
        self.counts = counts

    @cached_property
    def _states(self) -> Float[Tensor, "rows hidden"]:
        states: Tensor = self.encoder(self.batch.texts, self.batch.attend, rows=self.batch.asked).last
        return states

    def at(self, rows: Int[Tensor, "rows"]) -> Float[Tensor, "rows hidden"]:
        """The last hidden states at rows that a target of the batch reads."""
        asked = self.batch.asked
        return self._states[rows if asked is None else torch.searchsorted(asked, rows)]

    def head(self, name: str, kind: type[H]) -> H:
        """The head of this name, which is of this kind."""
        return head_of(self.heads, name, kind)

    @property
    def table(self) -> Float[Tensor, "vocab table"]:
        """The token table, to which every output over the vocabulary is tied."""
        return self.encoder.embeddings.token.weight
