"""Activations computed again: the same numbers, the same dropout, less memory."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from bertsmith.encoder import Causal, Encoder, Rotary
from tests.encoder.memory import needs_linux
from tests.encoder.samples import batch_of, small_encoder

BATCH = batch_of((5, 2, 9, 9))


def passed(
    encoder: Encoder, *, activations: str, **settings: object
) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
    """States, gradients and the state of the random generator after one pass there and back."""
    encoder.activations = activations
    encoder.zero_grad()
    torch.manual_seed(3)
    states = encoder(BATCH, **settings)
    torch.stack([(kept.float() ** 3).sum() for kept in states.values()]).sum().backward()
    gradients = {name: p.grad for name, p in encoder.named_parameters()}
    return states.last.detach(), gradients, torch.get_rng_state()


def require_same(encoder: Encoder, **settings: object) -> None:
    kept = passed(encoder, activations="kept", **settings)
    again = passed(encoder, activations="recomputed", **settings)
    assert torch.equal(kept[0], again[0])
    assert torch.equal(kept[2], again[2])
    for name, gradient in kept[1].items():
        assert (gradient is None) == (again[1][name] is None), name
        assert gradient is None or torch.equal(gradient, again[1][name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"position": Rotary(), "hidden_size": 30},
        {"distinct_layers": 1},
        {"embedding_size": 11},
        {"hidden_dropout": 0.0, "attention_dropout": 0.0},
    ],
    ids=["bert", "rotary", "shared", "factorised", "no dropout"],
)
@pytest.mark.parametrize("training", [True, False])
def test_states_and_gradients_are_the_same_bits(changes, training):
    require_same(small_encoder(**changes).train(training))


def test_dropout_is_drawn_at_all():
    encoder = small_encoder().train()
    _, dropped, _ = passed(encoder, activations="recomputed")
    _, whole, _ = passed(encoder.eval(), activations="recomputed")
    assert not torch.equal(dropped["attention.0.qkv.weight"], whole["attention.0.qkv.weight"])


def test_with_another_mask_and_layers_kept_on_the_way():
    require_same(small_encoder().train(), mask=Causal(), keep_layers=(0, 1, -1))


def test_in_mixed_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        require_same(small_encoder().train())


def test_below_frozen_layers():
    encoder = small_encoder().train()
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(encoder.depth_of(name) > 1)
    require_same(encoder)


def test_the_choice_is_no_part_of_the_weights():
    encoder = small_encoder()
    before = encoder.state_dict()
    encoder.activations = "recomputed"
    assert encoder.state_dict().keys() == before.keys()
    assert Encoder(encoder.config).activations == "kept"


def test_nothing_is_kept_where_no_gradient_is_recorded():
    encoder = small_encoder().train()
    encoder.activations = "recomputed"
    with torch.no_grad():
        assert not encoder(BATCH).last.requires_grad


MEASURED = """
import sys, torch
from bertsmith.encoder import new_encoder
from tests.encoder.memory import needs_linux
from tests.encoder.samples import SMALL, batch_of
from tests.encoder.memory import peak
torch.set_num_threads(1)
config = SMALL.but(num_layers=12, hidden_size=64, num_heads=2, intermediate_size=256)
encoder, batch = new_encoder(config, seed=0).train(), batch_of([64] * 64)
encoder.activations = sys.argv[1]
encoder(batch_of([3])).last.sum().backward()
before = peak()
encoder(batch).last.sum().backward()
print(peak() - before)
"""


@needs_linux
def test_memory_is_less_than_half():
    told = [
        subprocess.run([sys.executable, "-c", MEASURED, how], capture_output=True, text=True, check=True).stdout
        for how in ("kept", "recomputed")
    ]
    assert 2 * int(told[1]) < int(told[0])
