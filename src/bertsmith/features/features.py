"""Features = layers × pooling, as a config and as the module built from it."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from bertsmith.batch import Layout, PackedBatch
from bertsmith.config import Config
from bertsmith.encoder import Encoder
from bertsmith.features.layers import Average, Concat, Largest, Layers, Mix, One
from bertsmith.features.pooling import Grouped, Pooler, Pooling, all_tokens, first_tokens, max_tokens, mean_tokens


class Features(Config):
    """What a text's vector is made of, or with pooling `tokens` every token's: a name, or layers and pooling."""

    layers: Layers = One()
    pooling: Pooling = "cls"

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        if not isinstance(values, str):
            return values
        if values not in NAMED_FEATURES:
            raise ValueError(f"no features of this name; the names are {', '.join(NAMED_FEATURES)}")
        return dict(NAMED_FEATURES[values])

    @model_validator(mode="after")
    def _fits(self) -> "Features":
        if self.pooling == "pooler" and isinstance(self.layers, Concat):
            raise ValueError(
                "the pooler reads a vector of one layer's width, concat gives a wider one; "
                "set pooling to cls, mean or max, or layers.kind to average, max or mix"
            )
        return self

    @property
    def per_token(self) -> bool:
        """Whether every token keeps its vector."""
        return self.pooling == "tokens"

    @property
    def pools_first(self) -> bool:
        """Whether pooling before joining gives the same, and joins fewer or narrower rows."""
        return self.pooling == "cls" or isinstance(self.layers, Concat)

    def build(self, hidden_size: int, *, num_layers: int, generator: torch.Generator | None = None) -> "FeatureVectors":
        """Make the module for an encoder of this shape; the generator draws the weights of a new pooler.

        Raises:
            UserError: the encoder has no such layers.
        """
        return FeatureVectors(self, hidden_size, num_layers=num_layers, generator=generator)


NAMED_FEATURES: dict[str, Features] = {
    "cls": Features(),
    "mean": Features(pooling="mean"),
    "max": Features(pooling="max"),
    "pooler": Features(pooling="pooler"),
    "first_last_avg": Features(layers=Average(), pooling="mean"),
    "last_4_concat": Features(layers=Concat()),
    "last_4_mean": Features(layers=Average(numbers="last_4")),
    "last_4_max": Features(layers=Largest()),
    "first_4_concat": Features(layers=Concat(numbers="first_4")),
    "first_4_mean": Features(layers=Average(numbers="first_4")),
    "first_4_max": Features(layers=Largest(numbers="first_4")),
    "all_concat": Features(layers=Concat(numbers="all")),
    "mix": Features(layers=Mix()),
}
"""The combinations people know by one word; those of Sun et al. 2019 (table 3) take the vector of [CLS]."""

_WITHOUT_WEIGHTS = {"cls": first_tokens, "mean": mean_tokens, "max": max_tokens, "tokens": all_tokens}


class FeatureVectors(nn.Module):
    """Hidden states of a packed batch -> one vector a sequence (or a token), in float32 or wider.

    `pooler` is None unless the pooling has weights; a checkpoint's are loaded with
    `pooler.load_state_dict`. `mix` is None unless layers have learned weights.
    """

    def __init__(
        self, features: Features, hidden_size: int, *, num_layers: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.width = features.layers.width(hidden_size, num_layers)
        self.keep_layers = features.layers.resolved(num_layers)
        self.mix = features.layers.build(num_layers)
        self.pooler = Pooler(hidden_size, generator=generator) if features.pooling == "pooler" else None

    @property
    def reads_first_of_one(self) -> bool:
        """Whether the first token of one layer is all that is read: that layer need not compute any other."""
        return len(self.keep_layers) == 1 and self.features.pooling in ("cls", "pooler")

    def of(self, encoder: Encoder, batch: PackedBatch) -> Float[Tensor, "vectors width"]:
        """Encode a batch and read it, computing no more of the last layer than is read."""
        if not self.reads_first_of_one:
            vectors: Tensor = self(encoder(batch, keep_layers=self.keep_layers), batch)
            return vectors
        rows = batch.cu_seqlens[:-1].long()
        states = encoder(batch, keep_layers=self.keep_layers, rows=rows)
        first: Tensor = self(states, Layout.of((1,) * len(rows)).to(rows.device))
        return first

    def forward(
        self, states: Mapping[int, Float[Tensor, "tokens hidden"]], batch: Grouped
    ) -> Float[Tensor, "vectors width"]:
        """`states` must hold `keep_layers`, as the encoder gives them."""
        layers, chosen = self.features.layers, [states[number] for number in self.keep_layers]
        pool = self.pooler or _WITHOUT_WEIGHTS[self.features.pooling]
        vectors: Tensor
        if self.features.pools_first:
            vectors = layers.join([pool(state, batch) for state in chosen], self.mix)
        else:
            vectors = pool(layers.join(chosen, self.mix), batch)
        return vectors.to(torch.promote_types(vectors.dtype, torch.float32))
