"""The encoder: what it keeps, refuses, shares and drops, and how much memory it takes."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from bertsmith.batch import per_sequence
from bertsmith.encoder import (
    Bidirectional,
    Causal,
    Encoder,
    Learned,
    PrefixLM,
    RightToLeft,
    Rotary,
    load_checkpoint,
    new_encoder,
    save_checkpoint,
)
from bertsmith.errors import UserError
from tests.encoder.memory import needs_linux
from tests.encoder.samples import SMALL, batch_of, small_encoder


def test_only_the_layers_asked_for_are_kept():
    states = small_encoder()(batch_of((3, 2)), keep_layers=(0, -2))
    assert list(states) == [0, 2]
    assert states[-2] is states[2]
    with pytest.raises(KeyError, match="keep_layers"):
        _ = states.last
    with pytest.raises(ValueError, match="layers 0"):
        small_encoder()(batch_of((3,)), keep_layers=(4,))


def test_the_last_layer_is_kept_without_asking():
    states = small_encoder()(batch_of((3, 2)))
    assert list(states) == [3]
    assert states.last is states[3]
    assert states.padded_tokens == 1


def test_layers_above_the_highest_asked_for_are_not_computed():
    encoder = small_encoder()
    calls = []
    encoder.attention[2].register_forward_hook(lambda *_: calls.append(1))
    encoder(batch_of((3,)), keep_layers=(2,))
    assert not calls


@pytest.mark.parametrize("layers", [(0,), (2,), (-1,), (1, -1)], ids=str)
@pytest.mark.parametrize("lengths", [(3, 9, 5), (2, 2, 7)], ids=["unsorted", "sorted"])
@pytest.mark.parametrize("activations", ["kept", "recomputed"])
def test_the_highest_layer_for_some_rows_alone_is_the_same(layers, lengths, activations):
    encoder = small_encoder(hidden_dropout=0.0, attention_dropout=0.0).train()
    encoder.activations = activations
    texts, rows = batch_of(lengths), torch.tensor([0, 2, 3, 7, sum(lengths) - 1])
    gradients = []
    for asked in (None, rows):
        states = encoder(texts, keep_layers=layers, rows=asked)
        top = states[layers[-1]] if asked is not None else states[layers[-1]][rows]
        below = [states[layer] for layer in layers[:-1]]
        encoder.zero_grad()
        (sum(state.pow(3).sum() for state in [top, *below])).backward()
        gradients.append((top.detach(), [parameter.grad for parameter in encoder.parameters()]))
        assert [len(state) for state in below] == [sum(lengths)] * len(below)
    (whole, expected), (some, found) = gradients
    assert_close(some, whole)
    for left, right in zip(found, expected, strict=True):
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            assert_close(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("changes", [{}, {"embedding_size": 11}, {"position": Rotary(), "hidden_size": 30}])
def test_gradients_reach_every_parameter(changes):
    encoder = small_encoder(**changes).train()
    (encoder(batch_of((5, 2, 9))).last ** 3).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_depth_counts_embeddings_and_layers():
    encoder = small_encoder()
    depths = {name: encoder.depth_of(name) for name, _ in encoder.named_parameters()}
    assert depths["embeddings.token.weight"] == depths["embeddings.norm.bias"] == 0
    assert depths["attention.0.qkv.weight"] == depths["feed_forward.0.down.bias"] == 1
    assert depths["feed_forward.2.norm.weight"] == 3
    with pytest.raises(ValueError, match="no parameter"):
        encoder.depth_of("pooler.weight")


def test_shared_weights_are_as_deep_as_their_last_user():
    encoder = Encoder(SMALL.but(num_layers=4, distinct_layers=2, share="attention"))
    assert encoder.depth_of("attention.0.qkv.weight") == 2
    assert encoder.depth_of("attention.1.qkv.weight") == 4
    assert encoder.depth_of("feed_forward.2.up.weight") == 3


@pytest.mark.parametrize(
    ("share", "attentions", "feed_forwards"), [("all", 1, 1), ("attention", 1, 3), ("feed_forward", 3, 1)]
)
def test_sharing_equals_copies(share, attentions, feed_forwards):
    encoder = small_encoder(distinct_layers=1, share=share)
    assert (len(encoder.attention), len(encoder.feed_forward)) == (attentions, feed_forwards)
    copies = small_encoder()
    for part, used in (("attention", encoder.config.attention_of), ("feed_forward", encoder.config.feed_forward_of)):
        for layer, number in enumerate(used):
            getattr(copies, part)[layer].load_state_dict(getattr(encoder, part)[number].state_dict())
    copies.embeddings.load_state_dict(encoder.embeddings.state_dict())
    batch = batch_of((4, 7))
    assert torch.equal(encoder(batch).last, copies(batch).last)


@pytest.mark.parametrize("share", ["all", "attention", "feed_forward"])
def test_sharing_survives_saving(share, tmp_path):
    encoder = small_encoder(distinct_layers=1, share=share)
    save_checkpoint(tmp_path, encoder, family="bert")
    again = load_checkpoint(tmp_path).encoder
    assert again.config == encoder.config
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_the_same_seed_gives_the_same_weights():
    one, two, other = (new_encoder(SMALL, seed=seed) for seed in (1, 1, 2))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name])
    assert not torch.equal(one.embeddings.token.weight, other.embeddings.token.weight)


def test_new_weights_follow_bert():
    encoder = new_encoder(SMALL.but(hidden_size=210, initializer_range=0.02), seed=0)
    for name, tensor in encoder.state_dict().items():
        if "norm" in name or "bias" in name:
            assert (tensor == (1.0 if name.endswith("norm.weight") else 0.0)).all(), name
        else:
            assert_close(tensor.std(), torch.tensor(0.02), rtol=0.15, atol=0.0)


def test_positions_may_begin_as_sinusoids():
    config = SMALL.but(hidden_size=64, num_heads=4, initializer_range=0.5)
    encoder = new_encoder(config, seed=0, positions="sinusoidal")
    assert encoder.embeddings.position is not None
    table = encoder.embeddings.position.weight
    assert_close(table[0, :4], torch.tensor([0.0, 1.0, 0.0, 1.0]) * 2**-0.5)
    angle = 3 * 10000 ** (-2 / 64)
    assert_close(table[3, 2:4], torch.tensor([math.sin(angle), math.cos(angle)]) * 2**-0.5)
    assert_close(table.square().mean().sqrt(), torch.tensor(0.5))


def test_rotary_positions_have_no_sinusoids_to_begin_as():
    with pytest.raises(UserError, match="rotary positions have none"):
        new_encoder(SMALL.but(position=Rotary(max_positions=5)), seed=0, positions="sinusoidal")


def test_a_text_longer_than_the_positions_is_refused():
    encoder = small_encoder(position=Learned(max_positions=11))
    with pytest.raises(UserError, match="text of 13 tokens, but this encoder has 11 positions; truncate"):
        encoder(batch_of((3, 13)))


def test_rotary_has_no_limit():
    encoder = small_encoder(position=Rotary(max_positions=5), hidden_size=30)
    assert encoder(batch_of((13,))).last.shape == (13, 30)


@pytest.mark.parametrize(
    ("field", "wrong", "told"),
    [
        ("token_ids", 37, "token id 37, but the table has rows 0 to 36"),
        ("token_ids", -1, "token id -1"),
        ("segment_ids", 2, "segment id 2, but the table has rows 0 to 1"),
    ],
)
def test_ids_outside_their_table_are_refused(field, wrong, told):
    batch = batch_of((3,))
    ids = getattr(batch, field).clone()
    ids[1] = wrong
    with pytest.raises(UserError, match=told):
        small_encoder()(replace(batch, **{field: ids}))


@pytest.mark.parametrize("mask", [Bidirectional(), Causal(), RightToLeft(), PrefixLM()], ids=lambda mask: mask.kind)
def test_only_what_the_mask_allows_reaches_a_token(mask):
    """Changing a token changes exactly the tokens that may look at it, through all layers."""
    batch = replace(batch_of((6, 4)), segment_ids=torch.tensor([0, 0, 0, 1, 1, 1, 0, 0, 1, 1]))
    changed = replace(batch, token_ids=batch.token_ids.clone())
    changed.token_ids[3] = (batch.token_ids[3] + 1) % 37
    encoder = small_encoder().double()
    moved = (encoder(batch, mask).last - encoder(changed, mask).last).abs().amax(1) > 1e-12
    first = {"bidirectional": [1] * 6, "causal": [0, 0, 0, 1, 1, 1], "right_to_left": [1, 1, 1, 1, 0, 0]}
    expected = first.get(mask.kind, [0, 0, 0, 1, 1, 1])
    assert [states.int().tolist() for states in per_sequence(moved, batch)] == [expected, [0] * 4]


def test_dropout_is_a_function_of_the_seed():
    encoder = small_encoder().train()
    batch = batch_of((5, 3, 18))

    def run(seed):
        torch.manual_seed(seed)
        return encoder(batch).last

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    with torch.no_grad():
        ungraded = run(1)
    assert torch.equal(ungraded, run(1))


def test_bfloat16_autocast_stays_close():
    encoder = small_encoder().train()
    batch = batch_of((5, 3, 18))
    exact = small_encoder()(batch).last
    with torch.autocast("cpu", torch.bfloat16):
        rough = small_encoder()(batch).last
        encoder(batch).last.float().square().mean().backward()
    assert_close(rough.float(), exact, rtol=0.0, atol=0.3)
    assert (rough.float() - exact).abs().mean() < 0.03
    assert all(parameter.grad.dtype == torch.float32 for parameter in encoder.parameters())


MEASURED = """
import sys, torch
from bertsmith.batch import PackedBatch
from bertsmith.encoder import EncoderConfig, new_encoder
from bertsmith.encoder.masks import *
from tests.encoder.memory import peak
torch.set_num_threads(1)
config = EncoderConfig(vocab_size=11, hidden_size=16, num_layers=1, num_heads=2, intermediate_size=16)
encoder = new_encoder(config, seed=0).train()
def batch(sequences, length):
    tokens = sequences * length
    zeros = torch.zeros(tokens, dtype=torch.int64)
    positions = torch.arange(length).repeat(sequences)
    starts = torch.arange(0, tokens + 1, length, dtype=torch.int32)
    segments, order = (positions > 99).long(), positions * 2 + 1
    return PackedBatch(zeros, segments, positions, starts, (length,) * sequences, order)
def step(batch, mask):
    encoder(batch, mask).last.sum().backward()
    with torch.no_grad():
        encoder.eval()(batch, mask)
        encoder.train()
mask = {kind.__name__: kind for kind in (Bidirectional, Causal, RightToLeft, PrefixLM, Permutation)}[sys.argv[1]]()
step(batch(2, 512), mask)
before = peak()
step(batch(64, 512), mask)
print(peak() - before)
"""


@needs_linux
@pytest.mark.parametrize("mask", ["Bidirectional", "PrefixLM", "Permutation"])
def test_memory_does_not_grow_with_the_square_of_the_batch(mask):
    """64 texts of 512 tokens: one byte for each pair of tokens of the batch would be a gigabyte."""
    told = subprocess.run([sys.executable, "-c", MEASURED, mask], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 256 * 2**20
