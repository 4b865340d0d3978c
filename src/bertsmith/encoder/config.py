"""The shape of an encoder: sizes and choices, no weights, no foreign names."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from bertsmith.config import Config

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class Learned(Config):
    """A learned vector for every absolute position (Devlin et al. 2019, arXiv 1810.04805 §3)."""

    kind: Literal["learned"] = "learned"
    max_positions: PositiveInt = 512


class Rotary(Config):
    """Queries and keys rotated in interleaved pairs (Su et al. 2021, arXiv 2104.09864 §3.2.2).

    `max_positions` is the length the weights were trained for; nothing is stored per position.
    `rotate_values` also rotates the values, as the `rotary_value` option of RoFormer does.
    """

    kind: Literal["rotary"] = "rotary"
    max_positions: PositiveInt = 1536
    base: float = 10000.0
    rotate_values: bool = False


Position = Annotated[Learned | Rotary, Field(discriminator="kind")]


class EncoderConfig(Config):
    """Everything that decides the shape and the function of an encoder."""

    vocab_size: PositiveInt
    hidden_size: PositiveInt = 768
    num_layers: PositiveInt = 12
    num_heads: PositiveInt = 12
    intermediate_size: PositiveInt = 3072
    embedding_size: PositiveInt | None = None
    """Width of the embedding tables; None: hidden_size. ALBERT, small ELECTRA, SimBERT-small/-tiny factorise."""
    distinct_layers: PositiveInt | None = None
    """Number of layers with weights of their own; None: all. ALBERT: `num_hidden_groups`. Layer `i`
    uses the weights of group `int(i / (num_layers / distinct_layers))` (Lan et al. 2020, authors' code)."""
    share: Literal["all", "attention", "feed_forward"] = "all"
    """What the layers of a group share (ALBERT §3.1, table 4); `attention` leaves the feed-forward parts distinct."""
    type_vocab_size: PositiveInt = 2
    position: Position = Learned()
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = "gelu"
    layer_norm_eps: float = Field(default=1e-12, gt=0.0)
    hidden_dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    initializer_range: float = Field(default=0.02, gt=0.0)

    @model_validator(mode="after")
    def _sizes_fit(self) -> "EncoderConfig":
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}")
        if self.distinct_layers is not None and self.num_layers % self.distinct_layers:
            raise ValueError(
                f"num_layers {self.num_layers} must be a multiple of distinct_layers {self.distinct_layers}"
            )
        return self

    @property
    def attention_of(self) -> tuple[int, ...]:
        """Which attention weights each layer uses."""
        return self._grouped if self.share in ("all", "attention") else tuple(range(self.num_layers))

    @property
    def feed_forward_of(self) -> tuple[int, ...]:
        """Which feed-forward weights each layer uses."""
        return self._grouped if self.share in ("all", "feed_forward") else tuple(range(self.num_layers))

    @property
    def _grouped(self) -> tuple[int, ...]:
        groups = self.distinct_layers or self.num_layers
        return tuple(layer * groups // self.num_layers for layer in range(self.num_layers))

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    def table_size(self) -> int:
        """Width of the embedding tables."""
        return self.embedding_size or self.hidden_size


SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"num_layers": 2, "hidden_size": 128, "num_heads": 2, "intermediate_size": 512},
    "mini": {"num_layers": 4, "hidden_size": 256, "num_heads": 4, "intermediate_size": 1024},
    "small": {"num_layers": 4, "hidden_size": 512, "num_heads": 8, "intermediate_size": 2048},
    "base": {"num_layers": 12, "hidden_size": 768, "num_heads": 12, "intermediate_size": 3072},
    "large": {"num_layers": 24, "hidden_size": 1024, "num_heads": 16, "intermediate_size": 4096},
}
"""Named shapes for training from random weights (Turc et al. 2019, arXiv 1908.08962; base and large: BERT)."""
