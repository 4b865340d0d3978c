"""Which token stands here: the masked-language-model head, its output table tied to the encoder's."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.prepacked import ACTIVATIONS
from bertsmith.heads.initial import initialise


class VocabularyHead(nn.Module):
    """Dense, activation and norm to the width of the token table; its rows are the output (Devlin et al. 2019 §3.1).

    The parameters bear the names of `Checkpoint.heads["mlm"]`. `decoder` exists only for checkpoints
    whose output table is not the token table.
    """

    decoder: nn.Parameter | None

    def __init__(self, config: EncoderConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.activation = config.activation
        self.dense = nn.Linear(config.hidden_size, config.table_size)
        self.norm = nn.LayerNorm(config.table_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.register_parameter("decoder", None)
        initialise(self, config.initializer_range, generator)

    def forward(self, states: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows table"]:
        """What is compared with the rows of the token table."""
        vectors: Tensor = self.norm(ACTIVATIONS[self.activation](self.dense(states)))
        return vectors

    def table(self, tokens: Float[Tensor, "vocab table"]) -> Float[Tensor, "vocab table"]:
        """The output table: the token table given, unless this head has its own."""
        return tokens if self.decoder is None else self.decoder

    def scores(
        self, states: Float[Tensor, "rows hidden"], tokens: Float[Tensor, "vocab table"]
    ) -> Float[Tensor, "rows vocab"]:
        """Score every token for the given rows: for reading predictions; losses go by chunks instead."""
        return nn.functional.linear(self(states), self.table(tokens), self.bias)
