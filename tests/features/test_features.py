"""Vectors of a packed batch are those of each text alone, whatever the layers and the pooling."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.batch import Example, PackedBatch, pack
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.encoder import Encoder
from bertsmith.features import NAMED_FEATURES, Average, Features, One, max_tokens, mean_tokens

WIDTH = 5
LENGTHS = st.lists(st.integers(1, 13), min_size=1, max_size=7)


def batch_of(lengths: Sequence[int]) -> PackedBatch:
    return pack([Example(np.arange(n, dtype=np.int32), np.zeros(n, np.int32)) for n in lengths])


def states_of(lengths: Sequence[int], *, layers: int = 4) -> dict[int, torch.Tensor]:
    torch.manual_seed(3)
    states = {i: torch.randn(sum(lengths), WIDTH, requires_grad=True) for i in range(layers + 1)}
    return states | {i - layers - 1: state for i, state in states.items()}


@pytest.mark.parametrize("name", NAMED_FEATURES)
@given(lengths=LENGTHS)
def test_packing_changes_nothing(name, lengths):
    features = NAMED_FEATURES[name].build(WIDTH, generator=torch.Generator().manual_seed(1))
    states = states_of(lengths)
    together = features(states, batch_of(lengths))
    start = 0
    for row, length in enumerate(lengths):
        alone = {i: state[start : start + length] for i, state in states.items()}
        assert_close(features(alone, batch_of([length]))[0], together[row], atol=1e-6, rtol=0)
        start += length


def test_poolings_agree_with_their_definition():
    lengths, states = (2, 3), states_of((2, 3))
    last, first, batch = states[4], states[1], batch_of(lengths)

    def vectors(name):
        return NAMED_FEATURES[name].build(WIDTH)(states, batch)

    assert_close(vectors("cls"), torch.stack([last[0], last[2]]))
    assert_close(vectors("mean"), torch.stack([last[:2].mean(0), last[2:].mean(0)]))
    assert_close(vectors("max"), torch.stack([last[:2].amax(0), last[2:].amax(0)]))
    both = (first + last) / 2
    assert_close(vectors("first_last_avg"), torch.stack([both[:2].mean(0), both[2:].mean(0)]))


def test_pooler_takes_weights_of_a_checkpoint():
    features = NAMED_FEATURES["pooler"].build(WIDTH)
    weights = {"dense.weight": torch.eye(WIDTH), "dense.bias": torch.ones(WIDTH)}
    features.pooler.load_state_dict(weights)
    states = states_of((2, 3))
    expected = torch.tanh(states[-1][[0, 2]] + 1)
    assert_close(features(states, batch_of((2, 3))), expected)


def test_features_ask_only_for_the_layers_they_use():
    assert Features(layers=One(number=2)).build(WIDTH).keep_layers == (2,)
    assert Features(layers=Average(numbers=(1, -1))).build(WIDTH).keep_layers == (1, -1)


def test_another_layer_is_another_vector():
    states, batch = states_of((4, 1)), batch_of((4, 1))
    assert_close(Features(layers=One(number=2)).build(WIDTH)(states, batch), states[2][[0, 4]])


@pytest.mark.parametrize("name", NAMED_FEATURES)
def test_gradient_is_deterministic_and_right_under_autocast(name):
    lengths = (3, 1, 7)
    features = NAMED_FEATURES[name].build(WIDTH, generator=torch.Generator().manual_seed(1))
    batch, gradients = batch_of(lengths), []
    for _ in range(2):
        states = {i: state.detach().bfloat16().requires_grad_() for i, state in states_of(lengths).items()}
        with torch.autocast("cpu", torch.bfloat16):
            vectors = features(states, batch)
        assert vectors.dtype == torch.float32
        vectors.square().sum().backward()
        gradients.append(states[-1].grad)
    assert torch.equal(*gradients)
    assert gradients[0].abs().sum() > 0


@pytest.mark.parametrize("pool", [mean_tokens, max_tokens])
def test_gradient_equals_finite_differences(pool):
    states = torch.randn(6, 2, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: pool(x, batch_of((1, 5))), states)


def test_same_generator_seed_draws_the_same_pooler():
    one, two = (NAMED_FEATURES["pooler"].build(WIDTH, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one.pooler.dense.weight, two.pooler.dense.weight)


def test_features_are_read_from_a_recipe():
    values = {"layers": {"kind": "average", "numbers": [1, -1]}, "pooling": "mean"}
    assert Features.model_validate(values) == NAMED_FEATURES["first_last_avg"]


@pytest.mark.parametrize("name", NAMED_FEATURES)
def test_encoder_gives_what_features_ask_for(name):
    torch.manual_seed(0)
    config = EncoderConfig(vocab_size=23, hidden_size=6, num_layers=3, num_heads=2, intermediate_size=7)
    encoder = Encoder(config).eval()
    features = NAMED_FEATURES[name].build(config.hidden_size, generator=torch.Generator().manual_seed(1))
    batch = batch_of((3, 11))
    vectors = features(encoder(batch, keep_layers=features.keep_layers), batch)
    everything = encoder(batch, keep_layers=(0, 1, 2, 3))
    assert_close(vectors, features(everything, batch))
    assert vectors.shape == (2, features.width)
