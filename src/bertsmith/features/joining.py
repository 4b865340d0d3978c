"""The vectors of a document's chunks joined into one (Sun et al. 2019, arXiv 1905.05583 §5.3.1)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.features.pooling import max_tokens, mean_tokens

Join = Literal["mean", "max", "attention"]
"""How chunks become one vector: the mean, the largest value of each feature, or learned weights."""


class Joiner(nn.Module):
    """The vectors of the chunks of each text -> one vector a text; a text of one chunk keeps its vector.

    `attention` weighs chunks by a learned score of each, softmax over the chunks of a text: the
    self-attention of the paper in the form of Yang et al. 2016 (HAN, §2.2).
    """

    def __init__(self, join: Join, width: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.join = join
        self.dense = self.query = None
        if join == "attention":
            self.dense = nn.Linear(width, width)
            self.query = nn.Linear(width, 1, bias=False)
            for layer in (self.dense, self.query):
                nn.init.normal_(layer.weight, std=0.02, generator=generator)
            nn.init.zeros_(self.dense.bias)

    def forward(self, vectors: Float[Tensor, "chunks width"], layout: Layout) -> Float[Tensor, "texts width"]:
        """`layout` says how many chunks each text has, at least one."""
        if self.dense is None or self.query is None:
            return (mean_tokens if self.join == "mean" else max_tokens)(vectors, layout)
        with torch.autocast(vectors.device.type, enabled=False):
            exact = vectors.to(self.query.weight.dtype)
            weights = _softmax(self.query(torch.tanh(self.dense(exact))), layout)
            return exact.new_zeros(len(layout.lengths), exact.shape[1]).index_add(0, layout.owners(), weights * exact)


def _softmax(scores: Float[Tensor, "chunks one"], layout: Layout) -> Float[Tensor, "chunks one"]:
    """Softmax over the rows of each group."""
    owners = layout.owners()
    highest = max_tokens(scores.detach(), layout).index_select(0, owners)
    powers = (scores - highest).exp()
    sums = powers.new_zeros(len(layout.lengths), 1).index_add(0, owners, powers)
    return powers / sums.index_select(0, owners)
