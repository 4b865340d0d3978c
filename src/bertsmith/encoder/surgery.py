"""An encoder for another vocabulary: rows of the token table kept, left out, or made from others."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from bertsmith.encoder.encoder import Encoder
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
    with torch.device("meta"):
        resized = Encoder(config)
    state = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    state[TABLE] = _rows(state[TABLE], kept, pieces)
    resized.load_state_dict(state, assign=True)
    resized.activations = encoder.activations
    return resized.train(encoder.training), {
        head: {name: _rows(tensor, kept, pieces) if (head, name) in ROWS else tensor for name, tensor in parts.items()}
        for head, parts in heads.items()
    }


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
