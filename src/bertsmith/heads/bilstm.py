"""Vectors that look at their neighbours once more, in both directions, before they are scored."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from bertsmith.batch import Layout, Steps
from bertsmith.heads.base import Dropout, Head, HeadConfig
from bertsmith.heads.initial import initialise


class BiLstm(HeadConfig):
    """A recurrent net in both directions under the tags (Lample et al. 2016, arXiv 1603.01360 §2.1).

    `hidden` is the width of each direction. It pays where the encoder is small, or frozen.
    """

    kind: Literal["bilstm"] = "bilstm"
    hidden: PositiveInt = 128
    layers: PositiveInt = 1
    dropout: Dropout = 0.1

    walks: ClassVar[bool] = True

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "BiLstmHead":
        """Make the module; the generator draws its weights."""
        return BiLstmHead(self, width, outputs, generator=generator)


class BiLstmHead(Head):
    """LSTM layers over packed groups of vectors; no padding is computed.

    Weights are uniform up to 1/sqrt(hidden), as torch's; dropout stands before each layer and before
    the scores.
    """

    def __init__(self, config: BiLstm, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        widths = [width] + [2 * config.hidden] * (config.layers - 1)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(nn.LSTM(each, config.hidden, bidirectional=True) for each in widths)
        self.linear = nn.Linear(2 * config.hidden, outputs)
        initialise(self, 0.02, generator)
        for parameter in self.layers.parameters():
            nn.init.uniform_(
                parameter, -1 / math.sqrt(config.hidden), 1 / math.sqrt(config.hidden), generator=generator
            )

    def scores(self, vectors: Float[Tensor, "items width"], layout: Layout | None) -> Float[Tensor, "items outputs"]:
        """Each group of `layout` is a sequence; without one, all vectors are."""
        walk = Steps.of(layout or Layout.of([len(vectors)]), vectors.device)
        hidden = walk.walked(vectors)
        if len(vectors):
            sizes = torch.tensor(walk.sizes)
            for layer in self.layers:
                hidden = layer(PackedSequence(self.dropout(hidden), sizes))[0].data
        else:
            hidden = vectors.new_zeros(0, self.linear.in_features)
        scores: Tensor = self.linear(self.dropout(walk.back(hidden)))
        return scores
