"""A layer that only answers multiplies by a packed weight: the same numbers, and never those of an older weight."""

from copy import deepcopy

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.encoder.prepacked import ACTIVATIONS, Linear
from bertsmith.encoder.processor import can_pack

CLOSE = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}, torch.bfloat16: {"rtol": 2**-7, "atol": 2**-7}}
DTYPES = [dtype for dtype in CLOSE if can_pack(dtype)]

pytestmark = pytest.mark.skipif(not DTYPES, reason="this processor takes no packed weights")


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return Linear(24, 40).eval()


def states(dtype=torch.float32, rows=7):
    return torch.randn(rows, 24, generator=torch.Generator().manual_seed(1)).to(dtype)


def plainly(layer, given):
    return F.linear(given.float(), layer.weight, layer.bias)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_products_are_those_of_torch(layer, dtype, rows):
    given = states(dtype, rows)
    with torch.no_grad():
        made = layer(given)
    assert made.dtype == dtype
    assert layer._packed is not None
    assert_close(made.float(), plainly(layer, given), **CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_those_of_torch(layer, dtype, activation):
    given = states(dtype)
    with torch.no_grad():
        made = layer.activated(given, activation)
    assert_close(made.float(), ACTIVATIONS[activation](plainly(layer, given)), **CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("residual_dtype", CLOSE)
def test_a_residual_is_added(layer, dtype, residual_dtype):
    given, residual = states(dtype), torch.randn(7, 40).to(residual_dtype)
    with torch.no_grad():
        made = layer.added(residual, given, dropout=0.0)
    assert made.dtype == torch.promote_types(dtype, residual_dtype)
    assert_close(made.float(), residual.float() + plainly(layer, given), **CLOSE[torch.bfloat16])


def test_what_is_added_to_a_residual_is_dropped(layer):
    residual = torch.ones(7, 40)
    torch.manual_seed(0)
    with torch.no_grad():
        made = layer.added(residual, states(), dropout=0.5)
    assert 0.3 < (made == residual).float().mean() < 0.7


def test_autocast_says_the_dtype(layer):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(states()).dtype == torch.bfloat16


@pytest.mark.parametrize("learning", ["training mode", "gradients", "another dtype"])
def test_what_learns_or_cannot_be_packed_is_computed_plainly(layer, learning):
    layer.train(learning == "training mode").to(torch.float64 if learning == "another dtype" else torch.float32)
    with torch.set_grad_enabled(learning == "gradients"):
        given = states().to(layer.weight.dtype)
        made = layer(given)
        assert torch.equal(made, F.linear(given, layer.weight, layer.bias))
    assert layer._packed is None
    assert made.requires_grad is (learning == "gradients")


def changed_in_place(layer):
    with torch.no_grad():
        layer.weight.mul_(2)


def updated(layer):
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    layer(states()).square().sum().backward()
    optimizer.step()


def averaged(layer):
    with torch.no_grad():
        torch._foreach_lerp_([layer.weight, layer.bias], [torch.zeros(40, 24), torch.zeros(40)], 0.5)


def loaded(layer):
    layer.load_state_dict(Linear(24, 40).state_dict())


def put_in_place(layer):
    layer.load_state_dict(Linear(24, 40).state_dict(), assign=True)


def with_another_bias(layer):
    with torch.no_grad():
        layer.bias.add_(1)


@pytest.mark.parametrize("change", [changed_in_place, updated, averaged, loaded, put_in_place, with_another_bias])
def test_a_changed_weight_is_noticed(layer, change):
    with torch.no_grad():
        before = layer(states())
    change(layer)
    with torch.no_grad():
        after = layer(states())
    assert not torch.allclose(before, after)
    assert_close(after, plainly(layer, states()), **CLOSE[torch.float32])


def test_a_weight_put_where_the_old_one_lay_is_noticed(layer):
    """Same address, same version: only that it is another parameter tells."""
    with torch.no_grad():
        layer(states())
        layer.weight = torch.nn.Parameter(layer.weight.detach())
        assert layer._packed.source[0] is not layer.weight
        layer(states())
    assert layer._packed.source[0] is layer.weight


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_that_learns_again_keeps_no_copy(layer, training):
    with torch.no_grad():
        layer(states())
    layer.train(training)(states())
    assert layer._packed is None


def test_copies_and_files_hold_the_weight_alone(layer):
    with torch.no_grad():
        layer(states())
    assert set(layer.state_dict()) == {"weight", "bias"}
    copy = deepcopy(layer)
    assert copy._packed is None
    with torch.no_grad():
        assert torch.equal(copy(states()), layer(states()))
