"""Encoder, features, head and criterion as one model: its loss, its depths, its learning."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.data import BatchPlan
from bertsmith.finetuning import FineTuner, LabelledBatch, LabelledUpdates, Targets, pack_readings, predict
from bertsmith.training import AdamW, Budget, Selection, TrainingConfig, parameter_groups, train

from .samples import LABELS, readings, tuner

CPU = torch.device("cpu")


def batch(lengths: list[int], targets: list[int]) -> LabelledBatch:
    return LabelledBatch(pack_readings(readings(lengths)), torch.tensor(targets))


def test_loss_is_the_sum_and_the_weights_make_it_the_mean():
    model = tuner(criterion={"class_weights": "balanced"}, counts=(1, 2, 5)).eval()
    made = batch([4, 9, 2, 5], [0, 2, 1, 2])
    weights = torch.tensor([8 / 3, 8 / 6, 8 / 15])
    mean = F.cross_entropy(model.scores(made.texts), made.targets, weight=weights)
    assert_close(model(made)["loss"] / model.loss_weights(made)["loss"], mean)
    assert model.loss_names == ("loss",)


def test_depths_go_from_the_embeddings_to_the_head():
    model = tuner(features={"pooling": "pooler"})
    depths = {name: model.depth_of(name) for name, _ in model.named_parameters()}
    assert model.top_depth == 2
    for name, depth in depths.items():
        part, *rest = name.split(".")
        expected = 3 if part in ("head", "features") else 0 if rest[0] == "embeddings" else int(rest[1]) + 1
        assert depth == expected, name
    assert set(depths.values()) == {0, 1, 2, 3}


def test_rates_by_depth():
    groups = parameter_groups(tuner(), AdamW(lr=1e-3, head_lr=1e-2, layer_decay=0.5, weight_decay=0.1))
    rates = {group.name: group.rate for group in groups}
    assert rates == {"head": 1e-2, "layer 2": 1e-3, "layer 1": 5e-4, "embeddings": 2.5e-4}
    for group in groups:
        small = all(parameter.ndim < 2 for parameter in group.parameters.values())
        assert group.weight_decay == (0.0 if small else 0.1)


@settings(max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=9), max_tokens=st.integers(12, 60), seed=st.integers(0, 3)
)
def test_prediction_does_not_depend_on_company(lengths, max_tokens, seed):
    model = tuner(seed=seed)
    texts = readings(lengths, seed)
    together = predict(model, [texts], device=CPU, max_tokens=max_tokens).values
    alone = [predict(model, [[text]], device=CPU).values[0] for text in texts]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
    np.testing.assert_allclose(together.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_prediction_leaves_the_mode_as_it_was_and_drops_nothing(training):
    model = tuner(dropout=0.5).train(training)
    texts = readings([5, 8])
    one, two = (predict(model, [texts], device=CPU).values for _ in range(2))
    assert (one == two).all()
    assert model.training is training


# Learning.


def trained(model: FineTuner, plan: BatchPlan, steps: int, lr: float = 5e-3) -> FineTuner:
    lengths = [3, 9, 4, 7, 5, 8, 6, 11]
    targets = Targets(np.arange(len(lengths)) % len(LABELS))
    config = TrainingConfig(
        optimizer=AdamW(lr=lr),
        budget=Budget(epochs=None, max_steps=steps),
        selection=Selection(keep="last"),
        precision="float32",
    )
    train(model, LabelledUpdates([readings(lengths)], targets, plan, seed=0), config)
    return model


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_updates_in_parts_equal_updates_in_one(weights):
    settings = {"criterion": {"class_weights": weights}, "counts": (3, 3, 2)}
    whole = trained(tuner(**settings).double(), BatchPlan(batch_size=4, max_tokens=1000), 6)
    parts = trained(tuner(**settings).double(), BatchPlan(batch_size=4, max_tokens=12), 6)
    assert_close(parts.state_dict(), whole.state_dict(), atol=1e-9, rtol=1e-7)


def test_eight_texts_are_learned_by_heart():
    lengths = [3, 9, 4, 7, 5, 8, 6, 11]
    texts, targets = readings(lengths), np.arange(8) % 3
    model = trained(tuner(dropout=0.1), BatchPlan(batch_size=8), 90)
    chances = predict(model, [texts], device=CPU).values
    assert (chances.argmax(1) == targets).all()
    assert chances[np.arange(8), targets].min() > 0.8
