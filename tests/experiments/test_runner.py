"""Trials beside each other: outcomes in order, once each, whatever happens to one of them."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from bertsmith.errors import Interrupted, UserError
from bertsmith.experiments import Journal, Outcome, Said, Trial, TrialRunner
from bertsmith.experiments.said import read_said, write_said
from bertsmith.finetuning import ClassificationAnswers, Outputs
from bertsmith.recipes import make_splits

from .conftest import records
from .stub import DIES, FAILS, HANGS


def plain(outcomes):
    return [outcome.but(seconds=0.0) for outcome in outcomes]


def test_outcomes_come_in_the_order_of_the_trials(runner, trial):
    rates = [0.3, 0.9, 0.1, 0.5]
    outcomes = runner(processes=3).run([trial(rate) for rate in rates])
    assert [outcome.dev["accuracy"] for outcome in outcomes] == rates
    assert [one.progress for one in outcomes[0].course] == [0.25, 0.5, 0.75, 1]


def test_serial_and_parallel_agree(runner, trial, tmp_path):
    trials = [trial(rate, seed=seed) for rate in (0.2, 0.4) for seed in (0, 1)]
    one = runner().run(trials)
    (tmp_path / "out").rename(tmp_path / "serial")
    assert plain(runner(processes=4).run(trials)) == plain(one)


def test_equal_trials_run_once_whatever_they_are_called(runner, trial, starts):
    one, other = runner().run([trial(0.4), trial(0.4).but(name="again")])
    assert one == other
    assert len(starts()) == 1


def test_what_is_known_does_not_run_again(runner, trial, starts):
    first = runner().run([trial(0.4), trial(FAILS), trial(DIES)])
    said = []
    assert runner(say=said.append).run([trial(0.4), trial(FAILS), trial(DIES)]) == first
    assert len(starts()) == 3
    assert said == []
    runner(retry_failed=True).run([trial(0.4), trial(FAILS)])
    assert len(starts()) == 4


def test_a_model_that_is_gone_is_made_again(runner, trial, starts):
    runner().run([trial(0.4)])
    (outcome,) = runner().run([trial(0.4, keep=True)])
    assert (runner().place(outcome) / "model.safetensors").exists()
    assert len(starts()) == 2
    runner().run([trial(0.4), trial(0.4, keep=True)])
    assert len(starts()) == 2


def test_a_failure_is_an_outcome_and_the_others_go_on(runner, trial):
    failed, died, fine = runner(processes=2).run([trial(FAILS), trial(DIES), trial(0.5)])
    assert (failed.status, failed.code, failed.error) == ("failed", "not_finite", "the loss is not finite")
    assert (died.status, died.code) == ("failed", "died")
    assert died.error == "the process ended with exit code 7; its last words: no memory left"
    assert fine.status == "done"


def test_a_killed_process_is_a_failure(runner, trial, tmp_path):
    made = runner()
    place = made.place_of(trial(HANGS))

    def kill():
        while not (place / "course.jsonl").exists():
            time.sleep(0.01)
        os.kill(int((tmp_path / "out" / "starts.txt").read_text().split()[1]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    (outcome,) = made.run([trial(HANGS)])
    thread.join()
    assert outcome.error == "the process was killed by signal 9; the memory may have been too small"


def test_a_trial_is_given_up_and_judged_alike_when_it_was_faster_than_anybody_looked(runner, trial):
    def give_up(trial, course):
        return course[-1].metrics["accuracy"] < 0.2

    made = runner(processes=2)
    bad, good = made.run([trial(0.3), trial(0.9)], give_up=give_up)
    assert (bad.status, [one.progress for one in bad.course], bad.dev) == ("stopped", [0.25], {})
    assert good.status == "done"
    hanging = made.run([trial(HANGS)], give_up=lambda trial, course: True)[0]
    assert hanging.status == "stopped"
    assert made.run([trial(0.3)])[0] == bad


def test_the_last_evaluation_stops_nothing(runner, trial):
    (outcome,) = runner().run([trial(0.3)], give_up=lambda trial, course: course[-1].progress == 1)
    assert outcome.status == "done"


def test_interrupted_children_end_and_the_journal_stays(runner, trial, tmp_path, starts):
    made = runner(processes=2)
    place = made.place_of(trial(HANGS))

    def interrupt():
        while not (place / "course.jsonl").exists() or not (tmp_path / "out" / "trials.jsonl").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted, match="1 of 2 trials are done and kept, go on with --resume"):
        made.run([trial(0.5), trial(HANGS)])
    thread.join()
    for line in (tmp_path / "out" / "starts.txt").read_text().splitlines():
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.split()[1]), 0)
    assert [outcome.name for outcome in Journal(tmp_path / "out" / "trials.jsonl").outcomes().values()] == ["rate 0.5"]
    runner().run([trial(0.5)])
    assert len(starts()) == 2


def test_when_the_time_is_over_what_runs_is_stopped_and_what_waits_is_not_begun(runner, trial, starts):
    outcomes = runner(minutes=1.0 / 60).run([trial(HANGS), trial(0.5)])
    assert [outcome.status for outcome in outcomes] == ["unrun", "unrun"]
    assert len(starts()) == 1
    assert runner().run([trial(0.5)])[0].status == "done"


def test_no_trial_begins_that_will_not_end_in_time(runner, trial, starts):
    made = runner(minutes=0.45)
    outcomes = made.run([trial(0.5), trial(0.6), trial(0.7)])
    assert [outcome.status for outcome in outcomes] == ["done", "unrun", "unrun"]
    assert len(starts()) == 1


def test_the_key_tells_recipe_and_rows_and_nothing_else(runner, trial, recipe):
    made = runner()
    key = made.key(trial(0.5))
    assert key == made.key(trial(0.5, keep=True).but(name="other"))
    moved = recipe.but(optimizer=recipe.optimizer.but(lr=0.5), data=recipe.data.but(train="elsewhere.csv"))
    assert key == made.key(Trial(recipe=moved))
    assert len({key, made.key(trial(0.5, seed=1)), made.key(trial(0.6)), made.key(trial(0.5, test=True))}) == 4
    made.add("data", make_splits({"train": records(20), "dev": records(8, 3)}, recipe))
    assert key != made.key(trial(0.5))


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path):
    journal = Journal(tmp_path / "trials.jsonl")
    outcome = Outcome(
        key="a", name="first", splits="data", seed=0, status="done", metrics={"dev": {"f1": float("nan")}}
    )
    journal.add(outcome)
    with (tmp_path / "trials.jsonl").open("a") as file:
        file.write('{"key": "b", "na')
    assert list(journal.outcomes()) == ["a"]
    journal.add(outcome.but(key="c"))
    assert list(journal.outcomes()) == ["a", "c"]
    assert np.isnan(journal.outcomes()["c"].dev["f1"])


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "trials.jsonl").write_text("{}}\n")
    with pytest.raises(UserError, match=r"trials.jsonl:1: this line is not JSON"):
        Journal(tmp_path / "trials.jsonl").outcomes()


@pytest.mark.parametrize(
    "outputs",
    [
        Outputs(np.array([[0.25, 0.75], [1, 0]], dtype=np.float32)),
        Outputs(np.ones((3, 2), dtype=np.float32), np.array([1, 2]), np.array([0, 1, 1])),
    ],
)
def test_what_a_model_said_is_read_again(outputs, tmp_path):
    write_said(Said(ClassificationAnswers(labels=("no", "是")), outputs), tmp_path / "dev.safetensors")
    said = read_said(tmp_path / "dev.safetensors")
    assert said.answers == ClassificationAnswers(labels=("no", "是"))
    np.testing.assert_equal(
        [said.outputs.values, said.outputs.counts, said.outputs.best], [outputs.values, outputs.counts, outputs.best]
    )


def test_a_runner_without_trials_starts_nothing(tmp_path):
    assert TrialRunner(tmp_path).run([]) == []
