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


# Only what is read is computed.

FIRST = ("cls", "pooler", {"layers": {"kind": "one", "number": 1}}, {"layers": {"kind": "one", "number": 0}})


@pytest.mark.parametrize("features", FIRST, ids=["cls", "pooler", "layer 1", "embeddings"])
@pytest.mark.parametrize("lengths", [[5, 3, 9, 1, 7], [4]], ids=["several", "one"])
def test_where_the_first_token_is_read_no_other_is_computed_and_nothing_changes(features: object, lengths: list[int]):
    model, made = tuner(features=features), batch(lengths, [place % 3 for place in range(len(lengths))])
    assert model.features.reads_first_of_one
    scores, grads = model.eval().scores(made.texts), grads_of(model, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model.features), "reads_first_of_one", False)
        assert_close(scores, model.scores(made.texts))
        assert grads.keys() == grads_of(model, made).keys()
        for name, grad in grads_of(model, made).items():
            assert_close(grads[name], grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("features", ["mean", "all_concat", {"pooling": "max"}], ids=str)
def test_other_features_need_all_tokens(features: object):
    assert not tuner(features=features).features.reads_first_of_one


def grads_of(model: FineTuner, made: LabelledBatch) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(made)["loss"].backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
