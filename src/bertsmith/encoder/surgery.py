"""An encoder with another vocabulary, fewer or more layers, or some layers new again."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from pydantic import ValidationError
from torch import Tensor

from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.encoder import Encoder, initialise, without_weights
from bertsmith.errors import UserError

TABLE = "embeddings.token.weight"
ROWS = {("mlm", "bias"), ("mlm", "decoder"), ("extra", "span_boundary.bias")}
"""Tensors of heads that have a row for each token."""


def resize_tokens(
    encoder: Encoder,
    heads: Mapping[str, Mapping[str, Tensor]],
    *,
    kept: Int[np.ndarray, "kept"],
    pieces: Sequence[Int[np.ndarray, "_"]] = (),
) -> tuple[Encoder, dict[str, dict[str, Tensor]]]:
    """A new encoder and its heads, for tokens renumbered: first the old rows `kept`, then one for each of `pieces`.

    A kept row stays as it is, bit for bit, so texts of kept tokens have the outputs they had. A new
    row is the mean of the rows of its pieces (WoBERT, Su 2020). The bias and, if it is not the token
    table, the output table of the `mlm` head follow, and the bias of the span boundary head.

    Raises:
        UserError: an id lies outside the token table.
    """
    size = encoder.config.vocab_size
    for ids in (kept, *pieces):
        _require_inside(ids, size)
    config = encoder.config.but(vocab_size=len(kept) + len(pieces))
    resized = without_weights(config)
    state = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    state[TABLE] = _rows(state[TABLE], kept, pieces)
    resized.load_state_dict(state, assign=True)
    resized.run_as(encoder)
    return resized, {
        head: {name: _rows(tensor, kept, pieces) if (head, name) in ROWS else tensor for name, tensor in parts.items()}
        for head, parts in heads.items()
    }


def first_layers(encoder: Encoder, layers: int) -> Encoder:
    """The first `layers` layers as an encoder, as RBT3 is made of RoBERTa-wwm-ext (Cui et al. 2021, arXiv 1906.08101).

    Raises:
        UserError: there are fewer layers, or layers that share weights are parted so that no config can say it.
    """
    had = encoder.config.num_layers
    if not 1 <= layers <= had:
        raise UserError(f"the first {layers} layers are asked for, but this encoder has {had}", code="bad_setting")
    shorter = without_weights(_shorter(encoder.config, layers))
    state = encoder.state_dict()
    shorter.load_state_dict({name: state[name].clone() for name in shorter.state_dict()}, assign=True)
    shorter.run_as(encoder)
    return shorter


def stacked(encoder: Encoder, times: int) -> Encoder:
    """The layers of the encoder `times` over, each pile a copy of the first (Gong et al. 2019, ICML, §3.2, stacking).

    A shallow encoder learns its first millions of tokens in a fraction of the time; a deep one that begins with its
    layers, one pile on the other, learns on from there.

    Raises:
        UserError: the layers share weights, so that a pile could not go its own way.
    """
    if encoder.config.distinct_layers is not None:
        raise UserError(
            "the layers of this encoder share weights; only layers of their own can be stacked", code="bad_setting"
        )
    layers = encoder.config.num_layers
    deeper = without_weights(encoder.config.but(num_layers=layers * times))
    state = encoder.state_dict()
    deeper.load_state_dict(
        {name: state[_in_first_pile(name, layers)].clone() for name in deeper.state_dict()}, assign=True
    )
    deeper.run_as(encoder)
    return deeper


def _in_first_pile(name: str, layers: int) -> str:
    part, _, rest = name.partition(".")
    if part not in ("attention", "feed_forward"):
        return name
    number, _, weight = rest.partition(".")
    return f"{part}.{int(number) % layers}.{weight}"


def with_dropout(encoder: Encoder, *, hidden: float, attention: float) -> Encoder:
    """The same weights, shared with the encoder, where others are dropped."""
    other = without_weights(encoder.config.but(hidden_dropout=hidden, attention_dropout=attention))
    other.load_state_dict(encoder.state_dict(), assign=True)
    other.run_as(encoder)
    return other


def reinitialise_top(encoder: Encoder, layers: int, *, seed: int) -> None:
    """Give the top `layers` layers random weights again, as they began pre-training (Zhang et al. 2021, 2006.05987 §5).

    Raises:
        UserError: there are fewer layers, or a lower layer shares weights with them.
    """
    had = encoder.config.num_layers
    if not 1 <= layers <= had:
        raise UserError(
            f"the top {layers} layers are to begin anew, but this encoder has {had} layers", code="bad_setting"
        )
    generator = torch.Generator().manual_seed(seed)
    for parts, used in (
        (encoder.attention, encoder.config.attention_of),
        (encoder.feed_forward, encoder.config.feed_forward_of),
    ):
        if set(used[: had - layers]) & set(used[had - layers :]):
            raise UserError(
                f"the top {layers} layers of this encoder share weights with the layers below and cannot begin "
                "anew alone; leave start.reinit_top out",
                code="bad_setting",
            )
        for number in dict.fromkeys(used[had - layers :]):
            initialise(encoder, generator, part=parts[number])


def _shorter(config: EncoderConfig, layers: int) -> EncoderConfig:
    groups = None if config.distinct_layers is None else (layers - 1) * config.distinct_layers // config.num_layers + 1
    try:
        shorter = config.but(num_layers=layers, distinct_layers=groups)
    except ValidationError:
        shorter = None
    same = shorter is not None and all(
        getattr(shorter, name) == getattr(config, name)[:layers] for name in ("attention_of", "feed_forward_of")
    )
    if shorter is None or not same:
        raise UserError(
            f"the layers of this encoder share weights in groups, and {layers} layers would part a group; "
            f"choose a multiple of {config.num_layers // (config.distinct_layers or 1)}",
            code="bad_setting",
        )
    return shorter


def _rows(
    table: Shaped[Tensor, "vocabulary *size"], kept: np.ndarray, pieces: Sequence[np.ndarray]
) -> Shaped[Tensor, "rows *size"]:
    old = table.index_select(0, torch.from_numpy(kept).long().to(table.device))
    return torch.cat([old, *(_mean(table, ids)[None] for ids in pieces)])


def _mean(table: Float[Tensor, "vocabulary *size"], ids: np.ndarray) -> Float[Tensor, "*size"]:
    return table[torch.from_numpy(ids).long().to(table.device)].double().mean(0).to(table.dtype)


def _require_inside(ids: np.ndarray, size: int) -> None:
    if not len(ids):
        raise ValueError("a row of the token table is made of at least one other")
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0 or highest >= size:
        raise UserError(
            f"token id {lowest if lowest < 0 else highest}, but the table has rows 0 to {size - 1}; "
            "use the tokenizer that belongs to this encoder",
            code="id_outside_table",
        )
