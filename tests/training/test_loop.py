"""What a run computes: equal to a loop by hand, however an update is cut, whatever else happens around it."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.errors import UserError
from bertsmith.training import AdamW, Budget, Ended, Evaluated, Selection, Surroundings, Updated, train

from .toy import CONFIG, ToyModel, ToyUpdates, evaluation, log_lines, toy_run


def test_run_equals_a_loop_by_hand():
    config = CONFIG.but(
        optimizer=AdamW(lr=0.01, weight_decay=0.0, max_grad_norm=0.3),
        selection=Selection(keep="last"),
    )
    model, updates = ToyModel(dropout=0.0), ToyUpdates(parts=1)
    by_hand = ToyModel(dropout=0.0)
    optimizer = torch.optim.AdamW(by_hand.parameters(), lr=0.01, weight_decay=0.0)
    train(model, updates, config)
    for number in range(10):
        batch = updates.update(*divmod(number, 5), at_least=1)[0]()
        scores = by_hand.scores(batch.ids)
        loss = F.cross_entropy(scores, batch.targets, weight=by_hand.label_weights)
        weights = (batch.ids > 8).sum(1)
        loss = loss + 0.1 * (scores.square().mean(1) * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 0.3)
        optimizer.param_groups[0]["lr"] = 0.01 * (0.5 if number == 0 else (10 - number) / 9)
        optimizer.step()
    assert_close(dict(model.named_parameters()), dict(by_hand.named_parameters()), atol=1e-6, rtol=1e-5)


def test_cutting_an_update_into_micro_batches_changes_nothing(tmp_path):
    whole, _ = toy_run(tmp_path / "1", dropout=0.0, parts=1)
    for parts in (2, 3, 5):
        cut, _ = toy_run(tmp_path / str(parts), dropout=0.0, parts=parts)
        assert_close(cut, whole, atol=1e-5, rtol=1e-5)


def test_same_seed_same_bits_and_another_seed_others(tmp_path):
    one, _ = toy_run(tmp_path / "1")
    torch.manual_seed(99)
    two, _ = toy_run(tmp_path / "2")
    other, _ = toy_run(tmp_path / "3", config=CONFIG.but(seed=8))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_caller_keeps_generator_and_settings(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    toy_run(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_log_has_a_line_for_every_update_and_evaluation(tmp_path):
    toy_run(tmp_path)
    lines = log_lines(tmp_path)
    updates = [line for line in lines if "loss" in line]
    assert [line["step"] for line in updates] == list(range(1, 11))
    assert set(updates[0]) == {"step", "epoch", "loss", "losses", "lr", "grad_norm", "tokens"}
    assert updates[-1]["tokens"] == 2 * 22 * 5
    assert [line["step"] for line in lines if "evaluation" in line] == [5, 10]


def test_micro_batches_are_built_only_when_needed():
    updates = ToyUpdates(parts=2)
    train(ToyModel(), updates, CONFIG.but(budget=Budget(max_steps=3)))
    assert updates.built == 6


def test_steps_may_end_a_run_within_or_across_epochs(tmp_path):
    _, within = toy_run(tmp_path / "1", config=CONFIG.but(budget=Budget(max_steps=3)))
    _, across = toy_run(tmp_path / "2", config=CONFIG.but(budget=Budget(epochs=None, max_steps=13)))
    assert (within.steps, within.epochs) == (3, 0.6)
    assert (across.steps, across.epochs) == (13, 2.6)


def test_best_weights_are_kept():
    model, updates, seen = ToyModel(), ToyUpdates(), []
    values = iter([0.1, 0.9, 0.9, 0.3])

    def evaluate():
        assert not model.training
        seen.append(model.head.weight.detach().clone())
        return {"accuracy": next(values)}

    config = CONFIG.but(selection=Selection(every=3))
    result = train(model, updates, config, evaluate=evaluate)
    assert (result.best_step, result.best_metrics, result.last_metrics) == (6, {"accuracy": 0.9}, {"accuracy": 0.3})
    assert torch.equal(model.head.weight, seen[1])


def test_last_weights_are_kept_if_asked():
    model, updates, seen = ToyModel(), ToyUpdates(), []

    def evaluate():
        seen.append(model.head.weight.detach().clone())
        return {"accuracy": 1.0 / len(seen)}

    train(model, updates, CONFIG.but(selection=Selection(keep="last")), evaluate=evaluate)
    assert torch.equal(model.head.weight, seen[-1])


def test_patience_stops_a_run_that_no_longer_improves():
    values = iter([0.5, math.nan, 0.4, 0.6])
    config = CONFIG.but(selection=Selection(every=2, patience=2))
    result = train(ToyModel(), ToyUpdates(), config, evaluate=lambda: {"accuracy": next(values)})
    assert (result.steps, result.stopped_early, result.best_step) == (6, True, 2)


def test_lower_may_be_better():
    model, updates = ToyModel(), ToyUpdates()
    config = CONFIG.but(selection=Selection(metric="loss", better="lower", every=1))
    result = train(model, updates, config, evaluate=lambda: evaluation(model, updates))
    assert result.best_step == 10
    assert result.best_metrics["loss"] < 1.2


def test_a_metric_that_is_not_measured_is_named():
    with pytest.raises(UserError, match=r"'accuracy', but the evaluation gives f1, loss"):
        train(ToyModel(), ToyUpdates(), CONFIG, evaluate=lambda: {"loss": 1.0, "f1": 0.5})


def test_loss_that_is_not_finite_stops_the_run_and_leaves_finite_weights(tmp_path):
    model, updates, events = ToyModel(dropout=0.0), ToyUpdates(), []

    def break_data(event):
        events.append(event)
        if isinstance(event, Updated) and event.step == 3:
            model.label_weights.fill_(math.inf)

    with pytest.raises(UserError, match=r"update 4: the loss is (nan|inf).*optimizer\.lr") as caught:
        train(model, updates, CONFIG, around=Surroundings(listeners=[break_data]))
    assert caught.value.code == "not_finite"
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert events[-1] == Ended(None)


def test_listeners_hear_everything_in_order(tmp_path):
    events = []
    toy_run(tmp_path, listeners=[events.append])
    kinds = [type(event).__name__ for event in events]
    assert kinds == ["Started", *["Updated"] * 5, "Evaluated", *["Updated"] * 5, "Evaluated", "Ended"]
    assert events[1].losses.keys() == {"label", "evenness"}
    assert math.isclose(events[1].loss, sum(events[1].losses.values()))
    assert events[-1].result.steps == 10
    assert isinstance(events[6], Evaluated)


def test_weights_that_are_frozen_stay():
    model = ToyModel()
    model.embeddings.weight.requires_grad_(False)
    before = model.embeddings.weight.clone()
    train(model, ToyUpdates(), CONFIG)
    assert torch.equal(model.embeddings.weight, before)
    assert torch.equal(model.unused.weight, ToyModel().unused.weight)
