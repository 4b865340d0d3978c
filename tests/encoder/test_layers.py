"""An encoder of the first layers of another, one of its layers twice, and one whose top layers begin anew."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.encoder import load_checkpoint, save_checkpoint
from bertsmith.encoder.surgery import first_layers, reinitialise_top, stacked
from bertsmith.errors import UserError
from tests.encoder.samples import batch_of, small_encoder


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_first_layers_compute_what_they_did(layers):
    encoder = small_encoder(num_layers=4).eval()
    shorter, batch = first_layers(encoder, layers), batch_of((5, 2, 9))
    assert shorter.config.num_layers == layers
    assert not shorter.training
    assert torch.equal(shorter(batch).last, encoder(batch, keep_layers=(layers,))[layers])
    assert all(parameter.requires_grad for parameter in shorter.parameters())


def test_the_whole_encoder_is_left_as_it_was_and_shares_nothing():
    encoder = small_encoder(num_layers=3)
    shorter = first_layers(encoder, 2)
    with torch.no_grad():
        shorter.embeddings.token.weight.zero_()
    assert encoder.embeddings.token.weight.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "layers"),
    [({"distinct_layers": 1}, 3), ({"distinct_layers": 2}, 2), ({"distinct_layers": 2, "share": "attention"}, 2)],
)
def test_layers_that_share_weights(changes, layers):
    encoder = small_encoder(num_layers=4, **changes).eval()
    shorter, batch = first_layers(encoder, layers), batch_of((5, 2, 9))
    assert torch.equal(shorter(batch).last, encoder(batch, keep_layers=(layers,))[layers])


def test_a_group_is_not_parted():
    with pytest.raises(UserError, match="3 layers would part a group; choose a multiple of 2"):
        first_layers(small_encoder(num_layers=4, distinct_layers=2), 3)


@pytest.mark.parametrize("make", [first_layers, lambda encoder, layers: reinitialise_top(encoder, layers, seed=0)])
def test_more_layers_than_there_are(make):
    with pytest.raises(UserError, match=r"3 layers are .* has 2") as caught:
        make(small_encoder(num_layers=2), 3)
    assert caught.value.code == "bad_setting"


def test_a_shorter_encoder_can_be_saved_and_loaded(tmp_path):
    shorter = first_layers(small_encoder(num_layers=4), 3).eval()
    save_checkpoint(tmp_path, shorter, family="bert")
    loaded = load_checkpoint(tmp_path).encoder
    assert torch.equal(loaded(batch_of((4, 7))).last, shorter(batch_of((4, 7))).last)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_pile_of_layers_is_computed_once_more(times):
    encoder = small_encoder(num_layers=2).eval()
    deeper, batch = stacked(encoder, times), batch_of((5, 2, 9))
    assert deeper.config.num_layers == 2 * times
    states = deeper(batch, keep_layers=(2, -1))
    assert torch.equal(states[2], encoder(batch).last)
    if times == 1:
        assert torch.equal(states.last, encoder(batch).last)
    for pile in range(times):
        for layer in range(2):
            ours = deeper.feed_forward[2 * pile + layer].state_dict()
            assert all(
                torch.equal(ours[name], value) for name, value in encoder.feed_forward[layer].state_dict().items()
            )


def test_piles_share_nothing():
    encoder = small_encoder(num_layers=1)
    deeper = stacked(encoder, 2)
    with torch.no_grad():
        for parameter in deeper.attention[0].parameters():
            parameter.zero_()
    assert any(parameter.abs().sum() > 0 for parameter in deeper.attention[1].parameters())


def test_layers_that_share_weights_are_not_stacked():
    with pytest.raises(UserError, match="only layers of their own can be stacked"):
        stacked(small_encoder(num_layers=4, distinct_layers=1), 2)


@pytest.mark.parametrize("layers", [1, 2])
def test_only_the_top_layers_begin_anew_and_the_seed_decides_how(layers):
    before = small_encoder(num_layers=3).state_dict()
    made = [small_encoder(num_layers=3) for _ in range(3)]
    for encoder, seed in zip(made, (5, 5, 6), strict=True):
        reinitialise_top(encoder, layers, seed=seed)
    for name, tensor in made[0].state_dict().items():
        part, number, *_ = name.split(".")
        assert torch.equal(tensor, made[1].state_dict()[name])
        if part == "embeddings" or int(number) < 3 - layers:
            assert torch.equal(tensor, before[name])
        elif name.endswith("norm.weight"):
            assert torch.equal(tensor, torch.ones_like(tensor))
        elif name.endswith("bias"):
            assert not tensor.any()
        else:
            assert not torch.equal(tensor, before[name])
            assert not torch.equal(tensor, made[2].state_dict()[name])
            assert_close(tensor.std().item(), made[0].config.initializer_range, rtol=0.3, atol=0)


def test_shared_layers_do_not_begin_anew_alone():
    with pytest.raises(UserError, match="share weights with the layers below"):
        reinitialise_top(small_encoder(num_layers=4, distinct_layers=2), 1, seed=0)
    reinitialise_top(small_encoder(num_layers=4, distinct_layers=2), 2, seed=0)
