"""A run that is stopped, killed or damaged anywhere goes on to the same bits."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bertsmith.errors import Interrupted
from bertsmith.training import Evaluated, Noticed, Selection, Snapshots, Updated

from . import toy
from .toy import CONFIG, log_lines, toy_run

EVALUATED = CONFIG.but(selection=Selection(metric="loss", better="lower", every=3))


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def after(step: int, act):
    def listener(event):
        if isinstance(event, Updated) and event.step == step:
            act()

    return listener


def kill():
    raise Killed


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    weights, _ = toy_run(folder, config=EVALUATED)
    torch.save(weights, folder / "weights.pt")
    return folder


def require_same(folder: Path, weights, straight: Path) -> None:
    expected = torch.load(straight / "weights.pt", weights_only=True)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert log_lines(folder) == log_lines(straight)


@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("every", [1, 4])
def test_killed_after_any_update(tmp_path, straight, step, every):
    config = EVALUATED.but(snapshot_every=every)
    with pytest.raises(Killed):
        toy_run(tmp_path, config=config, listeners=[after(step, kill)])
    weights, result = toy_run(tmp_path, config=config, resume=True)
    require_same(tmp_path, weights, straight)
    assert result.steps == 10


def test_killed_again_and_again(tmp_path, straight):
    for step in (3, 4, 7, 9):
        with pytest.raises(Killed):
            toy_run(tmp_path, config=EVALUATED, resume=True, listeners=[after(step, kill)])
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True)
    require_same(tmp_path, weights, straight)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [2, 3, 10])
def test_signal_saves_after_the_update(tmp_path, straight, number, step):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"stopped after step {step} of 10; the state is saved"):
        toy_run(tmp_path, config=EVALUATED, listeners=[after(step, lambda: signal.raise_signal(number))])
    assert signal.getsignal(number) is before
    assert Snapshots(tmp_path / "checkpoints").steps()[-1] == step
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True)
    require_same(tmp_path, weights, straight)


def test_signal_interrupts_an_evaluation_which_is_then_made_again(tmp_path, straight, monkeypatch):
    real, calls = toy.evaluation, []

    def interrupted(model, updates):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return real(model, updates)

    monkeypatch.setattr(toy, "evaluation", interrupted)
    with pytest.raises(Interrupted):
        toy_run(tmp_path, config=EVALUATED)
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True)
    require_same(tmp_path, weights, straight)
    assert len(calls) == 5


def test_killed_after_a_repeated_evaluation_logs_it_once(tmp_path, straight):
    def kill_after_evaluation(event):
        if isinstance(event, Evaluated):
            raise Killed

    with pytest.raises(Interrupted):
        toy_run(tmp_path, config=EVALUATED, listeners=[after(3, lambda: signal.raise_signal(signal.SIGINT))])
    with pytest.raises(Killed):
        toy_run(tmp_path, config=EVALUATED, resume=True, listeners=[kill_after_evaluation])
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True)
    require_same(tmp_path, weights, straight)


def test_second_signal_does_not_wait(tmp_path):
    def impatient(event):
        if isinstance(event, Updated):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        toy_run(tmp_path, listeners=[impatient])


def test_finished_run_resumes_to_its_result(tmp_path, straight):
    shutil.copytree(straight, tmp_path / "run")
    weights, result = toy_run(tmp_path / "run", config=EVALUATED, resume=True)
    require_same(tmp_path / "run", weights, straight)
    assert result.best_step == 10


@pytest.mark.parametrize("damage", ["truncate", "garbage", "missing", "empty_header"])
def test_broken_snapshot_is_passed_over(tmp_path, straight, damage):
    with pytest.raises(Killed):
        toy_run(tmp_path, config=EVALUATED, listeners=[after(7, kill)])
    newest = tmp_path / "checkpoints" / "step-00000006"
    if damage == "truncate":
        content = (newest / "model.safetensors").read_bytes()
        (newest / "model.safetensors").write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        (newest / "progress.json").write_text('{"identity": ')
    elif damage == "missing":
        (newest / "optimizer.safetensors").unlink()
    else:
        (newest / "progress.json").write_text("{}")
    heard = []
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True, listeners=[heard.append])
    assert "step-00000006 cannot be read" in next(event.text for event in heard if isinstance(event, Noticed))
    require_same(tmp_path, weights, straight)


def test_resume_without_snapshots_starts_at_the_beginning(tmp_path, straight):
    heard = []
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True, listeners=[heard.append])
    assert Noticed("there is no snapshot to go on from; starting at the beginning") in heard
    require_same(tmp_path, weights, straight)


def test_new_run_forgets_old_snapshots(tmp_path):
    with pytest.raises(Killed):
        toy_run(tmp_path, listeners=[after(5, kill)])
    with pytest.raises(Killed):
        toy_run(tmp_path, listeners=[after(1, kill)])
    assert Snapshots(tmp_path / "checkpoints").steps() == []


def test_half_a_line_in_the_log_is_cut(tmp_path, straight):
    with pytest.raises(Killed):
        toy_run(tmp_path, config=EVALUATED, listeners=[after(5, kill)])
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "ep')
    weights, _ = toy_run(tmp_path, config=EVALUATED, resume=True)
    require_same(tmp_path, weights, straight)


def test_sigkill_in_another_process(tmp_path):
    script = str(Path(toy.__file__))
    broken = [str(tmp_path / "broken"), "0.1", "2", "3"]
    toy.main([str(tmp_path / "whole"), "0.1", "2", "3"])
    command = [sys.executable, script, *broken, "announce"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == 8:
                process.kill()
                break
            process.stdin.write("\n")
            process.stdin.flush()
    toy.main([*broken, "resume"])
    name = "weights.safetensors"
    assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert log_lines(tmp_path / "broken") == log_lines(tmp_path / "whole")
