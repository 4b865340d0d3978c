"""The two halves of a layer, each followed by its residual and norm (post-LN, as BERT)."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.encoder.attention import attend
from bertsmith.encoder.buckets import AttentionPlan
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.dropout import add_dropped
from bertsmith.encoder.positions import Rotation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


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
        plan: AttentionPlan,
        rotation: Rotation | None,
        rows: Int[Tensor, "rows"] | None = None,
    ) -> Float[Tensor, "_ hidden"]:
        """Mix the tokens of each sequence as the plan says; with `rows`, give what comes of these alone."""
        config = self.config
        qkv = self.qkv(states).view(-1, 3, config.num_heads, config.head_size)
        if rotation is not None:
            qkv = rotation.turn(qkv)
        mixed = attend(qkv, plan, dropout=config.attention_dropout if self.training else 0.0)
        mixed = mixed.flatten(1)
        if rows is not None:
            mixed, states = mixed.index_select(0, rows), states.index_select(0, rows)
        update = self.output(mixed)
        normed: Tensor = self.norm(add_dropped(states, update, config.hidden_dropout if self.training else 0.0))
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
