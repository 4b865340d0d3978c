"""Numbers read late: the same weights, the same story, and nothing moves once something is not finite."""

import pytest
import torch

from bertsmith.errors import UserError
from bertsmith.training import AdamW, BertAdam, Lamb, Ranks, Updated, loop, plain, train
from bertsmith.training.groups import build_optimizer, parameter_groups
from bertsmith.training.update import READ_EVERY, Updater, reads_every

from .toy import CONFIG, ToyModel, ToyUpdates, evaluation, log_lines, toy_run

CPU = torch.device("cpu")


def updater(model, config, read_every):
    optimizer = build_optimizer(parameter_groups(model, config), config)
    step = plain(torch.float32, CPU)
    return Updater(model, optimizer, step, Ranks(), CPU, seed=3, max_grad_norm=0.3, read_every=read_every)


def weights(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("config", [AdamW(lr=0.01), BertAdam(lr=0.01)], ids=lambda config: config.kind)
def test_read_late_or_at_once_is_the_same(config):
    ends, stories = [], []
    for read_every in (1, 4):
        model, updates = ToyModel(), ToyUpdates()
        update = updater(model, config, read_every)
        made = [update(number, updates.update(0, number, at_least=1), factor=0.5) for number in range(4)]
        stories.append(update.read(made))
        ends.append(weights(model))
    assert stories[0] == stories[1]
    for name in ends[0]:
        assert torch.equal(ends[0][name], ends[1][name]), name


@pytest.mark.parametrize("config", [AdamW(lr=0.01), BertAdam(lr=0.01)], ids=lambda config: config.kind)
def test_from_an_update_that_is_not_finite_on_nothing_moves(config):
    model, updates = ToyModel(), ToyUpdates()
    update = updater(model, config, 4)
    made, states = [], [weights(model)]
    for number in range(4):
        if number == 2:
            model.label_weights[0] = torch.nan
        made.append(update(number, updates.update(0, number, at_least=1), factor=0.5))
        model.label_weights[0] = 1.0
        states.append(weights(model))
    for name in ("head.weight", "embeddings.weight"):
        assert not torch.equal(states[1][name], states[2][name])
        assert torch.equal(states[2][name], states[3][name])
        assert torch.equal(states[2][name], states[4][name])
    assert len(update.read(made[:2])) == 2
    with pytest.raises(UserError, match=r"update 3: the loss is nan .*training cannot go on") as raised:
        update.read(made)
    assert raised.value.code == "not_finite"


@pytest.mark.parametrize("every", [2, 3, 50])
def test_a_run_that_reads_late_is_the_same_run(tmp_path, monkeypatch, every):
    """Evaluations, snapshots and the end come when they are due, and find everything read."""
    plain_weights, plain_result = toy_run(tmp_path / "plain")
    monkeypatch.setattr(loop, "reads_every", lambda device, optimizer: every)
    late_weights, late_result = toy_run(tmp_path / "late")
    assert log_lines(tmp_path / "plain") == log_lines(tmp_path / "late")
    assert (plain_result.tokens, plain_result.best_step) == (late_result.tokens, late_result.best_step)
    for name, value in plain_weights.items():
        assert torch.equal(value, late_weights[name])


def test_a_run_stopped_between_two_readings_goes_on_as_if_nothing_had_been(tmp_path, monkeypatch):
    whole, _ = toy_run(tmp_path / "whole", config=CONFIG.but(snapshot_every=3))
    monkeypatch.setattr(loop, "reads_every", lambda device, optimizer: 4)

    def fail(event):
        if isinstance(event, Updated) and event.step == 5:
            raise RuntimeError("the light went out")

    with pytest.raises(RuntimeError, match="light"):
        toy_run(tmp_path / "broken", config=CONFIG.but(snapshot_every=3), listeners=[fail])
    resumed, _ = toy_run(tmp_path / "broken", config=CONFIG.but(snapshot_every=3), resume=True)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name])
    assert log_lines(tmp_path / "broken") == log_lines(tmp_path / "whole")


def test_where_several_are_read_together():
    model = ToyModel()
    gpu = torch.device("cuda", 0)
    for config, expected in ((AdamW(), READ_EVERY), (BertAdam(), READ_EVERY), (Lamb(), 1)):
        optimizer = build_optimizer(parameter_groups(model, config), config)
        assert reads_every(gpu, optimizer) == expected
        assert reads_every(CPU, optimizer) == 1


def test_float32_is_float32_in_training_whatever_was_set_before():
    seen = []
    torch.set_float32_matmul_precision("high")
    try:
        model, updates = ToyModel(), ToyUpdates()

        def evaluate():
            seen.append(torch.get_float32_matmul_precision())
            return evaluation(model, updates)

        train(model, updates, CONFIG, evaluate=evaluate)
        assert set(seen) == {"highest"}
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
