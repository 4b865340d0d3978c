"""Which token comes next: the encoder, its head over the vocabulary, and the way it is asked."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertsmith.batch import Example, pack
from bertsmith.encoder import Encoder
from bertsmith.encoder.continuing import Continuation
from bertsmith.generation.form import AppendedMask, Form
from bertsmith.heads import VocabularyHead
from bertsmith.text import Tokenizer


class Writer(nn.Module):
    """Scores of the next token after a source and what was written about it, under the prefix mask.

    Special tokens other than the closing [SEP], and ids that are no token, are never written.
    """

    never: Bool[Tensor, "vocab"]

    def __init__(self, encoder: Encoder, head: VocabularyHead, tokenizer: Tokenizer, form: Form) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.form = form
        self.end = tokenizer.special.sep
        self.mask = tokenizer.special.mask
        self.register_buffer("never", torch.from_numpy(_never(tokenizer, encoder.config.vocab_size)), persistent=False)

    def begin(self, sources: Sequence[Example], *, capacity: int) -> "Writing":
        """Read sources, in ascending order of length; texts of up to `capacity` tokens may follow."""
        return Writing(self, sources, capacity=capacity)


class Writing:
    """Texts on their way. `scores` `[rows, vocab]` are those of the next token of each row, in float32."""

    @torch.inference_mode()
    def __init__(self, writer: Writer, sources: Sequence[Example], *, capacity: int) -> None:
        self._writer = writer
        self._asks = isinstance(writer.form, AppendedMask)
        self.device = writer.head.bias.device
        self._going = Continuation(writer.encoder, pack(sources).to(self.device), capacity=capacity + self._asks)
        states = self._going.states
        if self._asks:
            states = self._going.advance(self._tokens(np.empty((len(sources), 0), dtype=np.int64)), keep=0)
        self.scores = self._scored(states)

    @torch.inference_mode()
    def write(self, rows: Int[np.ndarray, "texts"], tokens: Int[np.ndarray, "texts"]) -> None:
        """Go on with these rows, each followed by its token; a row may branch, or be left out."""
        self._going.select(rows)
        self.scores = self._scored(self._going.advance(self._tokens(tokens[:, None]), keep=1))

    def _tokens(self, written: Int[np.ndarray, "texts new"]) -> Int[Tensor, "texts _"]:
        asked = np.full((len(written), int(self._asks)), self._writer.mask, dtype=np.int64)
        return torch.from_numpy(np.concatenate([written.astype(np.int64), asked], axis=1)).to(self.device)

    def _scored(self, states: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows vocab"]:
        writer = self._writer
        scores = writer.head.scores(states, writer.encoder.embeddings.token.weight)
        return scores.float().masked_fill_(writer.never, -torch.inf)


def _never(tokenizer: Tokenizer, rows: int) -> Bool[np.ndarray, "vocab"]:
    table = np.ones(rows, dtype=bool)
    table[: tokenizer.vocab_size] = [not name for name in tokenizer.tokens(range(tokenizer.vocab_size))]
    table[sorted(tokenizer.special_ids)] = True
    table[tokenizer.special.sep] = False
    return table
