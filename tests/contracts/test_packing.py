"""Packing changes nothing: a text alone and in any batch has the same hidden states."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.batch import pack, per_sequence
from bertsmith.encoder import Learned, Rotary
from tests.encoder.samples import example, small_encoder

ENCODERS = {
    "learned": small_encoder(position=Learned(max_positions=40)),
    "rotary": small_encoder(position=Rotary(), hidden_size=30, embedding_size=11),
    "shared": small_encoder(distinct_layers=1, position=Learned(max_positions=40)),
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("gradients", [False, True], ids=["inference", "training"])
@settings(max_examples=15)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_alone_or_in_any_batch(name, dtype, gradients, lengths):
    encoder = ENCODERS[name].to(dtype)
    texts = [example(length, seed) for seed, length in enumerate(lengths)]
    batch = pack(texts)
    with torch.set_grad_enabled(gradients):
        together = per_sequence(encoder(batch).last, batch)
        for text, states in zip(texts, together, strict=True):
            assert_close(states, encoder(pack([text])).last, rtol=0.0, atol=TOLERANCE[dtype])
