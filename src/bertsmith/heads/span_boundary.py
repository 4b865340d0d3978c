"""The tokens of a span from the two that border it: SpanBERT's boundary objective."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.encoder.config import EncoderConfig
from bertsmith.heads.initial import initialise


class SpanBoundaryHead(nn.Module):
    """Two layers of dense, GeLU and norm on [left border; right border; place in the span] (Joshi et al. 2020 §3.2).

    arXiv 1907.10529. What comes out is compared with the rows of the input token table, with an own bias.
    """

    def __init__(
        self, config: EncoderConfig, *, position_size: int, longest: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.place = nn.Embedding(longest, position_size)
        self.first = nn.Linear(2 * config.hidden_size + position_size, config.hidden_size)
        self.first_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.second = nn.Linear(config.hidden_size, config.table_size)
        self.second_norm = nn.LayerNorm(config.table_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        initialise(self, config.initializer_range, generator)

    def forward(
        self,
        left: Float[Tensor, "targets hidden"],
        right: Float[Tensor, "targets hidden"],
        places: Int[Tensor, "targets"],
    ) -> Float[Tensor, "targets table"]:
        """`left` and `right` are the states just outside the span, `places` counts from 0 inside it."""
        inputs = torch.cat([left, right, self.place(places).to(left.dtype)], dim=-1)
        hidden = self.first_norm(F.gelu(self.first(inputs)))
        vectors: Tensor = self.second_norm(F.gelu(self.second(hidden)))
        return vectors
