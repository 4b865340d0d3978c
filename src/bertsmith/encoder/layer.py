"""The two halves of a layer, each followed by its residual and norm (post-LN, as BERT)."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.encoder.attention import Plan, attend
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.dropout import add_dropped
from bertsmith.encoder.positions import Rotation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


Remember = Callable[[Tensor], None]
"""Told the keys and values of one layer, `[tokens, 2, heads, size]`, in the order of the plan."""


class Attention(nn.Module):
    """Self-attention with one fused projection for queries, keys and values."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)
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
        update = self.output(mixed.flatten(1))
        normed: Tensor = self.norm(add_dropped(states, update, self.config.hidden_dropout if self.training else 0.0))
        return normed


class FeedForward(nn.Module):
    """Every token on its own: up, activation, down."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states: Float[Tensor, "tokens hidden"]) -> Float[Tensor, "tokens hidden"]:
        """Transform each token."""
        update = self.down(ACTIVATIONS[self.config.activation](self.up(states)))
        dropout = self.config.hidden_dropout if self.training else 0.0
        normed: Tensor = self.norm(add_dropped(states, update, dropout))
        return normed
