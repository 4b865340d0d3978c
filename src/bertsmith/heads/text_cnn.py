"""The strongest match of each of some patterns of a few tokens, anywhere in a text."""

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import Layout, sent
from bertsmith.heads.base import Dropout, Head, HeadConfig
from bertsmith.heads.initial import initialise


class TextCnn(HeadConfig):
    """Convolutions over the tokens of a text, the maximum of each, one linear map (Kim 2014, arXiv 1408.5882 §2).

    Set `features.pooling` to `tokens`. It pays where a few words decide, and with small encoders.
    """

    kind: Literal["text_cnn"] = "text_cnn"
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (3, 4, 5)
    filters: PositiveInt = 100
    dropout: Dropout = 0.5

    gathers: ClassVar[bool] = True

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "TextCnnHead":
        """Make the module; the generator draws its weights."""
        return TextCnnHead(self, width, outputs, generator=generator)


class TextCnnHead(Head):
    """Texts lie end to end with gaps of zeros as wide as a filter less one: no filter ever sees two texts.

    A filter also matches where it reaches over an end of the text, as in Kim's code.
    """

    def __init__(self, config: TextCnn, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Linear(size * width, config.filters) for size in config.widths)
        self.sizes = config.widths
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(len(config.widths) * config.filters, outputs)
        initialise(self, 0.02, generator)

    def scores(self, vectors: Float[Tensor, "tokens width"], layout: Layout | None) -> Float[Tensor, "texts outputs"]:
        """One row a group of `layout`; every group holds at least one token."""
        groups = layout or Layout.of([len(vectors)])
        found = [
            _strongest(vectors, groups, size, dense)
            for size, dense in zip(self.sizes, self.convolutions, strict=True)
            if isinstance(dense, nn.Linear)
        ]
        scores: Tensor = self.linear(self.dropout(torch.cat(found, dim=1)))
        return scores


def _strongest(vectors: Tensor, groups: Layout, size: int, dense: nn.Linear) -> Float[Tensor, "texts filters"]:
    """The largest match of each filter in each group."""
    weight = dense.weight.view(dense.out_features, size, -1).transpose(1, 2)
    matches = F.conv1d(_with_gaps(vectors, groups, size - 1).T[None], weight, dense.bias)[0].T.relu()
    lengths = sent([length + size - 1 for length in groups.lengths], vectors.device)
    return torch.segment_reduce(matches.contiguous(), "max", lengths=lengths, unsafe=True)


def _with_gaps(vectors: Float[Tensor, "tokens width"], groups: Layout, gap: int) -> Float[Tensor, "places width"]:
    """Lay groups out with `gap` rows of zeros before, between and after them."""
    number = np.repeat(np.arange(len(groups.lengths)), groups.lengths)
    places = sent(np.arange(len(vectors)) + gap * (number + 1), vectors.device)
    room = vectors.new_zeros(len(vectors) + gap * (len(groups.lengths) + 1), vectors.shape[1])
    return room.index_copy(0, places, vectors)
