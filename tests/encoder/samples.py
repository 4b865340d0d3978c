"""Small random encoders and texts for the tests."""

from collections.abc import Sequence

import numpy as np
import torch

from bertsmith.batch import Example, PackedBatch, pack
from bertsmith.encoder import Encoder, EncoderConfig, new_encoder

SMALL = EncoderConfig(
    vocab_size=37, hidden_size=21, num_layers=3, num_heads=3, intermediate_size=17, initializer_range=0.3
)


def example(length: int, seed: int = 0, *, vocab_size: int = 37, segments: int = 2) -> Example:
    rng = np.random.default_rng([seed, length])
    tokens = rng.integers(0, vocab_size, length)
    segment = (np.arange(length) >= rng.integers(1, length + 1)) & (segments > 1)
    return Example(tokens, segment.astype(np.int64))


def batch_of(lengths: Sequence[int], **settings: int) -> PackedBatch:
    return pack([example(length, seed, **settings) for seed, length in enumerate(lengths)])


def small_encoder(**changes: object) -> Encoder:
    encoder = new_encoder(SMALL.but(**changes), seed=5)
    generator = torch.Generator().manual_seed(6)
    for parameter in encoder.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return encoder.eval()
