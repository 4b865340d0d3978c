"""Token ids to the vectors the first layer reads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import PackedBatch
from bertsmith.encoder.config import EncoderConfig, Learned
from bertsmith.encoder.dropout import dropped
from bertsmith.encoder.prepacked import Linear
from bertsmith.errors import UserError


class Embeddings(nn.Module):
    """The sum of token, segment and position vectors, normalised (Devlin et al. 2019, arXiv 1810.04805 §3).

    Factorised tables are normalised and dropped at their own width, then projected (Lan et al. 2020,
    arXiv 1909.11942 §3.1; ELECTRA and SimBERT do the same).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.table_size
        self.token = nn.Embedding(config.vocab_size, width)
        self.segment = nn.Embedding(config.type_vocab_size, width)
        self.position = (
            nn.Embedding(config.position.max_positions, width) if isinstance(config.position, Learned) else None
        )
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.projection = Linear(width, config.hidden_size) if config.embedding_size is not None else None

    def forward(self, batch: PackedBatch) -> Float[Tensor, "tokens hidden"]:
        """Embed every token of the batch.

        Raises:
            UserError: a text is too long, or an id lies outside its table.
        """
        _check_indices(batch, self.config)
        summed = self.token(batch.token_ids) + self.segment(batch.segment_ids)
        if self.position is not None:
            summed = summed + self.position(batch.position_ids)
        vectors = dropped(self.norm(summed), self.config.hidden_dropout if self.training else 0.0)
        return vectors if self.projection is None else self.projection(vectors)


def _check_indices(batch: PackedBatch, config: EncoderConfig) -> None:
    """Say in words what the device would say as an index error, where looking costs nothing."""
    limit = config.position.max_positions
    if isinstance(config.position, Learned) and _longest(batch) > limit:
        raise UserError(
            f"a text of {_longest(batch)} tokens, but this encoder has {limit} positions; truncate the text "
            f"to {limit} tokens or fewer",
            code="text_too_long",
        )
    if batch.token_ids.device.type != "cpu":
        return
    _check_table("token id", batch.token_ids, config.vocab_size, "use the tokenizer that belongs to this encoder")
    _check_table(
        "segment id", batch.segment_ids, config.type_vocab_size, "this encoder does not tell more segments apart"
    )


def _longest(batch: PackedBatch) -> int:
    """Positions in use; the length stands in for them where looking would stop the device."""
    if batch.token_ids.device.type == "cpu":
        return int(batch.position_ids.max()) + 1
    return batch.max_seqlen if batch.order is None else 0


def _check_table(name: str, ids: Tensor, size: int, advice: str) -> None:
    lowest, highest = (int(value) for value in torch.aminmax(ids))
    if lowest < 0 or highest >= size:
        wrong = lowest if lowest < 0 else highest
        raise UserError(f"{name} {wrong}, but the table has rows 0 to {size - 1}; {advice}", code="id_outside_table")
