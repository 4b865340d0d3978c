"""Vectors of a packed batch are those of each text alone, whatever the layers and the pooling."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.testing import assert_close

from bertsmith.batch import Example, PackedBatch, pack
from bertsmith.encoder.config import EncoderConfig
from bertsmith.encoder.encoder import Encoder
from bertsmith.errors import UserError
from bertsmith.features import (
    NAMED_FEATURES,
    Average,
    Concat,
    Features,
    Largest,
    Mix,
    One,
    first_tokens,
    max_tokens,
    mean_tokens,
)

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
    features = NAMED_FEATURES[name].build(WIDTH, num_layers=4, generator=torch.Generator().manual_seed(1))
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
        return NAMED_FEATURES[name].build(WIDTH, num_layers=4)(states, batch)

    assert_close(vectors("cls"), torch.stack([last[0], last[2]]))
    assert_close(vectors("mean"), torch.stack([last[:2].mean(0), last[2:].mean(0)]))
    assert_close(vectors("max"), torch.stack([last[:2].amax(0), last[2:].amax(0)]))
    both = (first + last) / 2
    assert_close(vectors("first_last_avg"), torch.stack([both[:2].mean(0), both[2:].mean(0)]))


def test_pooler_takes_weights_of_a_checkpoint():
    features = NAMED_FEATURES["pooler"].build(WIDTH, num_layers=4)
    weights = {"dense.weight": torch.eye(WIDTH), "dense.bias": torch.ones(WIDTH)}
    features.pooler.load_state_dict(weights)
    states = states_of((2, 3))
    expected = torch.tanh(states[-1][[0, 2]] + 1)
    assert_close(features(states, batch_of((2, 3))), expected)


def test_features_ask_only_for_the_layers_they_use():
    assert Features(layers=One(number=2)).build(WIDTH, num_layers=4).keep_layers == (2,)
    assert Features(layers=Average(numbers=(1, -1))).build(WIDTH, num_layers=4).keep_layers == (1, 4)


LAYERS = {"first_4": (1, 2, 3, 4), "last_2": (3, 4), "all": (1, 2, 3, 4), "all_and_embeddings": (0, 1, 2, 3, 4)}


@pytest.mark.parametrize("words", LAYERS)
@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "tokens"])
def test_layers_are_joined_token_by_token_and_pooled_after(words, pooling):
    states, batch = states_of((3, 1, 2)), batch_of((3, 1, 2))
    chosen = [states[number] for number in LAYERS[words]]
    pools = {"cls": first_tokens, "mean": mean_tokens, "max": max_tokens, "tokens": lambda rows, _: rows}
    expected = {
        "average": torch.stack(chosen).mean(0),
        "max": torch.stack(chosen).amax(0),
        "concat": torch.cat(chosen, 1),
        "mix": torch.stack(chosen).mean(0),
    }
    for kind, joined in expected.items():
        features = Features.model_validate({"layers": {"kind": kind, "numbers": words}, "pooling": pooling})
        made = features.build(WIDTH, num_layers=4)
        assert_close(made(states, batch), pools[pooling](joined, batch))
        assert made.width == joined.shape[1]
        assert made.keep_layers == LAYERS[words]


def test_the_mix_is_elmos_equation_one():
    made = Features(layers=Mix(numbers=(0, 2, -1))).build(WIDTH, num_layers=4)
    with torch.no_grad():
        made.mix.weights.copy_(torch.tensor([1.0, -1.0, 0.5]))
        made.mix.scale.fill_(2.0)
    states, batch = states_of((2, 3)), batch_of((2, 3))
    shares = torch.tensor([1.0, -1.0, 0.5]).softmax(0)
    mixed = 2 * sum(share * states[number] for share, number in zip(shares, (0, 2, 4), strict=True))
    assert_close(made(states, batch), mixed[[0, 2]])
    made(states, batch).sum().backward()
    assert made.mix.weights.grad.abs().sum() > 0
    assert made.mix.scale.grad != 0


def test_names_stand_for_features_and_others_are_refused():
    assert Features.model_validate("last_4_max") == Features(layers=Largest(numbers="last_4"))
    for name, features in NAMED_FEATURES.items():
        assert Features.model_validate(name) == features == Features.model_validate(features.model_dump())
    with pytest.raises(ValidationError, match="no features of this name; the names are cls, mean"):
        Features.model_validate("last_4_min")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (One(number=5), "asks for layer 5, but this encoder has layers 0 (embeddings) to 4"),
        (Concat(numbers=(1, -6)), "asks for layer -6"),
        (Average(numbers="last_5"), "asks for the layers last_5, but this encoder has 4; choose last_4 or less"),
    ],
)
def test_layers_that_are_not_there_are_refused(layers, said):
    with pytest.raises(UserError, match=re.escape(said)):
        Features(layers=layers).build(WIDTH, num_layers=4)


def test_the_pooler_reads_one_width():
    with pytest.raises(ValidationError, match="the pooler reads a vector of one layer's width"):
        Features(layers=Concat(), pooling="pooler")


def test_another_layer_is_another_vector():
    states, batch = states_of((4, 1)), batch_of((4, 1))
    assert_close(Features(layers=One(number=2)).build(WIDTH, num_layers=4)(states, batch), states[2][[0, 4]])


@pytest.mark.parametrize("name", NAMED_FEATURES)
def test_gradient_is_deterministic_and_right_under_autocast(name):
    lengths = (3, 1, 7)
    features = NAMED_FEATURES[name].build(WIDTH, num_layers=4, generator=torch.Generator().manual_seed(1))
    batch, gradients = batch_of(lengths), []
    for _ in range(2):
        states = {i: state.detach().bfloat16().requires_grad_() for i, state in states_of(lengths).items()}
        with torch.autocast("cpu", torch.bfloat16):
            vectors = features(states, batch)
        assert vectors.dtype == torch.float32
        vectors.square().sum().backward()
        gradients.append(states[features.keep_layers[-1]].grad)
    assert torch.equal(*gradients)
    assert gradients[0].abs().sum() > 0


@pytest.mark.parametrize("pool", [mean_tokens, max_tokens])
def test_gradient_equals_finite_differences(pool):
    states = torch.randn(6, 2, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: pool(x, batch_of((1, 5))), states)


def test_same_generator_seed_draws_the_same_pooler():
    one, two = (
        NAMED_FEATURES["pooler"].build(WIDTH, num_layers=4, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    )
    assert torch.equal(one.pooler.dense.weight, two.pooler.dense.weight)


def test_features_are_read_from_a_recipe():
    values = {"layers": {"kind": "average", "numbers": [1, -1]}, "pooling": "mean"}
    assert Features.model_validate(values) == NAMED_FEATURES["first_last_avg"]


@pytest.mark.parametrize("name", NAMED_FEATURES)
def test_encoder_gives_what_features_ask_for(name):
    torch.manual_seed(0)
    config = EncoderConfig(vocab_size=23, hidden_size=6, num_layers=4, num_heads=2, intermediate_size=7)
    encoder = Encoder(config).eval()
    features = NAMED_FEATURES[name].build(config.hidden_size, num_layers=4, generator=torch.Generator().manual_seed(1))
    batch = batch_of((3, 11))
    vectors = features(encoder(batch, keep_layers=features.keep_layers), batch)
    everything = encoder(batch, keep_layers=(0, 1, 2, 3, 4))
    assert_close(vectors, features(everything, batch))
    assert vectors.shape == (2, features.width)
