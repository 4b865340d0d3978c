"""Several tasks from the command line: named options in, one folder out, each task answered and measured by name."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bertsmith.cli import main

from ..tiny import call, rows, write_files, write_table
from .test_tagging import made

FILES = ("train", "dev", "test")
LEFT = {
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.txt", "recipe.yaml", "metrics.json", "log.jsonl", "log_final_mood.jsonl", "report.html", "README.md"),
    *("final", *(f"predictions_{split}_{task}.jsonl" for split in ("dev", "test") for task in ("mood", "names"))),
}


def command(folder: Path, *more: str, out: Path | None = None) -> list[str]:
    """A classifier and a tagger at once."""
    named = [part for task in ("mood=classification", "names=tagging") for part in ("--task", task)]
    for name in FILES:
        named += [f"--{name}", f"mood={folder / name}.csv", f"--{name}", f"names={folder / name}.jsonl"]
    fixed = [
        "--encoder",
        str(folder / "shape.json"),
        "--epochs",
        "2",
        "--batch-size",
        "8",
        "--set",
        "precision=float32",
    ]
    return ["finetune", *named, *fixed, "--out", str(out or folder / "out"), "--json", *more]


def write_all(folder: Path) -> None:
    write_files(folder)
    for seed, name in enumerate(FILES):
        lines = "".join(json.dumps(row) + "\n" for row in made((24, 8, 8)[seed], seed))
        (folder / f"{name}.jsonl").write_text(lines)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    """The files and, in `out`, a model of both tasks. Not to be changed."""
    folder = tmp_path_factory.mktemp("tasks")
    write_all(folder)
    assert main(command(folder, "--set", "final.tasks=[mood]", "--set", "tasks.names.criterion.kind=crf")) == 0
    return folder


def test_what_a_run_leaves(tasks: Path, capsys):
    out = tasks / "out"
    assert {path.name for path in out.iterdir()} == LEFT
    told = json.loads((out / "metrics.json").read_text())
    assert told["out"] == str(out)
    assert told["dev"].keys() == told["test"].keys() == {"mood", "names"}
    assert set(told["test"]["names"]) == {"precision", "recall", "f1"}
    assert told["seed"] == 0
    lines = (out / "predictions_test_names.jsonl").read_text().splitlines()
    assert len(lines) == 8
    assert (out / "final" / "mood" / "metrics.json").exists()
    report = (out / "report.html").read_text()
    assert [name for name in ("task-mood", "task-names", "final", "learning") if f'id="{name}"' not in report] == []
    assert "CRF" not in report  # no trick of a task is told as one of all
    card = (out / "README.md").read_text()
    assert "## mood" in card
    assert f"bertsmith predict --model {out} --task mood" in card
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert all(set(line["losses"]) == {"mood", "names"} for line in log if "losses" in line)


def test_one_task_is_answered(tasks: Path, tmp_path: Path, capsys):
    given = ["--model", tasks / "out", "--input", tasks / "test.csv"]
    told = call(capsys, "predict", *given, "--task", "mood", "--output", tmp_path / "answers.csv", "--json")
    assert told.code == 0, told.err
    assert told.json["rows"] == 14
    assert (tmp_path / "answers.csv").read_text().startswith("text,label,prediction,confidence\n")


def test_all_tasks_are_answered_where_none_is_named(tasks: Path, capsys):
    told = call(capsys, "predict", "--model", tasks / "out", "--input", tasks / "test.csv", "--json")
    assert told.code == 0, told.err
    (first, *others), truth = told.json["predictions"], rows(14, 2)
    assert len(others) == 13
    assert first["text"] == truth[0][0]
    assert {"prediction_mood", "confidence_mood", "prediction_names", "entities_names"} <= set(first)
    alone = call(capsys, "predict", "--model", tasks / "out", "--task", "mood", "--input", tasks / "test.csv", "--json")
    assert [row["prediction"] for row in alone.json["predictions"]] == [
        row["prediction_mood"] for row in told.json["predictions"]
    ]
    assert set(told.json["truncated"]["tasks"]) == {"mood", "names"}


def test_one_task_is_measured(tasks: Path, capsys):
    given = ["--model", tasks / "out", "--data", tasks / "test.jsonl"]
    told = call(capsys, "evaluate", *given, "--task", "names", "--json")
    assert told.code == 0, told.err
    stored = json.loads((tasks / "out" / "metrics.json").read_text())
    assert told.json["metrics"] == pytest.approx(stored["test"]["names"])
    refused = call(capsys, "evaluate", *given, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "several_tasks")
    alone = call(
        capsys, "evaluate", "--model", tasks / "out" / "final" / "mood", "--data", tasks / "test.csv", "--json"
    )
    assert alone.json["metrics"] == pytest.approx(stored["final"]["mood"]["test"])


def test_the_recipe_it_wrote_makes_the_same_model(tasks: Path, tmp_path: Path, capsys):
    told = call(capsys, "finetune", "--recipe", tasks / "out" / "recipe.yaml", "--out", tmp_path / "again", "--json")
    assert told.code == 0, told.err
    for name in ("model.safetensors", "final/mood/model.safetensors", "predictions_test_names.jsonl", "recipe.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (tasks / "out" / name).read_bytes()


def test_a_complete_run_has_nothing_to_resume_and_other_settings_are_another_run(tasks: Path, tmp_path: Path, capsys):
    shutil.copytree(tasks / "out", tmp_path / "out")
    told = call(capsys, "finetune", "--out", tmp_path / "out", "--resume", "--json")
    assert told.json == json.loads((tasks / "out" / "metrics.json").read_text())
    told = call(capsys, "finetune", "--out", tmp_path / "out", "--resume", "--epochs", "5", "--json")
    assert told.json["error"]["code"] == "other_run"


def test_a_recipe_of_several_tasks_takes_files_by_name(tasks: Path, tmp_path: Path, capsys):
    (tmp_path / "run.yaml").write_text(
        "kind: multitask\ntasks:\n  mood: {task: classification}\n  same: {task: pair, weight: 0.5}\n"
    )
    write_table(
        tmp_path / "pairs.csv",
        [(a, b, label) for (a, label), (b, _) in zip(rows(20), rows(20, 5), strict=True)],
        "text,text_pair,label",
    )
    given = ["--recipe", tmp_path / "run.yaml", "--encoder", tasks / "shape.json", "--out", tmp_path / "out", "--json"]
    files = ["--train", f"mood={tasks / 'train.csv'}", "--train", f"same={tmp_path / 'pairs.csv'}"]
    told = call(capsys, "finetune", *given, *files, "--dry-run", "--max-length", "20", "--truncation", "tail")
    assert told.code == 0, told.err
    recipe = told.json["recipe"]["tasks"]
    assert {task["document"]["max_length"] for task in recipe.values()} == {20}
    assert {task["document"]["keep"] for task in recipe.values()} == {"tail"}
    assert told.json["rows"].keys() == {"mood train", "mood dev", "same train", "same dev"}
    told = call(capsys, "finetune", *given, *files, "--set", "budget.max_steps=1")
    assert told.code == 0, told.err
    mixed = call(capsys, "predict", "--model", tmp_path / "out", "--input", tmp_path / "pairs.csv", "--json")
    assert (mixed.code, mixed.json["error"]["code"]) == (2, "several_tasks")
    assert "tasks that read one text and tasks that read two" in mixed.json["error"]["message"]


REFUSED = {
    "unknown kind": (["--task", "a=poetry"], "--task poetry: no such kind of task; there are classification"),
    "no name": (["--task", "a=pair", "--task", "pair"], "--task pair: with several tasks every value is written name="),
    "named twice": (["--task", "a=pair", "--task", "a=pair"], "--task a=... stands there twice"),
    "file of no task": (["--task", "a=pair", "--train", "b=x.csv"], "there is no task 'b'; the tasks are a"),
    "no file": (["--task", "a=pair", "--task", "b=pair", "--train", "a=x.csv"], "no training data for the task b"),
    "bad name": (["--task", "a.b=pair", "--train", "a.b=x.csv"], "the settings do not fit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path, capsys):
    given, said = REFUSED[name]
    write_table(tmp_path / "x.csv", [("a", "b", "yes"), ("c", "d", "no")] * 9, "text,text_pair,label")
    given = [re.sub(r"x\.csv", str(tmp_path / "x.csv"), part) for part in given]
    told = call(capsys, "finetune", *given, "--encoder", "tiny", "--out", tmp_path / "out", "--json")
    assert told.code == 2, told
    assert said in told.json["error"]["message"]
