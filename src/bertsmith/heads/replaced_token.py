"""Whether a token was replaced: ELECTRA's discriminator."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.prepacked import ACTIVATIONS
from bertsmith.heads.initial import initialise


class ReplacedTokenHead(nn.Module):
    """Dense, activation, one score a token (Clark et al. 2020, arXiv 2003.10555 §2; authors' code).

    The parameters bear the names of `Checkpoint.heads["rtd"]`.
    """

    def __init__(self, config: EncoderConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.activation = config.activation
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, 1)
        initialise(self, config.initializer_range, generator)

    def forward(self, states: Float[Tensor, "tokens hidden"]) -> Float[Tensor, "tokens"]:
        """Positive where the token looks replaced."""
        scores: Tensor = self.output(ACTIVATIONS[self.activation](self.dense(states)))
        return scores[:, 0]
