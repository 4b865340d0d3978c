"""Snapshots on disk: whole or not at all, the last two, only of the same run."""

import resource
import signal

import pytest
import torch
from torch.testing import assert_close

from bertsmith.errors import UserError
from bertsmith.training import AdamW, Snapshots, parameter_groups
from bertsmith.training.groups import build_optimizer
from bertsmith.training.snapshots import Progress, Snapshot, differences
from bertsmith.training.state import put_weights, weights_of

from .toy import ToyModel


def snapshot_at(step: int, *, size: int = 4) -> Snapshot:
    tensors = {"weight": torch.full((size,), float(step))}
    return Snapshot(Progress(step=step), {"torch": "x"}, tensors, {"exp_avg.weight": torch.ones(size)}, None)


def test_what_is_saved_is_read(tmp_path):
    snapshots = Snapshots(tmp_path, identity="a")
    saved = Snapshot(
        Progress(step=3, best_step=2, best_metrics={"accuracy": 0.1}, seconds=0.1 + 0.2),
        {"threads": "2"},
        {"w": torch.randn(3, generator=torch.Generator().manual_seed(0))},
        {"step.w": torch.tensor(3.0)},
        {"w": torch.zeros(3)},
    )
    snapshots.save(saved)
    read = snapshots.newest(pytest.fail)
    assert (read.progress, read.environment) == (saved.progress, saved.environment)
    for one, other in ((read.model, saved.model), (read.optimizer, saved.optimizer), (read.best, saved.best)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_last_two_are_kept(tmp_path):
    snapshots = Snapshots(tmp_path)
    for step in (2, 4, 6, 8):
        snapshots.save(snapshot_at(step))
    assert snapshots.steps() == [6, 8]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000006", "step-00000008"]


def test_clear_takes_an_empty_folder_with_it(tmp_path):
    snapshots = Snapshots(tmp_path / "checkpoints")
    snapshots.clear()
    snapshots.save(snapshot_at(1))
    snapshots.clear()
    assert not (tmp_path / "checkpoints").exists()


def test_another_run_is_refused(tmp_path):
    Snapshots(tmp_path, identity="one").save(snapshot_at(1))
    with pytest.raises(UserError, match="run with other settings or data") as caught:
        Snapshots(tmp_path, identity="another").newest(pytest.fail)
    assert caught.value.code == "other_run"


def test_full_disk_keeps_the_older_snapshot(tmp_path):
    snapshots = Snapshots(tmp_path)
    snapshots.save(snapshot_at(1))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(UserError, match="cannot write") as caught:
            snapshots.save(snapshot_at(2, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == "disk_full"
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert snapshots.newest(pytest.fail).progress.step == 1


def test_another_environment_is_told():
    texts = differences({"torch": "2.6", "threads": "2"}, {"torch": "2.13", "threads": "2", "dtype": "float32"})
    assert texts == ["the snapshot was made with torch 2.6, now it is 2.13: results may differ in last digits"]


def test_tied_weights_are_stored_once_and_come_back():
    model, other = ToyModel(), ToyModel()
    for each in (model, other):
        each.layers[1].weight = each.layers[0].weight
    torch.nn.init.ones_(model.layers[0].weight)
    stored = weights_of(model)
    assert "layers.1.weight" not in stored
    put_weights(other, stored)
    assert_close(other.layers[1].weight, model.layers[0].weight)


def test_weights_of_another_model_are_refused():
    with pytest.raises(ValueError, match=r"do not fit the model: head\.weight"):
        put_weights(ToyModel(), {**weights_of(ToyModel()), "head.weight": torch.zeros(2, 2)})


def test_fused_adamw_gives_the_same_bits_twice():
    results = []
    for _ in range(2):
        model = ToyModel()
        optimizer = build_optimizer(parameter_groups(model, AdamW(lr=0.1)), AdamW(lr=0.1))
        for number in range(3):
            for index, parameter in enumerate(model.parameters()):
                generator = torch.Generator().manual_seed(100 * number + index)
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
        results.append(weights_of(model))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
