"""Which weight learns how fast, and when."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bertsmith.errors import UserError
from bertsmith.training import AdamW, Lamb, TrainingConfig, group_table, parameter_groups
from bertsmith.training.groups import build_optimizer, set_rates

from .toy import ToyModel

CONFIG = AdamW(lr=1e-3, head_lr=1e-2, layer_decay=0.5, weight_decay=0.1)


def rates(config: AdamW) -> dict[str, float]:
    return {name: group.rate for group in parameter_groups(ToyModel(), config) for name in group.parameters}


def test_rates_fall_from_the_head_to_the_embeddings():
    found = rates(CONFIG)
    assert found["head.weight"] == found["head.bias"] == 1e-2
    assert found["layers.1.weight"] == found["norm.weight"] == 1e-3
    assert found["layers.0.weight"] == 5e-4
    assert found["embeddings.weight"] == 2.5e-4


def test_decay_of_one_is_off_and_head_rate_follows():
    assert set(rates(AdamW(lr=3e-5)).values()) == {3e-5}


@given(decay=st.floats(0.5, 1.0), layers=st.integers(1, 24))
def test_sun_et_al_each_layer_is_the_decay_times_the_one_above(decay, layers):
    config = AdamW(lr=2e-5, layer_decay=decay)
    for depth in range(1, layers + 1):
        assert math.isclose(config.rate(depth - 1, layers), decay * config.rate(depth, layers))
    assert config.rate(layers, layers) == 2e-5


@given(depth=st.integers(0, 12))
def test_electra_is_reached_by_two_settings(depth):
    """model/optimization.py: lr · decay^(layers + 2 − depth), the head at lr."""
    lr, decay = 1e-4, 0.8
    config = AdamW(lr=lr * decay**2, head_lr=lr, layer_decay=decay)
    assert math.isclose(config.rate(depth, 12), lr * decay ** (12 + 2 - depth))
    assert config.rate(13, 12) == lr


def test_biases_and_norms_are_not_decayed():
    for group in parameter_groups(ToyModel(), CONFIG):
        for name, parameter in group.parameters.items():
            assert group.weight_decay == (0.0 if "bias" in name or "norm" in name else 0.1), name
            assert (parameter.ndim < 2) == (group.weight_decay == 0.0)


def test_every_trainable_parameter_is_in_one_group():
    model = ToyModel()
    model.embeddings.weight.requires_grad_(False)
    names = [name for group in parameter_groups(model, CONFIG) for name in group.parameters]
    assert sorted(names) == sorted(name for name, p in model.named_parameters() if p.requires_grad)


def test_table_names_every_group():
    table = group_table(parameter_groups(ToyModel(), CONFIG)).splitlines()
    assert table[0].split() == ["group", "rate", "decay", "numbers", "tensors"]
    assert [line.split()[0] for line in table[1:]] == ["head", "head", "layer", "layer", "layer", "layer", "embeddings"]
    assert table[-1].split() == ["embeddings", "0.00025", "0.1", "136", "embeddings.weight"]


def test_optimizer_moves_every_group_at_its_rate():
    optimizer = build_optimizer(parameter_groups(ToyModel(), CONFIG), CONFIG)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert set_rates(optimizer, 0.5) == 5e-3
    assert [group["lr"] for group in optimizer.param_groups] == [5e-3] * 2 + [5e-4] * 2 + [2.5e-4] * 2 + [1.25e-4]


def test_the_kind_may_stay_unsaid():
    assert TrainingConfig.model_validate({"optimizer": {"lr": 1e-4}}).optimizer == AdamW(lr=1e-4)
    assert TrainingConfig.model_validate({"optimizer": {"kind": "lamb"}}).optimizer == Lamb()


def test_yaml_numbers_without_a_dot_are_numbers():
    """PyYAML reads 1e-5 as a string."""
    assert AdamW.model_validate({"lr": "1e-5"}).lr == 1e-5


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"layer_decay": 1.5}, {"betas": [1.0, 0.9]}, {"rate": 1}])
def test_rates_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        AdamW.model_validate(wrong)


def test_as_the_authors_code_only_layers_are_decayed():
    """run_classifier_discriminative.py: lr · decay^(11 − i) for `layer.i`, the rest at the full rate."""
    config = AdamW(lr=2e-5, layer_decay=0.95, decayed="layers")
    assert config.rate(0, 12) == config.rate(13, 12) == 2e-5
    for number in range(12):
        assert math.isclose(config.rate(number + 1, 12), 2e-5 * 0.95 ** (11 - number))


def test_rates_by_name_and_the_last_that_fits_holds():
    found = rates(CONFIG.but(rates={"layers\\..*": 0.5, "layers\\.1\\.weight": 0.25, "head\\.bias": 0.125}))
    assert (found["layers.0.weight"], found["layers.1.weight"], found["layers.1.bias"]) == (0.5, 0.25, 0.5)
    assert (found["head.weight"], found["head.bias"], found["embeddings.weight"]) == (1e-2, 0.125, 2.5e-4)
    names = [group.name for group in parameter_groups(ToyModel(), CONFIG.but(rates={"head\\.bias": 0.125}))]
    assert "head (head\\.bias)" in names


@pytest.mark.parametrize("pattern", ["head", "nothing.*", "crf"])
def test_a_rate_for_nothing_is_refused(pattern):
    with pytest.raises(UserError, match=r"optimizer\.rates: .* the whole name of no parameter"):
        parameter_groups(ToyModel(), CONFIG.but(rates={pattern: 0.1}))


def test_a_pattern_hidden_by_a_later_one_is_refused():
    with pytest.raises(UserError, match="a later pattern has them all"):
        parameter_groups(ToyModel(), CONFIG.but(rates={"head\\.bias": 0.1, "head\\..*": 0.2}))


def test_what_is_no_pattern_is_refused():
    with pytest.raises(ValidationError, match="no regular expression"):
        AdamW(rates={"head(": 0.1})
