"""How two segments belong together: next sentence or not, right order or swapped."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.encoder.config import EncoderConfig
from bertsmith.heads.initial import initialise


class RelationHead(nn.Module):
    """Two scores from the pooled first token (Devlin et al. 2019 §3.1; Lan et al. 2020, arXiv 1909.11942 §3.1).

    The pooler is a dense layer with tanh. The parameters of both bear the names of
    `Checkpoint.heads["pooler"]` and `["relation"]`. Computed in float32 even under autocast: there is one row a text.
    """

    def __init__(self, config: EncoderConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.relation = nn.Linear(config.hidden_size, 2)
        initialise(self, config.initializer_range, generator)

    def forward(self, first: Float[Tensor, "sequences hidden"]) -> Float[Tensor, "sequences 2"]:
        """Score the true relation (0) and the false one (1), given the states of the first tokens."""
        with torch.autocast(first.device.type, enabled=False):
            scores: Tensor = self.relation(torch.tanh(self.pooler(first.to(self.pooler.weight.dtype))))
        return scores
