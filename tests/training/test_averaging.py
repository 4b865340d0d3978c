"""Averaged weights: closed forms, and a run that measures, keeps, saves and goes on with them."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.training import Ema, Evaluated, Selection, Swa, Updated
from bertsmith.training.averaging import Average, averager
from bertsmith.training.state import copy_of, weights_of

from .toy import CONFIG, ToyModel, log_lines, toy_run

LAST = CONFIG.but(selection=Selection(keep="last", every=3))
KINDS = [Ema(decay=0.7), Ema(decay=0.999), Swa(start=0.4), Swa(start=0.0, every=3)]


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def course(model: ToyModel, config: Ema | Swa, updates: int) -> tuple[list[dict[str, torch.Tensor]], Average]:
    """Weights drawn at random after each update, and their average."""
    average = averager(config, model, updates)
    seen = []
    for number in range(updates):
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        average.follow(number + 1)
        seen.append(copy_of(weights_of(model)))
    assert isinstance(average, Average)
    return seen, average


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.9999])
def test_ema_is_the_closed_form(decay):
    seen, average = course(ToyModel().double(), Ema(decay=decay), 12)
    counts = torch.tensor([decay ** (12 - number) for number in range(1, 13)], dtype=torch.float64)
    for name, value in average.weights().items():
        if value.is_floating_point() and name != "label_weights":
            expected = torch.einsum("n,n...->...", counts / counts.sum(), torch.stack([each[name] for each in seen]))
            assert_close(value, expected, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize(
    ("start", "every", "taken"), [(0.5, 1, [6, 7, 8, 9, 10, 11]), (0.0, 5, [0, 5, 10]), (0.75, 2, [9, 11])]
)
def test_swa_is_the_mean_of_what_it_takes(start, every, taken):
    seen, average = course(ToyModel().double(), Swa(start=start, every=every), 12)
    for name, value in average.weights().items():
        expected = torch.stack([seen[number][name] for number in taken]).mean(0)
        assert_close(value, expected, atol=1e-12, rtol=1e-10)


def test_before_swa_begins_the_average_is_the_weights():
    seen, average = course(ToyModel(), Swa(start=0.9), 20)
    half, early = course(ToyModel(), Swa(start=0.99), 20)
    assert all(torch.equal(early.weights()[name], half[-1][name]) for name in half[-1])
    assert not torch.equal(average.weights()["head.weight"], seen[-1]["head.weight"])


def compared_and_killed(model: ToyModel, average: Average, expected: dict[str, torch.Tensor]) -> None:
    with average.in_place():
        assert all(torch.equal(tensor, expected[name]) for name, tensor in weights_of(model).items())
        raise Killed


def test_in_place_the_model_has_the_average_and_afterwards_its_own_weights_bit_for_bit():
    model = ToyModel()
    seen, average = course(model, Ema(decay=0.9), 5)
    before = copy_of(average.weights())
    with pytest.raises(Killed):
        compared_and_killed(model, average, before)
    assert all(torch.equal(tensor, seen[-1][name]) for name, tensor in weights_of(model).items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in average.weights().items())


@pytest.mark.parametrize("config", KINDS, ids=str)
def test_training_itself_is_not_changed(tmp_path, config):
    """The losses of every update are those of the run without an average; only what is measured and kept differs."""
    plain, _ = toy_run(tmp_path / "plain", config=LAST)
    averaged, _ = toy_run(tmp_path / "averaged", config=LAST.but(averaging=config))
    losses = [[line["loss"] for line in log_lines(tmp_path / name) if "loss" in line] for name in ("plain", "averaged")]
    assert losses[0] == losses[1]
    assert not torch.equal(plain["head.weight"], averaged["head.weight"])


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("config", KINDS, ids=str)
def test_what_is_kept_is_what_was_measured(tmp_path, config, keep):
    from .toy import ToyUpdates, evaluation

    heard = []
    chosen = CONFIG.but(averaging=config, selection=Selection(metric="loss", better="lower", every=3, keep=keep))
    weights, _ = toy_run(tmp_path, config=chosen, listeners=[heard.append])
    model = ToyModel(dropout=0.0)
    model.load_state_dict(weights)
    losses = [event.metrics["loss"] for event in heard if isinstance(event, Evaluated)]
    with torch.no_grad():
        found = evaluation(model.eval(), ToyUpdates())["loss"]
    assert found == (min(losses) if keep == "best" else losses[-1])


@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("config", [Ema(decay=0.9), Swa(start=0.3, every=2)], ids=str)
def test_killed_anywhere_it_goes_on_to_the_same_bits(tmp_path, config, step):
    chosen = CONFIG.but(averaging=config, selection=Selection(metric="loss", better="lower", every=3))

    def kill(event):
        if isinstance(event, Updated) and event.step == step:
            raise Killed

    whole, _ = toy_run(tmp_path / "whole", config=chosen)
    with pytest.raises(Killed):
        toy_run(tmp_path / "broken", config=chosen, listeners=[kill])
    again, _ = toy_run(tmp_path / "broken", config=chosen, resume=True)
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert log_lines(tmp_path / "broken") == log_lines(tmp_path / "whole")
