"""Kinds of task from the command line: several labels, numbers, pairs without an order."""

import json
from pathlib import Path

import pytest

from ..tiny import Told, arguments, call, rows, write_table


def write(folder: Path, label, header: str = "text,label") -> None:
    """train, dev and test with labels made of the words of a text."""
    for seed, (name, number) in enumerate({"train": 48, "dev": 16, "test": 16}.items()):
        made = [(text, label(text.split())) for text, _ in rows(number, seed)]
        write_table(folder / f"{name}.csv", made, header)


def labels_of(words: list[str]) -> str:
    return "|".join(word for word in ("good", "bad", "film") if word in words)


def stars(words: list[str]) -> str:
    return str(100 + 10 * sum(word in words for word in ("good", "great", "fine", "lovely")))


def run(files: Path, capsys, task: str, *settings: str) -> Told:
    told = call(capsys, *arguments(files, *(f"--set={each}" for each in settings), task=task, epochs="6", lr="0.01"))
    assert told.code == 0, told.err
    return told


def used(files: Path, capsys, command: str, *more: str) -> Told:
    return call(capsys, command, "--model", files / "out", *more)


@pytest.mark.parametrize("threshold", ["tuned", "per_label", "0.3"])
def test_several_labels(threshold, files, capsys):
    write(files, labels_of)
    told = run(files, capsys, "multilabel", f"task.threshold={threshold}").json
    assert set(told["dev"]) == set(told["test"]) == {"micro_f1", "macro_f1"}
    assert told["labels"] == ["bad", "film", "good"]
    stored = [json.loads(line) for line in (files / "out" / "predictions_test.jsonl").read_text().splitlines()]
    assert all(set(line["label"]) <= set(told["labels"]) and 0 < line["confidence"] <= 1 for line in stored)
    measured = used(files, capsys, "evaluate", "--data", files / "test.csv", "--json").json
    assert measured["metrics"] == pytest.approx(told["test"], abs=1e-9)
    assert {row["label"]: row["support"] for row in measured["per_class"]}.keys() == set(told["labels"])
    cuts = {row["threshold"] for row in measured["per_class"]}
    assert (cuts == {0.3}) if threshold == "0.3" else (len(cuts) == 1 or threshold == "per_label")
    people = used(files, capsys, "evaluate", "--data", files / "test.csv")
    assert "given from" in people.out
    output = files / "answers.csv"
    assert used(files, capsys, "predict", "--input", files / "test.csv", "--output", output).code == 0
    given = used(files, capsys, "predict", "--input", files / "test.csv", "--json", "--probabilities").json
    assert [row["prediction"] for row in given["predictions"]] == [line["prediction"] for line in stored]
    assert {"probability_bad", "probability_film", "probability_good"} <= set(given["predictions"][0])
    page = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert "Micro F1" in page
    assert "Given from" in page


def test_answers_with_several_labels_are_read_again(files, capsys):
    write(files, labels_of)
    run(files, capsys, "multilabel")
    output = files / "answers.csv"
    used(files, capsys, "predict", "--input", files / "test.csv", "--output", output)
    again = used(files, capsys, "evaluate", "--data", output, "--columns", "label=prediction", "--json")
    assert again.code == 0, again.err
    assert again.json["metrics"]["micro_f1"] == 1.0


@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error", "huber"])
def test_numbers(criterion, files, capsys):
    write(files, stars)
    told = run(files, capsys, "regression", f"criterion.kind={criterion}").json
    assert set(told["test"]) == {"spearman", "pearson"}
    assert told["labels"] == []
    assert told["test"]["spearman"] > 0.5
    given = used(files, capsys, "predict", "--input", files / "test.csv", "--json").json["predictions"]
    assert all(80 < row["prediction"] < 150 for row in given)
    assert "confidence" not in given[0]
    measured = used(files, capsys, "evaluate", "--data", files / "test.csv", "--json").json
    assert measured["metrics"] == pytest.approx(told["test"], abs=1e-9)
    assert measured["mean_absolute_error"] < 10
    assert "mean_absolute_error" in used(files, capsys, "evaluate", "--data", files / "test.csv").out
    page = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert "Answers and truth" in page
    assert "Regressor.load" in (files / "out" / "README.md").read_text(encoding="utf-8")


def write_pairs(folder: Path, name: str, number: int, label) -> Path:
    made = rows(number, len(name))
    lines = [(a, b, label(a, b)) for (a, _), (b, _) in zip(made, reversed(made), strict=True)]
    return write_table(folder / f"{name}.csv", lines, header="text,text_pair,label")


def first_is_longer(a: str, b: str) -> str:
    return str(len(a) > len(b))


def difference(a: str, b: str) -> str:
    return str(len(a) - len(b))


def swapped(files: Path) -> Path:
    lines = [line.split(",") for line in (files / "test.csv").read_text().splitlines()[1:]]
    return write_table(files / "swapped.csv", [(b, a, c) for a, b, c in lines], header="text,text_pair,label")


@pytest.mark.parametrize(("task", "label"), [("pair", first_is_longer), ("regression", difference)])
@pytest.mark.parametrize("symmetric", [True, False])
def test_without_an_order_swapping_changes_nothing(task, label, symmetric, files, capsys):
    for name, number in {"train": 40, "dev": 12, "test": 14}.items():
        write_pairs(files, name, number, label)
    settings = [f"task.symmetric={symmetric}", *(["task.texts=pair"] if task == "regression" else [])]
    run(files, capsys, task, *settings)
    answer = "prediction" if task == "regression" else "confidence"
    one, two = (
        [row[answer] for row in used(files, capsys, "predict", "--input", path, "--json").json["predictions"]]
        for path in (files / "test.csv", swapped(files))
    )
    assert (one == pytest.approx(two, abs=2e-5)) is symmetric


# Checking and refusing.


@pytest.mark.parametrize(("task", "label"), [("multilabel", labels_of), ("regression", stars)])
def test_check_reads_labels_as_the_task_does(task, label, files, capsys):
    write(files, label)
    told = call(capsys, "check", f"--train={files / 'train.csv'}", "--task", task, "--json")
    assert told.code == 0, told.err
    codes = {finding["code"] for finding in told.json["findings"]}
    assert ("label_range" in codes) is (task == "regression")


def test_a_label_that_is_no_number(files, capsys):
    told = call(capsys, *arguments(files, task="regression"))
    assert told.code == 2
    assert told.json["error"]["code"] == "bad_score"


def test_a_criterion_of_another_task_is_refused(files, capsys):
    told = call(capsys, *arguments(files, "--set=criterion.kind=huber", task="classification"))
    assert told.code == 2
    assert "criterion huber does not fit task classification" in told.json["error"]["message"]


def test_one_text_has_no_order(files, capsys):
    told = call(capsys, *arguments(files, "--set=task.symmetric=true", task="regression"))
    assert told.code == 2
    assert "one text has no order" in told.json["error"]["message"]


def test_an_unseen_label_among_several_is_refused(files, capsys):
    write(files, labels_of)
    run(files, capsys, "multilabel")
    write_table(files / "new.csv", [("good film", "good|horse")])
    told = used(files, capsys, "evaluate", "--data", files / "new.csv", "--json")
    assert told.code == 2
    assert "label 'horse' is not one this model knows" in told.json["error"]["message"]
