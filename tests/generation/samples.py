"""A tiny writer with random weights, and the slow way to ask it: the whole text again for every token."""

from pathlib import Path

import numpy as np
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import EncoderConfig, PrefixLM, new_encoder
from bertsmith.encoder.encoder import Encoder
from bertsmith.generation import AppendedMask, Form, Shifted, Writer
from bertsmith.heads import VocabularyHead
from bertsmith.text import Tokenizer

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"退货款多久能到账怎么办理", ""]
FORMS = (Shifted(), AppendedMask())
SEP = 3


def tokenizer(folder: Path, vocab: list[str] = VOCAB) -> Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    return Tokenizer.from_folder(folder)


def small_encoder(vocab_size: int = len(VOCAB), *, seed: int = 0, positions: int = 40) -> Encoder:
    shape = EncoderConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        intermediate_size=24,
        position={"max_positions": positions},
        initializer_range=0.4,
    )
    return new_encoder(shape, seed=seed).eval()


def writer(tokens: Tokenizer, form: Form, *, spare: int = 2, seed: int = 0) -> Writer:
    """With some rows of the table to spare, as published checkpoints have."""
    encoder = small_encoder(tokens.vocab_size + spare, seed=seed)
    head = VocabularyHead(encoder.config, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        head.bias.normal_(generator=torch.Generator().manual_seed(seed))
    return Writer(encoder, head, tokens, form).eval()


def source(length: int, seed: int) -> Example:
    ids = np.random.default_rng(seed).integers(5, len(VOCAB) - 1, length)
    return Example(np.array([2, *ids, 3], dtype=np.int32), np.zeros(length + 2, dtype=np.int32))


def slow_scores(made: Writer, read: Example, written: list[int]) -> torch.Tensor:
    """Scores of the next token, in double precision, from the whole text under the prefix mask."""
    asked = [made.mask] if isinstance(made.form, AppendedMask) else []
    ids = np.array([*read.token_ids, *written, *asked], dtype=np.int32)
    segments = np.array([0] * len(read) + [1] * (len(written) + len(asked)), dtype=np.int32)
    with torch.inference_mode():
        states = made.encoder(pack([Example(ids, segments)]), PrefixLM())[-1][-1:]
        scores = made.head.scores(states, made.encoder.embeddings.token.weight)[0]
    scores = scores.double().masked_fill(made.never, -torch.inf)
    if not written:
        scores[made.end] = -torch.inf
    return scores
