"""Ladders on runs that cost nothing: what is kept, what is left out and why, going on, time."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from bertsmith.errors import Interrupted, UserError
from bertsmith.experiments import Facts, LadderRecipe, Spread, TrialRunner, Workshop, climb, difference, ladder_recipe
from bertsmith.recipes import make_splits, multitask_recipe

from . import ladder_stub, pretrain_stub
from .conftest import records
from .ladder_stub import FAILS, SLOW, STUCK

MEAN = {"name": "mean", "set": {"features.pooling": "mean"}}
LAYERS = {"name": "layers", "options": [{"name": "max", "set": {"features.pooling": "max"}}, MEAN]}
DECAY = {"name": "decay", "options": [{"name": "0.5", "set": {"optimizer.layer_decay": 0.5}}]}
FURTHER = {"name": "within_task", "options": [{"name": "20 steps", "encoder": {"kind": "further", "steps": 20}}]}


def rates(**options) -> dict:
    return {
        "name": "rate",
        "options": [{"name": name, "set": {"optimizer.lr": rate}} for name, rate in options.items()],
    }


def asked(*rungs, **ladder) -> LadderRecipe:
    part = {"rungs": list(rungs), "few_texts": None, **ladder}
    return ladder_recipe(given={"start": {"model": "tiny"}, "optimizer": {"lr": 0.6}, "ladder": part})


@pytest.fixture
def climbing(tmp_path):
    """Climbs a ladder in one folder, with what was said."""
    out = tmp_path / "out"

    def run(recipe: LadderRecipe, *, train: int = 40, lengths=(20, 30), **settings):
        rows = {"train": records(train), "dev": records(400, 1), "test": records(6, 2)}
        splits = make_splits(rows, recipe.base)
        said: list[str] = []
        settings = {"processes": 4, **settings}
        program = (sys.executable, "-S", "-E", ladder_stub.__file__)
        runner = TrialRunner(out, program=program, say=said.append, **settings)
        program = (sys.executable, "-S", "-E", pretrain_stub.__file__)
        workshop = Workshop(out, splits, recipe.ladder, say=said.append, program=program)
        facts = Facts(np.array(lengths * 20), 64, 2)
        return climb(recipe, splits, runner, workshop, facts), runner, said

    return run


def verdicts(climbed):
    return {f"{one.rung} {one.option.name}": one.judged.verdict for one in climbed.tried}


def left_out(climbed):
    return {f"{one.rung} {one.option or ''}".strip(): one.why for one in climbed.skipped}


def test_what_pays_is_kept_and_built_on(climbing):
    climbed, runner, _ = climbing(asked(LAYERS, DECAY))
    assert verdicts(climbed) == {"layers max": "noise", "layers mean": "pays", "decay 0.5": "hurts"}
    assert [rung.kept for rung in climbed.rungs] == ["mean", None]
    assert climbed.final.recipe.features.pooling == "mean"
    assert climbed.final.recipe.optimizer.layer_decay == 1
    assert climbed.rungs[1].before.option.name == "mean"
    assert climbed.rungs[1].tried[0].recipe.features.pooling == "mean"
    kept = {path.parent.name for path in (runner.folder / "trials").rglob("model.safetensors")}
    assert kept == {outcome.key for one in (climbed.baseline, climbed.final) for outcome in one.outcomes}


def test_test_rows_are_not_stored(climbing):
    _, runner, _ = climbing(asked(DECAY))
    assert len(list((runner.folder / "splits").glob("*.jsonl"))) == 2


def test_a_difference_is_the_one_of_the_formula(climbing):
    climbed, _, _ = climbing(asked(DECAY, seeds=2))
    (one,) = climbed.tried
    spread = Spread.pooled([climbed.baseline.runs, one.runs])
    assert one.judged.found == difference(climbed.baseline.runs, one.runs, spread)
    assert one.runs.values == pytest.approx([outcome.dev["accuracy"] for outcome in one.outcomes])


def test_failing_and_stuck_runs_are_named(climbing):
    climbed, _, said = climbing(asked(rates(broken=FAILS, stuck=STUCK), DECAY))
    assert left_out(climbed) == {"rate broken": "failed: the loss is not finite"}
    (stuck,) = climbed.rungs[0].tried
    assert (stuck.stuck, stuck.words) == (3, "3 of 3 runs did not converge")
    assert any("3 of 3 runs did not converge" in line for line in said)
    assert climbed.rungs[1].tried[0].stuck == 0


def test_options_that_do_not_fit_are_left_out_with_a_reason(climbing):
    rung = {
        "name": "odd",
        "options": [
            {"name": "same", "set": {"features.pooling": "cls"}},
            {"name": "deep", "set": {"features.layers": {"kind": "concat", "numbers": "last_4"}}},
            {"name": "none", "set": {"features.pooling": "median"}},
            {"name": "tags", "set": {"criterion": {"kind": "crf"}}},
        ],
    }
    climbed, _, _ = climbing(asked("truncation", "in_domain", rung))
    whys = left_out(climbed)
    assert whys["truncation"] == "no training text is longer than 64 tokens"
    assert whys["in_domain"] == "no texts of the domain were given (--in-domain)"
    assert whys["odd same"] == "is what the recipe has already"
    assert "this encoder has 2" in whys["odd deep"]
    assert whys["odd none"].startswith("does not fit: ")
    assert "criterion crf does not fit task classification" in whys["odd tags"]
    assert climbed.final is climbed.baseline


def test_long_texts_are_tried_in_every_way(climbing):
    climbed, _, _ = climbing(asked("truncation", minutes=None, seeds=2), lengths=(20, 200))
    assert left_out(climbed) == {"truncation head": "is what the recipe has already"}
    assert [one.option.name for one in climbed.tried] == [
        *("tail", "head_tail", "chunks_mean", "chunks_max", "chunks_attention")
    ]


def test_further_pre_training_is_done_once_for_all_seeds(climbing):
    climbed, runner, _ = climbing(asked(FURTHER, few_texts={"shares": [0.5, 1.0], "updates": 2}))
    (one,) = climbed.tried
    assert one.judged.verdict == "pays"
    assert one.recipe.start.model == str(runner.folder / "encoders" / "tiny-task-20")
    assert one.seconds == 3 * 30 + 60
    (call,) = (runner.folder / "encoders" / "calls.txt").read_text().splitlines()
    assert '"--steps", "20"' in call
    assert "--exclude" in call
    assert "dev.jsonl" in call.partition("--exclude")[2]
    assert "test.jsonl" in call.partition("--exclude")[2]
    assert [(point.share, point.texts, point.further) for point in climbed.curve] == [
        *((0.5, 20, False), (0.5, 20, True), (1.0, 40, False), (1.0, 40, True))
    ]
    assert np.mean(climbed.curve[3].values) > np.mean(climbed.curve[2].values)


def test_encoders_cleared_away_are_made_again_only_if_needed(climbing):
    climbed, runner, _ = climbing(asked(FURTHER))
    calls = runner.folder / "encoders" / "calls.txt"
    Workshop(runner.folder, climbed.splits).clear([])
    assert [path.name for path in (runner.folder / "encoders" / "tiny-task-20").iterdir()] == ["metrics.json"]
    again, _, _ = climbing(asked(FURTHER))
    assert verdicts(again) == verdicts(climbed)
    assert len(calls.read_text().splitlines()) == 1
    climbing(asked(FURTHER, few_texts={"shares": [0.5], "updates": 2}))
    assert len(calls.read_text().splitlines()) == 2


def test_other_tasks_are_learned_first(climbing, tmp_path):
    seen = records(6, 2)[0].text
    (tmp_path / "stars.csv").write_text(f"text,label\ngood,5\nbad,1\n{seen},3\n")
    extra = {"stars": {"task": "regression", "train": str(tmp_path / "stars.csv")}}
    recipe = asked("multitask", extra=extra)
    assert recipe.ladder.extra["stars"].count() == 3
    climbed, runner, said = climbing(recipe)
    assert "stars: 1 of 3 rows left out: they stand in dev or test" in said
    place = runner.folder / "encoders"
    assert climbed.tried[0].recipe.start.model == str(place / "tiny-multitask")
    made = multitask_recipe(given={}, file=place / "tiny-multitask.yaml")
    assert list(made.tasks) == ["target", "stars"]
    assert made.tasks["target"].data.dev == str(place / "dev.jsonl")
    assert made.tasks["target"].data.test is None
    assert '"good"' in (place / "extra-stars.jsonl").read_text()
    assert made.selection.metric == "target.accuracy"
    assert made.optimizer == recipe.base.optimizer
    assert left_out(climbing(asked("multitask"))[0]) == {"multitask": "no other tasks were given (--extra)"}


def test_further_pre_training_that_fails_is_left_out(climbing):
    rung = {"name": "within_task", "options": [{"name": "13", "encoder": {"kind": "further", "steps": 13}}]}
    climbed, _, _ = climbing(asked(rung, DECAY))
    assert left_out(climbed) == {"within_task 13": "failed: the corpus is too small"}
    assert len(climbed.tried) == 1


def test_what_does_not_fit_into_the_time_is_left_out_before_it_begins(climbing):
    """A run takes 30 seconds, three go at a time: an option costs half a minute; the end takes 17 seconds."""
    climbed, _, said = climbing(asked(LAYERS, DECAY, minutes=2.0))
    assert left_out(climbed) == {"decay 0.5": "does not fit into the time: about 0.5 minutes"}
    assert any(line.startswith("plan: 2 options with 3 seeds each") for line in said)


def test_too_little_time_for_anything_is_said(climbing):
    climbed, _, _ = climbing(asked(DECAY, minutes=0.9))
    assert climbed.notes == ("no option fits into 0.9 minutes; raise --minutes, and the same command goes on",)
    assert (climbed.rungs, climbed.final) == ((), climbed.baseline)


def test_promising_options_come_first(climbing):
    first = {**LAYERS, "options": [{**option, "first": 2} for option in LAYERS["options"]]}
    climbed, _, _ = climbing(asked(first, DECAY, minutes=1.5))
    assert [one.option.name for one in climbed.tried] == ["0.5"]


def test_time_that_is_over_ends_the_ladder_not_the_result(climbing):
    """A few seconds are left after the baseline, an option takes half a minute; what is known already takes none."""
    climbing(asked(DECAY, minutes=None))
    climbed, _, _ = climbing(asked(LAYERS, DECAY, FURTHER, minutes=None), minutes=0.4)
    why = "the time that is left does not suffice"
    assert left_out(climbed) == {"layers max": why, "layers mean": why, "within_task 20 steps": why}
    assert [one.option.name for one in climbed.tried] == ["0.5"]
    assert climbed.final is climbed.baseline


def test_a_baseline_that_cannot_be_had_is_an_error(climbing):
    recipe = ladder_recipe(given={"start": {"model": "tiny"}, "optimizer": {"lr": FAILS}, "ladder": {"rungs": [DECAY]}})
    with pytest.raises(UserError, match="the baseline failed: the loss is not finite"):
        climbing(recipe)


def test_interrupted_and_gone_on_with(climbing, tmp_path):
    starts = tmp_path / "out" / "starts.txt"

    def interrupt():
        while not (starts.exists() and "rate slow" in starts.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted):
        climbing(asked(LAYERS, rates(slow=SLOW), minutes=None))
    begun = starts.read_text().splitlines()
    climbed, _, _ = climbing(asked(LAYERS, DECAY, minutes=None))
    assert verdicts(climbed) == {"layers max": "noise", "layers mean": "pays", "decay 0.5": "hurts"}
    new = starts.read_text().splitlines()[len(begun) :]
    assert sorted(new) == [f"decay 0.5, seed {seed}" for seed in range(3)]


def test_once_more_gives_the_same(climbing, tmp_path):
    recipe = asked(LAYERS, DECAY)
    first, _, _ = climbing(recipe)
    number = len((tmp_path / "out" / "starts.txt").read_text().splitlines())
    again, _, _ = climbing(recipe, processes=1)
    assert verdicts(again) == verdicts(first)
    assert [one.judged for one in again.tried] == [one.judged for one in first.tried]
    assert len((tmp_path / "out" / "starts.txt").read_text().splitlines()) == number
