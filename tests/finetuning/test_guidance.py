"""R-Drop and a teacher: values by hand, nothing where there is nothing to learn, cuts and kills without effect."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.data import BatchPlan
from bertsmith.finetuning import (
    Distill,
    FineTuner,
    Guided,
    LabelledBatch,
    LabelledUpdates,
    RDrop,
    Targets,
    pack_readings,
    predict,
    require_comparable,
)
from bertsmith.losses import AnyCriterion, Comparable, LabelFacts
from bertsmith.training import (
    AdamW,
    Budget,
    Fgm,
    Selection,
    Snapshots,
    Surroundings,
    TrainingConfig,
    Updated,
    adversarial,
    plain,
    train,
)
from bertsmith.training.determinism import seed_micro_batch

from .samples import readings, tuner

CPU = torch.device("cpu")
LENGTHS, TARGETS = [3, 9, 4, 7, 5, 8, 6, 11], np.arange(8) % 3
TEACHER = Distill(teacher="elsewhere", temperature=2.0, weight=0.25)


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def chances(seed: int = 0) -> torch.Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(seed)).softmax(-1)


def batch(soft: torch.Tensor | None = None) -> LabelledBatch:
    return LabelledBatch(pack_readings(readings(LENGTHS)), torch.from_numpy(TARGETS), soft)


def gradients(model: FineTuner, *losses: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    torch.stack(losses).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def trained(
    model: FineTuner, guided: Guided | FineTuner, *, max_tokens: int = 1000, steps: int = 6, **around
) -> FineTuner:
    config = TrainingConfig(
        optimizer=AdamW(lr=5e-3),
        budget=Budget(epochs=None, max_steps=steps),
        selection=Selection(keep="last"),
        precision="float32",
        snapshot_every=2,
    )
    plan, soft = BatchPlan(batch_size=4, max_tokens=max_tokens), Targets(chances().numpy())
    dtype = next(model.parameters()).dtype
    soft = replace(soft, values=soft.values.astype(np.float64)) if dtype == torch.float64 else soft
    updates = LabelledUpdates([readings(LENGTHS)], Targets(TARGETS), plan, seed=0, soft=soft)
    train(guided, updates, config, **around)
    return model


def test_without_dropout_two_passes_say_the_same_and_nothing_is_added():
    model = tuner().train()
    ours, plain_losses = Guided(model, r_drop=RDrop(alpha=4.0))(batch()), model(batch())
    assert ours["r_drop"].item() == 0.0
    assert torch.equal(ours["loss"], plain_losses["loss"])
    assert_close(gradients(model, *ours.values()), gradients(model, model(batch())["loss"]), atol=1e-6, rtol=1e-5)


def test_r_drop_by_hand():
    model = tuner(dropout=0.3).train()
    seed_micro_batch(0, 0, 0)
    found = Guided(model, r_drop=RDrop(alpha=0.7))(batch())
    seed_micro_batch(0, 0, 0)
    one, other = (model.scores(batch().texts).softmax(-1) for _ in range(2))
    assert not torch.equal(one, other)
    truth = torch.from_numpy(TARGETS)
    assert_close(
        found["loss"],
        (F.nll_loss(one.log(), truth, reduction="sum") + F.nll_loss(other.log(), truth, reduction="sum")) / 2,
    )
    forth, back = (one * (one / other).log()).sum(), (other * (other / one).log()).sum()
    assert_close(found["r_drop"], 0.7 / 2 * (forth + back) / 2)


def test_every_sample_of_the_head_is_guided():
    """The head alone drops, so that the mean over samples is the mean over as many single passes."""
    head = {"kind": "multi_sample", "samples": 3, "of": {"kind": "linear", "dropout": 0.5}}
    model = tuner(head=head, dropout=0.0).train()
    seed_micro_batch(0, 0, 0)
    found = Guided(model, r_drop=RDrop(alpha=2.0), distill=TEACHER)(batch(chances()))
    seed_micro_batch(0, 0, 0)
    drawn = [model.scores(batch().texts) for _ in range(6)]
    own = torch.stack([model.criterion.loss(scores, torch.from_numpy(TARGETS), None).sum for scores in drawn])
    taught = [model.criterion.distance(scores, chances(), TEACHER.temperature).sum() for scores in drawn]
    between = [model.criterion.divergence(drawn[place], drawn[place + 3]).sum() for place in range(3)]
    assert_close(found["loss"], 0.75 * own.mean())
    assert_close(found["teacher"], 0.25 * torch.stack(taught).mean())
    assert_close(found["r_drop"], torch.stack(between).mean())
    assert len({round(value, 4) for value in own.tolist()}) == 6


def test_a_teacher_by_hand():
    model = tuner().eval()
    guided = Guided(model, distill=TEACHER)
    found = guided(batch(chances()))
    soft, scores = (chances().log() / 2).softmax(-1), model.scores(batch().texts)
    assert_close(
        found["teacher"], 0.25 * 4 * (soft * (soft / (scores / 2).softmax(-1)).log()).sum(), atol=1e-5, rtol=1e-4
    )
    assert_close(found["loss"], 0.75 * model(batch())["loss"])
    assert guided.loss_names == ("loss", "teacher")
    assert {name: weight.item() for name, weight in guided.loss_weights(batch()).items()} == {
        "loss": 8.0,
        "teacher": 8.0,
    }


def test_ones_own_teacher_has_nothing_to_teach():
    model = tuner().double().eval()
    with torch.no_grad():
        soft = model.scores(batch().texts).softmax(-1)
    found = gradients(model, Guided(model, distill=TEACHER)(batch(soft))["teacher"])
    assert max(gradient.abs().max().item() for gradient in found.values()) < 1e-10


def test_classes_weigh_in_the_own_loss_only():
    model = tuner(criterion={"class_weights": [1.0, 2.0, 4.0]})
    weights = Guided(model, r_drop=RDrop(), distill=TEACHER).loss_weights(batch())
    assert {name: weight.item() for name, weight in weights.items()} == {"loss": 17.0, "r_drop": 8.0, "teacher": 8.0}


@pytest.mark.parametrize("r_drop", [None, RDrop()])
def test_updates_in_parts_equal_updates_in_one(r_drop):
    made = [tuner().double() for _ in range(2)]
    for model, max_tokens in zip(made, (1000, 12), strict=True):
        trained(model, Guided(model, r_drop=r_drop, distill=TEACHER), max_tokens=max_tokens)
    assert_close(made[0].state_dict(), made[1].state_dict(), atol=1e-9, rtol=1e-7)


def test_all_weight_on_the_teacher_its_answers_are_learned_and_not_the_labels():
    model = tuner(dropout=0.1)
    trained(model, Guided(model, distill=Distill(teacher="elsewhere", weight=1.0, temperature=1.0)), steps=150)
    found = predict(model, [readings(LENGTHS)], device=CPU).values
    np.testing.assert_allclose(found, chances().numpy(), atol=0.12)


@pytest.mark.parametrize("step", [1, 3, 4])
def test_killed_it_goes_on_to_the_same_bits(tmp_path: Path, step):
    def kill(event):
        if isinstance(event, Updated) and event.step == step:
            raise Killed

    def run(folder: Path, **more) -> FineTuner:
        model = tuner(dropout=0.2)
        guided = Guided(model, r_drop=RDrop(), distill=TEACHER)
        step = adversarial(plain(torch.float32, CPU), Fgm(), model.encoder.embeddings)
        return trained(model, guided, step=step, around=Surroundings(snapshots=Snapshots(folder), **more))

    whole = run(tmp_path / "whole").state_dict()
    with pytest.raises(Killed):
        run(tmp_path / "broken", listeners=(kill,))
    again = run(tmp_path / "broken", resume=True).state_dict()
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_criteria_that_say_they_compare_do():
    for kind in get_args(get_args(AnyCriterion)[0]):
        criterion = kind().build(LabelFacts.of(("a", "b"), (1, 1)))
        with nullcontext() if isinstance(criterion, Comparable) else pytest.raises(ValueError, match="cannot compare"):
            require_comparable(kind())
