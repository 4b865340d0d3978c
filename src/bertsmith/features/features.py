"""Features = layers × pooling, as a config and as the module built from it."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import PackedBatch
from bertsmith.config import Config
from bertsmith.features.layers import Average, Layers, One
from bertsmith.features.pooling import Pooler, Pooling, all_tokens, first_tokens, max_tokens, mean_tokens


class Features(Config):
    """What a text's vector is made of, or with pooling `tokens` every token's."""

    layers: Layers = One()
    pooling: Pooling = "cls"

    @property
    def per_token(self) -> bool:
        """Whether every token keeps its vector."""
        return self.pooling == "tokens"

    def build(self, hidden_size: int, *, generator: torch.Generator | None = None) -> "FeatureVectors":
        """Make the module; the generator draws the weights of a new pooler."""
        return FeatureVectors(self, hidden_size, generator=generator)


NAMED_FEATURES: dict[str, Features] = {
    "cls": Features(),
    "mean": Features(pooling="mean"),
    "max": Features(pooling="max"),
    "pooler": Features(pooling="pooler"),
    "first_last_avg": Features(layers=Average(), pooling="mean"),
}
"""The combinations people know by one word."""

_WITHOUT_WEIGHTS = {"cls": first_tokens, "mean": mean_tokens, "max": max_tokens, "tokens": all_tokens}


class FeatureVectors(nn.Module):
    """Hidden states of a packed batch -> one vector a sequence (or a token), in float32 or wider.

    `pooler` is None unless the pooling has weights; a checkpoint's are loaded with
    `pooler.load_state_dict`.
    """

    def __init__(self, features: Features, hidden_size: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.features = features
        self.width = hidden_size
        self.keep_layers = features.layers.numbers
        self.pooler = Pooler(hidden_size, generator=generator) if features.pooling == "pooler" else None

    def forward(
        self, states: Mapping[int, Float[Tensor, "tokens hidden"]], batch: PackedBatch
    ) -> Float[Tensor, "vectors width"]:
        """`states` must hold `keep_layers`, as the encoder gives them."""
        joined = self.features.layers.join(states)
        pool = self.pooler or _WITHOUT_WEIGHTS[self.features.pooling]
        vectors: Tensor = pool(joined, batch)
        return vectors.to(torch.promote_types(vectors.dtype, torch.float32))
