"""Layers that stay as they were: for the whole run, or until their epoch comes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bertsmith.errors import UserError
from bertsmith.training import (
    AdamW,
    BertAdam,
    Bottom,
    Budget,
    Gradual,
    Lamb,
    Selection,
    Updated,
    group_table,
    parameter_groups,
)
from bertsmith.training.config import TrainingConfig
from bertsmith.training.freezing import Freezing
from bertsmith.training.groups import build_optimizer, thaw

from .toy import CONFIG, ToyModel, toy_run

LAST = CONFIG.but(selection=Selection(keep="last"))


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def moved(folder: Path, freeze: Freezing | None, **changes: object) -> set[str]:
    """The parameters that a run has changed."""
    before = ToyModel().state_dict()
    weights, _ = toy_run(folder, config=LAST.but(freeze=freeze, **changes))
    return {name for name, tensor in weights.items() if not torch.equal(tensor, before[name])}


def by_epoch(freeze: Freezing) -> dict[str, int | None]:
    return {name: g.from_epoch for g in parameter_groups(ToyModel(), AdamW(), freeze) for name in g.parameters}


HEAD, TOP, LOW = {"head.weight", "head.bias"}, {"layers.1.weight", "layers.1.bias"}, {"layers.0.weight"}


@pytest.mark.parametrize(
    "optimizer", [AdamW(lr=0.01), BertAdam(lr=0.01), Lamb(lr=0.01)], ids=lambda config: config.kind
)
def test_only_what_lies_above_learns(tmp_path, optimizer):
    everything = {"embeddings.weight", "layers.0.weight", "layers.0.bias", "norm.weight", "norm.bias", *TOP, *HEAD}
    low = {"embeddings.weight", "layers.0.weight", "layers.0.bias"}
    found = {
        layers: moved(tmp_path / str(layers), Bottom(layers=layers), optimizer=optimizer) for layers in (0, 1, "all")
    }
    assert found == {0: everything - {"embeddings.weight"}, 1: everything - low, "all": HEAD}
    assert moved(tmp_path / "none", None, optimizer=optimizer) == everything


def test_one_layer_an_epoch_from_the_top():
    found = by_epoch(Gradual())
    assert (found["head.weight"], found["layers.1.weight"], found["layers.0.weight"]) == (0, 1, 2)
    assert found["embeddings.weight"] == 3
    assert set(by_epoch(Gradual(layers_per_epoch=2)).values()) == {0, 1, 2}
    assert by_epoch(Gradual(layers_per_epoch=2))["layers.0.weight"] == 1


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_what_has_moved_after_each_epoch(tmp_path, epochs):
    found = moved(tmp_path, Gradual(), budget=Budget(epochs=epochs))
    assert (found >= HEAD, found >= TOP, found >= LOW, "embeddings.weight" in found) == (
        True,
        epochs > 1,
        epochs > 2,
        epochs > 3,
    )


@pytest.mark.parametrize("step", [3, 5, 8, 11, 14, 19])
@pytest.mark.parametrize("optimizer", [AdamW(lr=0.01), BertAdam(lr=0.01)], ids=lambda config: config.kind)
def test_killed_between_two_thaws_it_goes_on_to_the_same_bits(tmp_path, step, optimizer):
    config = CONFIG.but(freeze=Gradual(), budget=Budget(epochs=4), optimizer=optimizer)

    def kill(event):
        if isinstance(event, Updated) and event.step == step:
            raise Killed

    whole, _ = toy_run(tmp_path / "whole", config=config)
    with pytest.raises(Killed):
        toy_run(tmp_path / "broken", config=config, listeners=[kill])
    again, _ = toy_run(tmp_path / "broken", config=config, resume=True)
    require_equal(again, whole)


def require_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_everything_can_learn_again_afterwards():
    model = ToyModel()
    groups = parameter_groups(model, AdamW(), Bottom(layers="all"))
    thaw(groups, 0)
    assert [name for name, p in model.named_parameters() if p.requires_grad and name.startswith("layers")] == []
    thaw(groups, None)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_table_says_what_is_frozen_and_the_optimizer_forgets_it():
    groups = parameter_groups(ToyModel(), AdamW(), Bottom(layers=1))
    told = group_table(groups)
    assert "layer 1 (frozen)" in told
    assert "embeddings (frozen)" in told
    assert "layer 2 (" not in told
    held = {id(p) for group in build_optimizer(groups, AdamW()).param_groups for p in group["params"]}
    assert held == {id(p) for group in groups if group.from_epoch == 0 for p in group.parameters.values()}
    assert "layer 2 (from epoch 2)" in group_table(parameter_groups(ToyModel(), AdamW(), Gradual()))


def test_more_layers_than_there_are():
    with pytest.raises(UserError, match=r"freeze\.layers is 3, but this encoder has 2 layers"):
        parameter_groups(ToyModel(), AdamW(), Bottom(layers=3))


def test_freezing_is_said_by_kind():
    assert TrainingConfig.model_validate({"freeze": {"kind": "bottom", "layers": "all"}}).freeze == Bottom(layers="all")
    assert TrainingConfig().freeze is None
