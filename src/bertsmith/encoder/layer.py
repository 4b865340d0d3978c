"""The two halves of a layer, each followed by its residual and norm (post-LN, as BERT)."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from bertsmith.encoder.attention import Plan, attend
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.positions import Rotation
from bertsmith.encoder.prepacked import Linear

Remember = Callable[[Tensor], None]
"""Told the keys and values of one layer, `[tokens, 2, heads, size]`, in the order of the plan."""


class Attention(nn.Module):
    """Self-attention with one fused projection for queries, keys and values."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.qkv = Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        states: Float[Tensor, "tokens hidden"],
        plan: Plan,
        rotation: Rotation | None,
        rows: Int[Tensor, "rows"] | None = None,
        *,
        remember: Remember | None = None,
    ) -> Float[Tensor, "_ hidden"]:
        """Mix the tokens of each sequence as the plan says; with `rows`, give what comes of these alone."""
        qkv = self.project(states, rotation)
        if remember is not None:
            remember(qkv[:, 1:])
        mixed = attend(qkv, plan, dropout=self.config.attention_dropout if self.training else 0.0)
        if rows is not None:
            mixed, states = mixed.index_select(0, rows), states.index_select(0, rows)
        return self.finish(states, mixed)

    def project(
        self, states: Float[Tensor, "tokens hidden"], rotation: Rotation | None
    ) -> Float[Tensor, "tokens 3 heads size"]:
        """Queries, keys and values of every token, turned to where it stands."""
        qkv = self.qkv(states).view(-1, 3, self.config.num_heads, self.config.head_size)
        return qkv if rotation is None else rotation.turn(qkv)

    def finish(
        self, states: Float[Tensor, "rows hidden"], mixed: Float[Tensor, "rows heads size"]
    ) -> Float[Tensor, "rows hidden"]:
        """What becomes of the rows once values are mixed."""
        dropout = self.config.hidden_dropout if self.training else 0.0
        normed: Tensor = self.norm(self.output.added(states, mixed.flatten(1), dropout=dropout))
        return normed


class FeedForward(nn.Module):
    """Every token on its own: up, activation, down."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.up = Linear(config.hidden_size, config.intermediate_size)
        self.down = Linear(config.intermediate_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states: Float[Tensor, "tokens hidden"]) -> Float[Tensor, "tokens hidden"]:
        """Transform each token."""
        inner = self.up.activated(states, self.config.activation)
        dropout = self.config.hidden_dropout if self.training else 0.0
        normed: Tensor = self.norm(self.down.added(states, inner, dropout=dropout))
        return normed
