"""Writing on: sources are read once, and what follows them is read token by token under the prefix mask."""

from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batch import PackedBatch, sent
from bertsmith.encoder.attention import attend_onward, plan_sources
from bertsmith.encoder.config import Rotary
from bertsmith.encoder.encoder import Encoder
from bertsmith.encoder.layer import Attention, FeedForward
from bertsmith.encoder.memory import Memory
from bertsmith.encoder.positions import rotation


class Continuation:
    """Texts that are being written, each after a source: segment 0 read whole, segment 1 from the left.

    At first there is one row a source; `select` lets rows branch, or leave. `states` are those of the last
    token of each source, `[sources, hidden]`. A source is computed once, however many rows continue it, and a
    token once: the same states as `PrefixLM` gives on whole texts (Dong et al. 2019, arXiv 1905.03197 §2.3).

    Raises:
        UserError: a text would be longer than the encoder has positions, or an id lies outside its table.
        ValueError: sources do not stand in ascending order of length, or the encoder is training.
    """

    @torch.inference_mode()
    def __init__(self, encoder: Encoder, sources: PackedBatch, *, capacity: int) -> None:
        if encoder.training:
            raise ValueError("dropout would differ from token to token; call eval() first")
        plan = plan_sources(sources)
        remembered: list[Tensor] = []
        last = sources.cu_seqlens[1:].long() - 1
        read = encoder(sources, rows=last, remember=lambda _, values: remembered.append(values))
        self.states: Float[Tensor, "sources hidden"] = read[-1]
        self._encoder = encoder
        self._memory = Memory(plan, remembered, capacity=capacity)
        self._lengths = sent(sources.lengths, sources.token_ids.device)

    @property
    def rows(self) -> int:
        """How many texts are being written."""
        return self._memory.rows

    @torch.inference_mode()
    def advance(self, token_ids: Int[Tensor, "rows new"], *, keep: int | None = None) -> Float[Tensor, "rows hidden"]:
        """Read the next tokens of every row, and give the state of the last of them.

        `keep` says how many of them stay (None: all); the rest were only asked, as a [MASK] is.
        """
        rows, new = token_ids.shape
        config, memory = self._encoder.config, self._memory
        batch = self._batch(token_ids)
        states: Tensor = self._encoder.embeddings(batch)
        turn = None
        if isinstance(config.position, Rotary):
            turn = rotation(config.position, batch.position_ids, config.head_size, states.dtype)
        for layer in range(config.num_layers):
            attention = cast(Attention, self._encoder.attention[config.attention_of[layer]])
            feed_forward = cast(FeedForward, self._encoder.feed_forward[config.feed_forward_of[layer]])
            mixed = attend_onward(attention.project(states, turn), memory, layer)
            states = feed_forward(attention.finish(states, mixed))
        memory.filled += new if keep is None else keep
        return states.view(rows, new, -1)[:, -1]

    def select(self, rows: Int[np.ndarray, "kept"]) -> None:
        """Go on with these rows only; a row that stands there twice branches.

        Raises:
            ValueError: rows are not in the order of their sources.
        """
        self._memory.select(rows)
        self._lengths = self._lengths[sent(rows, self._lengths.device)]

    def _batch(self, token_ids: Tensor) -> PackedBatch:
        rows, new = token_ids.shape
        device = token_ids.device
        positions = self._lengths[:, None] + torch.arange(self._memory.filled, self._memory.filled + new, device=device)
        return PackedBatch(
            token_ids=token_ids.flatten(),
            segment_ids=torch.ones_like(token_ids).flatten(),
            position_ids=positions.flatten(),
            cu_seqlens=torch.arange(0, rows * new + 1, new, dtype=torch.int32, device=device),
            lengths=(new,) * rows,
        )
