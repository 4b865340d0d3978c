"""The same command gives the same bytes: run twice, killed and resumed, interrupted, rerun from its recipe, shared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from ..tiny import SHAPE, arguments, call, contents, environment, rows, spawn, write_table

SLOW = ("--set", "snapshot_every=5")
LEFT = {
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.txt", "recipe.yaml", "metrics.json", "log.jsonl", "predictions_dev.jsonl", "predictions_test.jsonl"),
    *("report.html", "README.md"),
}


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def snapshots(folder: Path, place: str = "checkpoints") -> list[Path]:
    return sorted((folder / place).glob("step-*/progress.json"))


def started(command: list[str]) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "bertsmith", *command], env=environment(), **pipes)


def wait_for_snapshot(process: "subprocess.Popen[str]", out: Path, number: int, *, folder: str = "checkpoints") -> None:
    """Until the run has saved this step, or a later one."""
    until = time.monotonic() + 90
    while not (saved := snapshots(out, folder)) or int(saved[-1].parent.name[5:]) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Path:
    """Files enough for 150 updates, with the weights of an undisturbed run in `whole`."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "shape.json").write_text(json.dumps(SHAPE))
    for name, number in {"train": 300, "dev": 20, "test": 20}.items():
        write_table(folder / f"{name}.csv", rows(number, len(name)))
    told = spawn(*command(folder, "whole"))
    assert told.code == 0, told.err
    return folder


def command(folder: Path, out: str | Path, *more: str) -> list[str]:
    return arguments(folder, *SLOW, *more, out=folder / out, batch_size="4")


def test_the_same_command_gives_the_same_bytes(long, tmp_path):
    told = spawn(*command(long, tmp_path / "again"))
    assert told.code == 0, told.err
    assert weights(tmp_path / "again") == weights(long / "whole")
    one, two = (contents(folder) for folder in (long / "whole", tmp_path / "again"))
    assert set(one) == set(two) == LEFT
    timed = {"log.jsonl", "metrics.json", "report.html", "README.md"}
    assert {name for name in one if one[name] != two[name]} <= timed


def test_killed_in_mid_epoch_and_resumed_from_the_folder_alone(long, tmp_path, capsys):
    out = tmp_path / "killed"
    process = started(command(long, out))
    wait_for_snapshot(process, out, 20)
    process.kill()
    process.communicate()
    assert not (out / "model.safetensors").exists()
    told = call(capsys, "finetune", "--out", out, "--resume", "--json")
    assert told.code == 0, told.err
    assert "going on after step" in told.err
    assert weights(out) == weights(long / "whole")
    assert set(contents(out)) == LEFT
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines() if '"loss"' in line]
    assert steps == list(range(1, 151))


def test_killed_before_the_first_snapshot_and_resumed(files, capsys, tmp_path):
    assert call(capsys, *arguments(files, out=files / "whole")).code == 0
    process = started(arguments(files))
    until = time.monotonic() + 60
    while not (files / "out" / "recipe.yaml").exists() and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    told = call(capsys, *arguments(files, "--resume"))
    assert told.code == 0, told.err
    assert weights(files / "out") == weights(files / "whole")
    assert set(contents(files / "out")) == LEFT


def test_a_signal_saves_and_the_same_command_goes_on(long, tmp_path, capsys):
    out = tmp_path / "stopped"
    process = started(command(long, out))
    wait_for_snapshot(process, out, 20)
    process.send_signal(signal.SIGTERM)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(told)["error"]["code"] == "interrupted"
    assert "Traceback" not in said
    assert "the state is saved, go on with --resume" in said
    assert call(capsys, *command(long, out, "--resume")).code == 0
    assert weights(out) == weights(long / "whole")


def test_a_complete_run_is_told_again(trained, capsys):
    before = contents(trained / "out")
    told = call(capsys, *arguments(trained, "--resume"))
    assert told.code == 0
    assert told.json == json.loads((trained / "out" / "metrics.json").read_text())
    assert "complete" in told.err
    assert contents(trained / "out") == before


def test_resuming_with_other_settings_is_refused(trained, capsys):
    before = contents(trained / "out")
    told = call(capsys, *arguments(trained, "--resume", lr="0.5"))
    assert told.code == 2
    assert told.json["error"]["code"] == "other_run"
    assert "optimizer.lr is 0.5 and was 0.001" in told.json["error"]["message"]
    assert contents(trained / "out") == before


def test_resuming_with_other_data_is_refused(files, capsys):
    process = started(arguments(files, "--set", "snapshot_every=1", epochs="200"))
    wait_for_snapshot(process, files / "out", 1)
    process.kill()
    process.communicate()
    write_table(files / "train.csv", rows(40, seed=99))
    before = contents(files / "out")
    del before[".lock"]  # left by the kill, held by nobody; whoever holds the folder next takes it along
    told = call(capsys, *arguments(files, "--set", "snapshot_every=1", "--resume", epochs="200"))
    assert told.code == 2
    assert told.json["error"]["code"] == "other_run"
    assert contents(files / "out") == before


def test_resuming_where_nothing_began_begins(files, capsys):
    told = call(capsys, *arguments(files, "--resume", epochs="1"))
    assert told.code == 0
    assert "there is no snapshot" in told.err


def test_the_recipe_of_a_run_repeats_it(trained, tmp_path, capsys):
    told = call(capsys, "finetune", "--recipe", trained / "out" / "recipe.yaml", "--out", tmp_path / "new", "--json")
    assert told.code == 0, told.err
    assert weights(tmp_path / "new") == weights(trained / "out")
    assert (tmp_path / "new" / "recipe.yaml").read_bytes() == (trained / "out" / "recipe.yaml").read_bytes()


def test_options_win_over_the_recipe(trained, tmp_path, capsys):
    recipe = str(trained / "out" / "recipe.yaml")
    told = call(
        capsys,
        *("finetune", "--recipe", recipe, "--out", tmp_path / "new", "--json", "--epochs", "1"),
        *("--model", trained / "out", "--seed", "7", "--set", "budget.epochs=2"),
    )
    assert told.code == 0, told.err
    assert told.json["seed"] == 7
    assert told.json["steps"] == 10
    assert "random weights, with a vocabulary" not in told.err


@pytest.mark.distributed
def test_two_processes_give_what_one_gives(files, capsys):
    exact = ("--set", "head.dropout=0", "--set", "start.dropout=0", "--set", "snapshot_every=4")
    one = call(capsys, *arguments(files, *exact, out=files / "one"))
    assert one.code == 0, one.err
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "bertsmith"]
    done = subprocess.run(
        [*torchrun, *arguments(files, *exact, out=files / "two")],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()
    two = json.loads(line)
    for name in ("dev", "test"):
        assert two[name] == pytest.approx(one.json[name], abs=1e-6)
    assert {name: two[name] for name in ("steps", "best_step", "labels", "truncated", "train_texts", "seed")} == {
        name: one.json[name] for name in ("steps", "best_step", "labels", "truncated", "train_texts", "seed")
    }
    ours, theirs = (load_file(files / name / "model.safetensors") for name in ("one", "two"))
    assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    assert set(contents(files / "two")) == LEFT
