"""`tune` and `folds` from the command line: folders, tables, JSON, going on, refusals."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bertsmith.recipes import RECIPE, Ensemble, holding_folder, load_model

from ..experiments.inline import run_inline
from ..tiny import call, environment

GRID = ("--grid", "lr=1e-3,1e-2", "epochs=1,2")


def command(name, folder, *more, **options):
    chosen = {"encoder": folder / "shape.json", "train": folder / "train.csv", "test": folder / "test.csv"}
    chosen |= {"out": folder / "many"} | options
    given = [(f"--{option}", str(value)) for option, value in chosen.items() if value is not None]
    settings = ("--set", "precision=float32", "--set", "batches.batch_size=8", "--set", "budget.epochs=2")
    return [name, *(part for pair in given for part in pair), *settings, *more]


def tune(folder, *more, **options):
    return command("tune", folder, *more, **{"dev": folder / "dev.csv", **options})


@pytest.fixture
def inline(monkeypatch):
    run_inline(monkeypatch)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A search in real processes."""
    from ..tiny import write_files

    folder = tmp_path_factory.mktemp("tuned")
    write_files(folder)
    full = [sys.executable, "-m", "bertsmith", *map(str, tune(folder, *GRID, "--processes", "2", "--json"))]
    done = subprocess.run(full, capture_output=True, text=True, check=False, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return folder, json.loads(line), done.stderr


def test_what_a_search_tells(tuned):
    folder, told, said = tuned
    assert told["trials"] == 4
    assert told["out"] == str(folder / "many")
    assert set(told["best"]["set"]) == {"optimizer.lr", "budget.epochs"}
    assert told["best"]["value"] == told["dev"]["accuracy"] == max(row["value"] for row in told["table"])
    assert set(told["test"]) == {"accuracy", "macro_f1", "auc"}
    assert told["counts"] == {"done": 4, "stopped": 0, "failed": 0, "unrun": 0}
    assert "1/4 lr 0.001, epochs 1: started (1 of 4)" in said
    with (folder / "many" / "trials.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(row["optimizer.lr"], row["budget.epochs"]) for row in table] == [
        *(("0.001", "1"), ("0.001", "2"), ("0.01", "1"), ("0.01", "2"))
    ]
    assert json.loads((folder / "many" / "metrics.json").read_text())["best"] == told["best"]


def test_what_a_search_leaves(tuned, capsys):
    folder, told, _ = tuned
    out = folder / "many"
    assert {path.name for path in out.iterdir()} == {
        *("best", "metrics.json", "recipe.yaml", "report.html", "trials", "trials.csv", "trials.jsonl")
    }
    assert {"config.json", "model.safetensors", "recipe.yaml", "metrics.json", "log.jsonl", "README.md"} <= {
        path.name for path in (out / "best").iterdir()
    }
    used = call(capsys, "evaluate", "--model", out / "best", "--data", folder / "test.csv", "--json").json
    assert used["metrics"] == pytest.approx(told["test"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Which settings mattered" in page
    assert "<svg" in page
    lines = (out / "best" / "predictions_test.jsonl").read_text().splitlines()
    assert len(lines) == told_rows(folder)
    again = folder / "again"
    remade = call(capsys, "finetune", "--recipe", out / "best" / "recipe.yaml", "--out", again, "--json")
    assert remade.code == 0, remade.err
    assert (again / "model.safetensors").read_bytes() == (out / "best" / "model.safetensors").read_bytes()


def told_rows(folder):
    return len((folder / "test.csv").read_text().splitlines()) - 1


def test_a_complete_search_is_told_again_and_can_grow(tuned, capsys, inline, tmp_path):
    folder, told, _ = tuned
    out = folder / "many"
    again = call(capsys, "tune", "--out", out, "--resume", "--json")
    assert again.json == told
    assert "nothing to resume" in again.err
    wider = call(capsys, "tune", "--out", out, "--resume", "--grid", "lr=1e-3,1e-2", "epochs=1,2,3", "--json")
    assert wider.json["trials"] == 6
    assert "started (1 of 2)" in wider.err
    assert len((out / "trials.jsonl").read_text().splitlines()) == 6
    other = call(capsys, "tune", "--out", out, "--resume", "--set", "seed=5", "--json")
    assert other.code == 2
    assert other.json["error"]["code"] == "other_run"
    assert call(capsys, *tune(folder, *GRID)).code == 2


def test_seeds_make_an_ensemble(files, capsys, inline):
    told = call(capsys, *tune(files, "--grid", "lr=1e-2", "--seeds", "2", "--json"))
    assert told.code == 0, told.err
    assert len(told.json["table"][0]["values"]) == 2
    assert isinstance(load_model(files / "many" / "ensemble"), Ensemble)
    measured = call(capsys, "evaluate", "--model", files / "many" / "ensemble", "--data", files / "test.csv", "--json")
    assert measured.json["metrics"] == pytest.approx(told.json["ensemble"]["test"])
    people = call(capsys, "tune", "--out", files / "many", "--resume")
    assert "best of 1: dev accuracy" in people.out
    assert "test, all seeds together" in people.out


def test_tpe_and_a_rule_from_a_recipe(files, capsys, inline):
    recipe = files / "tune.yaml"
    recipe.write_text(
        "kind: tune\ntask: classification\n"
        "tune:\n  search: {lr: {low: 1.0e-4, high: 1.0e-2, log: true}}\n  tpe: 5\n  random: 3\n  round: 2\n"
        "  pruning: {kind: median, after: 2}\n"
    )
    told = call(capsys, *tune(files, "--recipe", recipe, "--json"))
    assert told.code == 0, told.err
    assert told.json["trials"] == 5
    assert sum(told.json["counts"].values()) == 5
    assert "parzen" in (files / "many" / "report.html").read_text().lower()


def test_failures_are_in_the_table(files, capsys, inline):
    told = call(capsys, *tune(files, "--grid", "max_length=16,100000", "--json"))
    assert told.code == 0, told.err
    assert told.json["counts"] == {"done": 1, "stopped": 0, "failed": 1, "unrun": 0}
    (failed,) = [row for row in told.json["table"] if row["status"] == "failed"]
    assert "this encoder has 512 positions" in failed["error"]
    assert any("1 of 2 sets failed" in note for note in told.json["notes"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "nothing to search"),
        (("--search", "lr=1e-5..1e-3"), "say how many trials to make with --tpe N"),
        (("--grid", "best"), "--grid takes FIELD=VALUE"),
        (("--grid", "lr=1", "--processes", "0"), "must be above 0"),
        (("--grid", "optimizer.rat=1,2"), "optimizer.rat: Extra inputs"),
    ],
)
def test_what_cannot_be_searched_is_refused(more, words, files, capsys, inline):
    told = call(capsys, *tune(files, *more, "--json"))
    assert told.code == 2
    assert words in told.json["error"]["message"]


def test_interrupted_and_resumed(files, capsys, monkeypatch):
    more = ("--grid", "lr=1e-3,1e-2", "--set", "snapshot_every=2", "--set", "budget.epochs=40")
    full = [sys.executable, "-m", "bertsmith", *map(str, tune(files, *more))]
    process = subprocess.Popen(full, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 200
    while not list((files / "many").glob("trials/*/checkpoints/step-*/progress.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    (work,) = {int(line) for line in children(process.pid)}
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "go on with --resume" in said
    with pytest.raises(ProcessLookupError):
        os.kill(work, 0)
    assert list((files / "many").glob("trials/*/checkpoints"))
    run_inline(monkeypatch)
    told = call(capsys, "tune", "--out", files / "many", "--resume", "--json")
    assert told.code == 0, told.err
    assert "going on after step" in told.err
    assert told.json["counts"]["done"] == 2


def children(parent):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_folds(files, capsys, inline):
    told = call(capsys, *command("folds", files, "--k", "3", "--json"))
    assert told.code == 0, told.err
    found = told.json
    assert [fold["fold"] for fold in found["folds"]] == [1, 2, 3]
    assert sum(fold["rows"] for fold in found["folds"]) == found["rows"] == 40
    assert set(found["mean"]) == set(found["std"]) == set(found["pooled"]) == {"accuracy", "macro_f1", "auc"}
    out = files / "many"
    lines = [json.loads(line) for line in (out / "predictions_folds.jsonl").read_text().splitlines()]
    with (files / "train.csv").open() as file:
        assert [line["text"] for line in lines] == [row["text"] for row in csv.DictReader(file)]
    right = [line["prediction"] == line["label"] for line in lines]
    assert sum(right) / len(right) == pytest.approx(found["pooled"]["accuracy"])
    measured = call(capsys, "evaluate", "--model", out, "--data", files / "test.csv", "--json").json
    assert measured["metrics"] == pytest.approx(found["test"])
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "members", "metrics.json", "predictions_folds.jsonl", "predictions_test.jsonl", "README.md"),
        *(RECIPE, "report.html", "trials", "trials.jsonl"),
    }
    assert "rows held out" in (out / "README.md").read_text()
    again = call(capsys, "folds", "--out", out, "--resume")
    assert "between folds" in again.out
    assert "nothing to resume" in again.err
    other = call(capsys, "folds", "--out", out, "--resume", "--k", "4", "--json")
    assert "k is 4 and was 3" in other.json["error"]["message"]


def test_folds_need_no_dev(files, capsys, inline):
    told = call(capsys, *command("folds", files, "--set", "data.dev=dev.csv", "--json"))
    assert told.code == 2
    assert "every row of train is held out once" in told.json["error"]["message"]
    assert call(capsys, *command("folds", files, "--json", train=None)).json["error"]["code"] == "bad_usage"


@pytest.mark.parametrize("name", ["tune", "folds", "ladder", "finetune"])
def test_a_folder_in_which_another_command_works_is_refused(name, files, capsys, inline):
    pytest.importorskip("fcntl")
    more = {"tune": ("--dev", files / "dev.csv", *GRID), "ladder": ("--dev", files / "dev.csv")}.get(name, ())
    kind = () if name in ("tune", "folds") else ("--task", "classification")
    with holding_folder(files / "many"):
        told = call(capsys, *command(name, files, *kind, *more, "--json"))
    assert (told.code, told.json["error"]["code"]) == (2, "run_busy")
    assert not (files / "many").exists()
