"""Searches on trials that cost nothing: the whole grid, TPE, seeds, failures, rules, going on."""

import json
import os
import signal
import threading
import time

import pytest

from bertsmith.errors import Interrupted, UserError
from bertsmith.experiments import TuneRecipe, tune, tune_recipe
from bertsmith.recipes import make_splits

from .conftest import records
from .stub import DIES, FAILS, HANGS


def asked(**tuning) -> TuneRecipe:
    return tune_recipe(given={"start": {"encoder": "tiny"}, "tune": tuning})


@pytest.fixture
def splits(recipe):
    return make_splits({"train": records(20), "dev": records(8, 1), "test": records(6, 2)}, recipe)


def told(tuned):
    return [(dict(one.settings), one.status, one.value) for one in tuned.tried]


def test_a_grid_tries_every_combination(runner, splits):
    tuned = tune(asked(grid={"lr": [0.2, 0.6], "epochs": [1, 2, 3]}), splits, runner(processes=2))
    assert [tuple(one.settings.values()) for one in tuned.tried] == [
        (0.2, 1),
        (0.2, 2),
        (0.2, 3),
        (0.6, 1),
        (0.6, 2),
        (0.6, 3),
    ]
    assert tuned.best.settings == {"optimizer.lr": 0.6, "budget.epochs": 1}
    assert tuned.best.value == 0.6
    assert dict(tuned.importance) == pytest.approx({"optimizer.lr": 1.0, "budget.epochs": 0.0})


def test_seeds_are_trained_apart_and_count_together(runner, splits):
    tuned = tune(asked(grid={"lr": [0.2, 0.6]}, seeds=3), splits, runner())
    assert tuned.best.values == (0.6, 0.601, 0.602)
    assert tuned.best.value == pytest.approx(0.601)
    assert tuned.best.spread == pytest.approx(0.001)
    assert tuned.best_outcome.seed == 2


def test_only_the_models_of_the_best_set_stay(runner, splits):
    made = runner()
    tuned = tune(asked(grid={"lr": [0.2, 0.6, 0.4]}, seeds=2), splits, made)
    kept = {path.parent.name for path in (made.folder / "trials").rglob("model.safetensors")}
    assert kept == {outcome.key for outcome in tuned.best.outcomes}
    assert len(list((made.folder / "trials").rglob("dev.safetensors"))) == 6


def test_what_fails_is_recorded_and_passed_over(runner, splits):
    tuned = tune(asked(grid={"lr": [FAILS, 0.4, DIES, -1.0]}), splits, runner())
    assert [one.status for one in tuned.tried] == ["failed", "done", "failed", "failed"]
    assert tuned.tried[0].why == "the loss is not finite"
    assert "optimizer" in tuned.tried[3].why
    assert tuned.best.value == 0.4
    assert tuned.counts() == {"done": 1, "stopped": 0, "failed": 3, "unrun": 0}


def test_if_all_fail_the_first_reason_is_told(runner, splits):
    with pytest.raises(UserError, match="none of 2 sets of values came to its end; the first failed so: the loss"):
        tune(asked(grid={"lr": [FAILS, DIES]}), splits, runner())


def test_a_field_that_does_not_exist_fails_every_set(runner, splits):
    with pytest.raises(UserError, match=r"optimizer\.rate: Extra inputs are not permitted"):
        tune(asked(grid={"optimizer.rate": [1, 2]}), splits, runner())


def test_tpe_is_the_same_with_one_process_and_with_several(runner, splits, tmp_path):
    recipe = asked(search={"lr": {"low": 0.01, "high": 0.9, "log": True}}, grid={"epochs": [1, 2]}, tpe=10, random=4)
    one = tune(recipe, splits, runner())
    (tmp_path / "out").rename(tmp_path / "serial")
    two = tune(recipe, splits, runner(processes=3))
    assert told(one) == told(two)
    assert len(one.tried) == 10
    assert len({tuple(each.settings.values()) for each in one.tried}) == 10


def test_tpe_finds_what_is_better(runner, splits):
    recipe = asked(search={"lr": {"low": 0.0, "high": 0.99}}, tpe=24, random=6, pruning=None)
    tuned = tune(recipe, splits, runner(processes=2))
    early = [one.value for one in tuned.tried[:6]]
    late = [one.value for one in tuned.tried[-8:]]
    assert sum(late) / len(late) > sum(early) / len(early) + 0.1


def test_tpe_ends_when_nothing_new_is_left(runner, splits):
    tuned = tune(asked(grid={"lr": [0.1, 0.2, 0.3]}, tpe=20, pruning=None), splits, runner())
    assert sorted(one.value for one in tuned.tried) == [0.1, 0.2, 0.3]


def test_bad_trials_are_given_up(runner, splits):
    rule = {"kind": "median", "after": 2, "begin": 0.2}
    grid = {"lr": [0.8, 0.9, 0.2, 0.95]}
    tuned = tune(asked(grid=grid, pruning=rule, round=2), splits, runner())
    assert [one.status for one in tuned.tried] == ["done", "done", "stopped", "done"]
    assert tuned.tried[2].value == pytest.approx(0.05)
    assert tuned.best.value == 0.95


def test_a_search_goes_on_where_it_was_interrupted(runner, splits, starts, tmp_path):
    recipe = asked(grid={"lr": [0.1, 0.5, HANGS, 0.3]})

    def interrupt():
        while len(starts()) < 3:
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted, match="2 of 4 trials are done"):
        tune(recipe, splits, runner())
    thread.join()
    lines = (tmp_path / "out" / "trials.jsonl").read_text().splitlines()
    assert [json.loads(line)["metrics"]["dev"]["accuracy"] for line in lines] == [0.1, 0.5]
    tuned = tune(asked(grid={"lr": [0.1, 0.5, 0.3]}), splits, runner())
    assert len(starts()) == 4
    assert tuned.best.value == 0.5
    model = runner().place(tuned.best_outcome) / "model.safetensors"
    assert model.exists()


def test_a_tpe_search_goes_on_and_can_be_made_longer(runner, splits, starts):
    def recipe(number):
        return asked(search={"lr": {"low": 0.1, "high": 0.9}}, tpe=number, random=3, pruning=None)

    short = tune(recipe(4), splits, runner())
    long = tune(recipe(8), splits, runner())
    assert told(long)[:4] == told(short)
    assert len(starts()) in (8, 9)


def test_when_the_time_is_over_the_best_so_far_is_told(runner, splits):
    tuned = tune(asked(grid={"lr": [0.3, 0.4, 0.5]}), splits, runner(minutes=0.45))
    assert tuned.counts() == {"done": 1, "stopped": 0, "failed": 0, "unrun": 2}
    assert tuned.best.value == 0.3


def test_no_time_for_a_single_set(runner, splits):
    with pytest.raises(UserError, match="the time was over before any set of values came to its end"):
        tune(asked(grid={"lr": [HANGS]}), splits, runner(minutes=1 / 60))


def test_a_lower_metric_can_be_the_better(runner, splits):
    recipe = tune_recipe(
        given={
            "start": {"encoder": "tiny"},
            "selection": {"better": "lower"},
            "tune": {"grid": {"lr": [0.5, 0.2, 0.4]}},
        }
    )
    assert tune(recipe, splits, runner()).best.value == 0.2
