"""Rows added for the processor's sake change nothing anybody reads."""

import numpy as np
import pytest
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import EncoderConfig, Rotary, new_encoder, rounding
from bertsmith.encoder.processor import can_pack

LENGTHS = (3, 7, 5)


def batch():
    random = np.random.default_rng(0)
    return pack([Example(random.integers(0, 97, size=n), np.zeros(n, dtype=np.int64)) for n in LENGTHS])


@pytest.fixture(params=["learned", "rotary"])
def encoder(request):
    position = {} if request.param == "learned" else {"position": Rotary(max_positions=32)}
    config = EncoderConfig(
        vocab_size=97, hidden_size=24, num_layers=2, num_heads=3, intermediate_size=40, hidden_dropout=0.0,
        attention_dropout=0.0, **position,
    )  # fmt: skip
    return new_encoder(config, seed=1)


def states_and_gradients(encoder, *, train):
    encoder.zero_grad()
    encoder.train(train)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = encoder(batch(), keep_layers=(0, -1))
    states.last.float().square().sum().backward()
    return states, {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("train", [False, True])
def test_nobody_reads_the_added_rows(encoder, monkeypatch, train):
    rounded, gradients = states_and_gradients(encoder, train=train)
    monkeypatch.setattr(rounding, "MULTIPLE", 1)
    exact, exact_gradients = states_and_gradients(encoder, train=train)
    assert rounded.last.shape == exact.last.shape == (sum(LENGTHS), 24)
    for layer in (0, -1):
        torch.testing.assert_close(rounded[layer].float(), exact[layer].float(), rtol=2e-2, atol=2e-2)
    assert gradients.keys() == exact_gradients.keys()
    for name, gradient in gradients.items():
        scale = exact_gradients[name].abs().max().item()
        torch.testing.assert_close(gradient, exact_gradients[name], rtol=0.05, atol=0.02 * scale + 1e-6)


def test_added_rows_are_counted(encoder, monkeypatch):
    rounded, _ = states_and_gradients(encoder, train=True)
    monkeypatch.setattr(rounding, "MULTIPLE", 1)
    exact, _ = states_and_gradients(encoder, train=True)
    assert rounded.padded_tokens - exact.padded_tokens == -sum(LENGTHS) % 32


def test_none_are_added_in_float32_where_something_is_learned(encoder):
    assert rounding.spare_rows(sum(LENGTHS), torch.device("cpu")) == 0
    in_attention = len(LENGTHS) * max(LENGTHS) - sum(LENGTHS)
    assert encoder.train()(batch()).padded_tokens == in_attention


@pytest.mark.skipif(not can_pack(torch.float32), reason="this processor takes no packed weights")
def test_answers_in_float32_are_rounded_and_the_same(encoder, monkeypatch):
    with torch.inference_mode():
        rounded = encoder.eval()(batch())
        monkeypatch.setattr(rounding, "MULTIPLE", 1)
        exact = encoder(batch())
    assert rounded.padded_tokens - exact.padded_tokens == -sum(LENGTHS) % 32
    torch.testing.assert_close(rounded.last, exact.last)
