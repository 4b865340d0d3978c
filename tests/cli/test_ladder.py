"""`bertsmith ladder` end to end on a tiny encoder, and what it refuses."""

import json
from pathlib import Path

import pytest
import yaml

from bertsmith.cli import main

from ..experiments.inline import run_inline
from ..tiny import call

MEAN = {"name": "layers", "options": [{"name": "mean", "set": {"features.pooling": "mean"}}]}
ENTRY = {"name", "dev", "difference", "verdict", "minutes"}


def command(folder: Path, *more: str) -> list[str]:
    recipe = {
        "kind": "ladder",
        "start": {"encoder": str(folder / "shape.json")},
        "precision": "float32",
        "batches": {"batch_size": 8},
        "budget": {"epochs": 1},
        "ladder": {"rungs": [MEAN], "seeds": 2, "few_texts": None},
        "features": {"pooling": "cls"},
    }
    (folder / "ladder.yaml").write_text(yaml.safe_dump(recipe))
    files = [part for name in ("train", "test") for part in (f"--{name}", str(folder / f"{name}.csv"))]
    return ["ladder", "--recipe", str(folder / "ladder.yaml"), *files, "--out", str(folder / "out"), "--json", *more]


def test_the_whole_ladder(files, capsys, monkeypatch):
    run_inline(monkeypatch)
    told = call(capsys, *command(files, "--processes", "2"))
    assert told.code == 0, told.err
    assert "no --dev: 4 of 40 rows of train.csv were set aside" in told.err
    found, out = told.json, files / "out"
    assert found == json.loads((out / "ladder.json").read_text())
    baseline, layers = found["rungs"]
    assert baseline.keys() >= ENTRY
    assert layers.keys() >= ENTRY
    assert (baseline["name"], layers["name"], layers["option"]) == ("baseline", "layers", "mean")
    assert len(baseline["dev"]["runs"]) == len(layers["dev"]["runs"]) == 2
    assert layers["verdict"] in ("pays", "noise", "hurts")
    assert layers["difference"]["low"] <= layers["difference"]["mean"] <= layers["difference"]["high"]
    assert found["baseline_test"].keys() == found["final_test"].keys() >= {"accuracy", "macro_f1", "auc"}
    assert found["out"] == str(out)
    names = {path.name for path in out.iterdir()}
    assert {"ladder.json", "ladder.yaml", "recipe.yaml", "report.html", "trials.jsonl", "best"} <= names
    assert "splits" not in names
    page = (out / "report.html").read_text()
    assert all(words in page for words in ("Every option", "Rung by rung", "How to read this"))
    final = yaml.safe_load((out / "recipe.yaml").read_text())
    assert final["kind"] == "finetune"
    best = {path.name for path in (out / "best").iterdir()}
    assert {"model.safetensors", "recipe.yaml", "report.html", "README.md", "predictions_test.jsonl"} <= best
    used = call(capsys, "predict", "--model", out / "best", "--input", files / "test.csv", "--output", files / "p.csv")
    assert used.code == 0, used.err

    again = call(capsys, *command(files))
    assert (again.code, again.json) == (0, found)
    more = call(capsys, *command(files, "--minutes", "90"))
    assert more.code == 0, more.err
    assert {name: more.json[name] for name in ("rungs", "baseline_test")} == {
        name: found[name] for name in ("rungs", "baseline_test")
    }
    other = call(capsys, *command(files, "--set", "optimizer.lr=0.5"))
    assert (other.code, other.json["error"]["code"]) == (2, "other_run")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rungs", "layers,nothing"], "there is no rung 'nothing'"),
        (["--seeds", "1"], "ladder.seeds"),
        (["--set", "ladder.level=2"], "ladder.level"),
        (["--minutes", "0"], "minutes"),
        (["--processes", "0"], "processes"),
    ],
)
def test_what_is_refused(more, words, files, capsys):
    told = call(capsys, *command(files, *more))
    assert told.code == 2
    assert words in told.err
    assert not (files / "out").exists()


def test_a_folder_with_something_else_is_refused(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "notes.txt").write_text("mine")
    told = call(capsys, *command(files))
    assert (told.code, told.json["error"]["code"]) == (2, "out_not_empty")
    assert main(["ladder", "--help"]) == 0
