"""How the tokens of each sequence become one vector, on packed tokens: no padding, sums in float32."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import Layout, PackedBatch

Pooling = Literal["cls", "mean", "max", "pooler", "tokens"]
"""`tokens` keeps the vector of every token: for tagging, and for heads that look at tokens themselves."""

Grouped = PackedBatch | Layout
"""What says which rows belong together: the tokens of a sequence, or the chunks of a text."""


def first_tokens(states: Float[Tensor, "tokens width"], batch: Grouped) -> Float[Tensor, "sequences width"]:
    """The vector of the first token, [CLS], which attends to everything (Devlin et al. 2019)."""
    return states.index_select(0, batch.cu_seqlens[:-1])


def mean_tokens(states: Float[Tensor, "tokens width"], batch: Grouped) -> Float[Tensor, "sequences width"]:
    """The mean over all tokens of a sequence, special tokens included (Reimers & Gurevych 2019, arXiv 1908.10084)."""
    values = _exact(states)
    lengths = batch.cu_seqlens.diff()
    owners = torch.repeat_interleave(lengths, output_size=len(values))
    sums = values.new_zeros(len(batch.lengths), values.shape[1]).index_add(0, owners, values)
    return sums / lengths[:, None]


def max_tokens(states: Float[Tensor, "tokens width"], batch: Grouped) -> Float[Tensor, "sequences width"]:
    """The largest value of each feature over all tokens of a sequence; equal maxima share the gradient."""
    lengths = batch.cu_seqlens.diff().long()
    return torch.segment_reduce(_exact(states), "max", lengths=lengths, unsafe=True)


def all_tokens(states: Float[Tensor, "tokens width"], batch: Grouped) -> Float[Tensor, "tokens width"]:
    """The vector of every token, as it is."""
    return states


class Pooler(nn.Module):
    """A dense layer with tanh on the first token, pre-trained with next-sentence prediction (Devlin et al. 2019)."""

    def __init__(self, hidden_size: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        nn.init.normal_(self.dense.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Float[Tensor, "tokens hidden"], batch: Grouped) -> Float[Tensor, "sequences hidden"]:
        """Pool the first token of each sequence."""
        return torch.tanh(self.dense(first_tokens(states, batch)))


def _exact(states: Tensor) -> Tensor:
    """At least float32: sums over hundreds of tokens lose digits in bfloat16."""
    return states.to(torch.promote_types(states.dtype, torch.float32))
