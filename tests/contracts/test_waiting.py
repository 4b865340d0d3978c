"""Inside an update nothing waits for the device: counted, not timed, and without a GPU.

torch's meta device stands in for one: it knows shapes and dtypes but no values, so whoever asks for a value, or
for a shape that depends on values, gets an error where a GPU would have to be waited for. What torch would copy
from ordinary memory, and so wait for, is refused beside it. `tests/encoder/test_gpu_attention.py` asks a GPU itself.
"""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bertsmith.batch import moving
from bertsmith.encoder import paths
from bertsmith.training import Ranks
from bertsmith.training.update import Updater
from tests.contracts.learners import LEARNERS

FAR = torch.device("meta")


class Idle(torch.optim.Optimizer):
    """The fused optimizers are torch's own; this one only takes the rates."""

    def __init__(self, groups):
        super().__init__(groups, {"lr": 0.1, "peak_lr": 0.1})

    def step(self, closure=None):
        assert self.found_inf.device == FAR


class Copies(TorchDispatchMode):
    """Refuses copies from the host that would be waited for, and looks at values over there."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if operation is torch.ops.aten._to_copy.default and torch.device(kwargs.get("device") or "cpu") == FAR:
            assert args[0].device == FAR or kwargs.get("non_blocking"), "a copy that is waited for"
        return operation(*args, **kwargs)


@pytest.fixture
def far_away(monkeypatch):
    """The meta device as a GPU: with pinned memory, the kernels of one, no autocast of its own."""

    def on_the_spot(make):
        def made(*args, **kwargs):
            assert torch.device(kwargs.get("device") or "cpu") != FAR, "a value made on the host for the device"
            return make(*args, **kwargs)

        return made

    def new_tensor(self, *args, **kwargs):
        assert self.device != FAR, "a value made on the host for the device"
        return plain_new_tensor(self, *args, **kwargs)

    plain_new_tensor = Tensor.new_tensor
    monkeypatch.setattr(moving, "PINNED", frozenset({"meta"}))
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(Tensor, "new_tensor", new_tensor)
    monkeypatch.setattr(torch, "tensor", on_the_spot(torch.tensor))
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    monkeypatch.setattr(paths, "missing_for_varlen", lambda device: None)


def updater(model, step) -> Updater:
    optimizer = Idle([{"params": [parameter for _, parameter in model.named_parameters()]}])
    return Updater(model, optimizer, step, Ranks(device=FAR), FAR, seed=0, max_grad_norm=1.0, read_every=8)


IN_HALF = ("classification without dropout", "pairs that write")
"""One learner for each path that attention takes in half precision alone."""


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, torch.float32) for name in LEARNERS), *((name, torch.bfloat16) for name in IN_HALF)]
)
def test_nothing_is_asked_of_the_device(far_away, name, dtype):
    learner = LEARNERS[name]
    model = learner.model().to(FAR, dtype).train()
    builds = [partial(learner.batch, 4)] * (1 if learner.joins or "bilstm" in name else 2)
    with Copies():
        made = updater(model, learner.step(FAR))(0, builds, factor=0.5)
    assert made.told.device == FAR
    assert made.told.shape == (len(model.loss_names) + 2,)


def test_the_stand_in_notices(far_away):
    values = torch.ones(3, device=FAR)
    with pytest.raises((RuntimeError, NotImplementedError)):
        values.sum().item()
    with pytest.raises((RuntimeError, NotImplementedError)):
        values[values > 0]
    with pytest.raises(AssertionError, match="made on the host"):
        torch.tensor(1.0, device=FAR)
    with Copies(), pytest.raises(AssertionError, match="waited for"):
        torch.ones(3).to(FAR)
