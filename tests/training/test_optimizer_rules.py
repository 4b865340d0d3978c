"""The rules of the steps, beside loops written by hand, and what they leave in snapshots."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bertsmith.training import AdamW, BertAdam, Constant, Evaluated, Lamb, Linear, Updated, parameter_groups
from bertsmith.training.groups import build_optimizer, set_rates
from bertsmith.training.optimizer import OptimizerConfig
from bertsmith.training.state import optimizer_state, put_optimizer_state

from .toy import CONFIG, ToyModel, log_lines, toy_run

RULES = [
    AdamW(lr=0.01, weight_decay=0.1),
    BertAdam(lr=0.01, weight_decay=0.1),
    Lamb(lr=0.05, weight_decay=0.1),
    Lamb(lr=0.05, weight_decay=0.1, bias_correction=False, betas=(0.8, 0.95)),
]


def names(config: OptimizerConfig) -> str:
    return config.kind + ("" if getattr(config, "bias_correction", True) else " uncorrected")


def gradients(model: ToyModel, number: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    return {name: torch.randn(p.shape, generator=generator) for name, p in model.named_parameters()}


def by_hand(config: OptimizerConfig, updates: int) -> dict[str, Tensor]:
    """Devlin et al.'s optimization.py, Loshchilov & Hutter's algorithm 2, You et al.'s algorithm 2; in float64."""
    model = ToyModel().double()
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    means = {name: torch.zeros_like(p) for name, p in weights.items()}
    squares = {name: torch.zeros_like(p) for name, p in weights.items()}
    corrected = config.kind == "adamw" or (config.kind == "lamb" and config.bias_correction)
    for number in range(updates):
        rate = config.lr * config.schedule.factor(number, updates)
        for name, gradient in gradients(model, number).items():
            weight, gradient = weights[name], gradient.double()
            means[name] = config.betas[0] * means[name] + (1 - config.betas[0]) * gradient
            squares[name] = config.betas[1] * squares[name] + (1 - config.betas[1]) * gradient**2
            mean, square = means[name], squares[name]
            if corrected:
                mean = mean / (1 - config.betas[0] ** (number + 1))
                square = square / (1 - config.betas[1] ** (number + 1))
            move = mean / (square.sqrt() + config.eps)
            if weight.ndim > 1:
                move = move + config.weight_decay * weight
                if config.kind == "lamb":
                    move = move * weight.norm() / move.norm()
            weights[name] = weight - rate * move
    return weights


@pytest.mark.parametrize("config", RULES, ids=names)
@pytest.mark.parametrize("schedule", [Constant(), Linear(warmup=3)], ids=["constant", "linear"])
def test_equals_the_loop_by_hand(config, schedule):
    config, model = config.but(schedule=schedule), ToyModel()
    optimizer = build_optimizer(parameter_groups(model, config), config)
    for number in range(7):
        for name, gradient in gradients(model, number).items():
            model.get_parameter(name).grad = gradient
        set_rates(optimizer, schedule.factor(number, 7))
        optimizer.step()
    for name, expected in by_hand(config, 7).items():
        assert_close(model.get_parameter(name).double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", RULES, ids=names)
def test_parameters_without_a_gradient_stay(config):
    model = ToyModel()
    before = model.unused.weight.detach().clone()
    optimizer = build_optimizer(parameter_groups(model, config), config)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    optimizer.step()
    assert torch.equal(model.unused.weight, before)


def test_lamb_moves_as_far_as_the_rate_says_of_the_norm():
    model, config = ToyModel(), Lamb(lr=0.01, weight_decay=0.0)
    before = model.head.weight.detach().clone()
    optimizer = build_optimizer(parameter_groups(model, config), config)
    model.head.weight.grad = 1e-3 * torch.randn(model.head.weight.shape)
    optimizer.step()
    assert_close((model.head.weight - before).norm(), 0.01 * before.norm())


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("gradient", [0.0, 1.0])
def test_lamb_without_a_norm_takes_the_plain_step(weight, gradient):
    parameter = torch.nn.Parameter(torch.full((2, 2), weight))
    optimizer = Lamb(weight_decay=0.0).build([{"params": [parameter], "lr": 0.5, "weight_decay": 0.0}])
    parameter.grad = torch.full((2, 2), gradient)
    optimizer.step()
    assert_close(parameter.detach(), torch.full((2, 2), weight - 0.5 * gradient), rtol=1e-4, atol=0.0)


def test_lamb_learns_faster_with_larger_weights():
    parameters = [torch.nn.Parameter(torch.full((2, 2), size)) for size in (0.1, 10.0)]
    optimizer = Lamb(weight_decay=0.0).build([{"params": parameters, "lr": 0.1, "weight_decay": 0.0}])
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert_close(parameters[0].detach(), torch.full((2, 2), 0.09))
    assert_close(parameters[1].detach(), torch.full((2, 2), 9.0))


@pytest.mark.parametrize("config", RULES, ids=names)
def test_state_goes_into_a_snapshot_and_back(config):
    model = ToyModel()
    groups = tuple(parameter_groups(model, config))
    optimizer = build_optimizer(groups, config)
    for name, gradient in gradients(model, 0).items():
        model.get_parameter(name).grad = gradient
    optimizer.step()
    state = {name: value.clone() for name, value in optimizer_state(optimizer, groups).items()}
    again = build_optimizer(groups, config)
    put_optimizer_state(again, groups, state)
    restored = optimizer_state(again, groups)
    assert restored.keys() == state.keys()
    assert all(torch.equal(restored[name], state[name]) for name in state)
    assert {name.partition(".")[0] for name in state} == {"exp_avg", "exp_avg_sq", "step"}
    assert state["step.head.bias"].item() == (math.inf if config.kind == "bert_adam" else 1.0)


class Killed(Exception):
    pass


@pytest.mark.parametrize("config", RULES, ids=names)
@pytest.mark.parametrize("step", [1, 3, 8])
def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, config, step):
    config = CONFIG.but(optimizer=config.but(layer_decay=0.9))

    def kill(event):
        if isinstance(event, Updated) and event.step == step:
            raise Killed

    weights, _ = toy_run(tmp_path / "straight", config=config)
    with pytest.raises(Killed):
        toy_run(tmp_path / "killed", config=config, listeners=[kill])
    again, _ = toy_run(tmp_path / "killed", config=config, resume=True)
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    assert log_lines(tmp_path / "killed") == log_lines(tmp_path / "straight")


@pytest.mark.parametrize("config", RULES, ids=names)
def test_every_rule_learns(tmp_path: Path, config):
    seen: list[float] = []

    def listen(event):
        if isinstance(event, Evaluated):
            seen.append(event.metrics["loss"])

    toy_run(tmp_path, config=CONFIG.but(optimizer=config), listeners=[listen])
    assert seen[-1] < seen[0]
