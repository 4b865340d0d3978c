"""What the command line promises: commands, options, help, light imports, one JSON object."""

import json
import re
import signal
import subprocess
import sys

import pytest

import bertsmith
from bertsmith.cli import doctor
from bertsmith.cli.app import app, run
from bertsmith.cli.output import print_error, print_json
from bertsmith.errors import Interrupted, UserError

from ..tiny import arguments, call, spawn

COMMON = {"--json", "--seed", "--device", "--set", "--recipe", "--encoding"}
TRAINS = {"--resume", "--overwrite"}
MANY = {
    *("--task", "--model", "--encoder", "--train", "--test", "--columns", "--processes", "--minutes", "--retry-failed"),
    *TRAINS,
}
OPTIONS = {
    "check": {"--train", "--dev", "--test", "--model", "--task", "--columns", "--max-length"},
    "convert": {"--from", "--out", "--config", "--part", "--trained-as"},
    "contrast": {
        *("--out", "--method", "--model", "--encoder", "--train", "--dev", "--test", "--exclude", "--columns"),
        *("--teacher", "--then", "--steps", "--epochs", "--batch-size", "--lr", "--max-length", "--dropout"),
        "--dry-run",
    }
    | TRAINS,
    "demo": {"--out", "--language"} | TRAINS,
    "doctor": set(),
    "evaluate": {"--model", "--data", "--task", "--columns"},
    "finetune": {
        *("--out", "--task", "--model", "--encoder", "--train", "--dev", "--test", "--columns", "--epochs"),
        *("--batch-size", "--lr", "--head-lr", "--max-length", "--truncation", "--dry-run"),
    }
    | TRAINS,
    "folds": {"--out", "--k"} | MANY,
    "index": {
        *("--out", "--model", "--input", "--kind", "--hybrid", "--columns", "--id", "--add", "--delete"),
        *("--delete-file", "--compact", "--verify"),
    }
    | TRAINS,
    "search": {"--index", "--input", "--top", "--hybrid", "--rerank", "--where", "--qrels", "--model", "--columns"},
    "mine pairs": {"--index", "--top", "--threshold", "--distinct", "--output"},
    "mine clusters": {"--index", "--threshold", "--kind", "--least", "--output"},
    "mine negatives": {
        "--index",
        "--input",
        "--output",
        "--negatives",
        "--columns",
        "--positive",
        "--rerank",
        "--model",
    },
    "ladder": {"--out", "--dev", "--rungs", "--seeds", "--in-domain", "--extra"} | MANY,
    "mask": {"--objective", "--model", "--variant", "--entities", "--similar", "--html"},
    "paraphrase": {"--model", "--n", "--input", "--output", "--columns", "--threshold", "--judge"},
    "pretrain": {
        *("--out", "--objective", "--corpus", "--model", "--encoder", "--steps", "--batch-size", "--max-length"),
        *("--lr", "--entities", "--similar", "--shards", "--processes", "--preset", "--exclude", "--epochs"),
        "--columns",
    }
    | TRAINS,
    "similar": {"--out", "--corpus", "--columns", "--top", "--min-count"},
    "tune": {"--out", "--dev", "--grid", "--search", "--tpe", "--seeds", "--prune"} | MANY,
    "vocabulary extend": {"--model", "--out", "--words", "--corpus", "--columns", "--size"},
    "vocabulary prune": {"--model", "--out", "--corpus", "--columns", "--min-count", "--size"},
    "predict": {
        *("--model", "--input", "--output", "--task", "--columns", "--probabilities", "--prompt", "--prompt-pair"),
    },
    "encode": {
        *("--model", "--input", "--output", "--pooling", "--normalize", "--whiten", "--whiten-on", "--dim"),
        *("--prompt", "--max-length", "--columns", "--lines", "--save"),
    },
    "sts": {
        *("--model", "--data", "--pooling", "--whiten", "--whiten-on", "--dim", "--prompt", "--prompt-pair"),
        *("--max-length", "--columns", "--report"),
    },
}
"""Frozen: a new setting goes into the recipe, where --set reaches it."""
HEAVY = ("torch", "transformers", "matplotlib", "pyarrow", "sklearn", "numpy", "huggingface_hub", "tokenizers")


@pytest.mark.parametrize("command", OPTIONS)
def test_help_shows_these_options_and_an_example(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = call(capsys, *command.split(), "--help")
    assert told.code == 0
    shown = re.findall(r"^│[ *]{1,5}(?:[A-Z-]+ )?(--[a-z][a-z-]*)", told.out, re.MULTILINE)
    assert set(shown) == OPTIONS[command] | COMMON
    assert len(shown) == len(set(shown))
    assert f"Example: bertsmith {command}" in " ".join(told.out.split())


def test_commands_are_those_that_exist(capsys):
    names = {name for name in app if not name.startswith("-")}
    assert names == {command.split()[0] for command in OPTIONS}
    told = call(capsys, "--help")
    assert told.code == 0
    assert "Exit codes: 0 done" in told.out


def test_imports_are_light():
    code = f"import sys, bertsmith, bertsmith.cli; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


UNNEEDED = ("torch._dynamo", "rjieba.rjieba", "matplotlib", "sklearn", "bertsmith.pretraining", "bertsmith.search")
"""Each costs a person who wants one answer a tenth of a second or more."""


def test_an_answer_waits_for_nothing_it_does_not_need(trained, files):
    (files / "new.jsonl").write_text('{"text": "今天天气怎么样"}\n', encoding="utf-8")
    words = ["predict", "--model", str(trained / "out"), "--input", str(files / "new.jsonl"), "--device", "cpu"]
    code = (
        f"import sys; from bertsmith.cli import main; main({words}); print([n for n in {UNNEEDED} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *answers, unneeded = done.stdout.splitlines()
    assert len(answers) == 1
    assert unneeded == "[]"


def test_version_from_the_module():
    told = spawn("--version")
    assert told.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", told.out)


def test_package_offers_what_it_lists():
    assert set(bertsmith.__all__) <= set(dir(bertsmith))
    for name in bertsmith.__all__:
        assert getattr(bertsmith, name).__name__ == name
    with pytest.raises(AttributeError, match="Clasifier"):
        bertsmith.Clasifier  # noqa: B018


def test_doctor(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "SPEED_SECONDS", 0.05)
    told = call(capsys, "doctor", "--json")
    assert told.code == 0
    assert set(told.json) == {"versions", "devices", "kernels", "speed"}
    assert told.json["versions"]["bertsmith"]
    assert told.json["devices"][0]["device"] == "cpu"
    assert all(rate > 0 for rate in told.json["speed"].values())
    paths = told.json["kernels"]["paths"]
    assert (paths["attention_inference"]["active"], paths["attention_training"]["active"]) == ("fused", "explicit")
    assert paths["precision"]["active"] == told.json["kernels"]["precision"]
    assert {"optimizer", "dropout", "tokenizer", "neighbours", "threads", "allocator"} <= set(paths)
    assert all(finding["active"] and finding["why"] for finding in paths.values())
    people = call(capsys, "doctor")
    assert people.code == 0
    assert "attention_training             explicit (products written out" in people.out
    assert "torch" in people.out


def test_check_of_good_data(trained, capsys):
    files = [f"--{name}={trained / name}.csv" for name in ("train", "dev", "test")]
    told = call(capsys, "check", *files, "--model", trained / "out", "--json")
    assert told.code == 0, told.err
    assert told.json["rows"] == {"train": 40, "dev": 12, "test": 14}
    assert all(finding["level"] != "error" for finding in told.json["findings"])
    assert told.json["lengths"]["train"]["texts"] == 40
    assert call(capsys, "check", *files).code == 0


def test_check_of_bad_data_tells_all_in_one_object(files, capsys):
    (files / "train.csv").write_text("text,label\nfine,pos\n  ,pos\nbad,neg\nbad,neg\n", encoding="utf-8")
    told = call(capsys, "check", f"--train={files / 'train.csv'}", f"--dev={files / 'no.csv'}", "--json")
    assert told.code == 2
    errors = [finding for finding in told.json["findings"] if finding["level"] == "error"]
    assert {"blank_text", "missing_file"} <= {finding["code"] for finding in errors}
    assert all({"level", "where", "what", "fix"} <= set(finding) for finding in told.json["findings"])
    assert told.err.count("error: ") == 1
    assert f"{len(errors)} findings are errors" in told.err


@pytest.mark.parametrize("language", ["zh", "en"])
def test_demo(language, tmp_path, capsys):
    quick = ["--set", "budget.max_steps=2", "--set", "vectors.budget.max_steps=2"]
    told = call(capsys, "demo", "--out", tmp_path / "demo", "--language", language, "--json", *quick)
    assert told.code == 0, told.err
    assert told.json["steps"] == 2
    assert told.json["train_texts"] > (1000 if language == "zh" else 200)
    assert 0 < told.json["naive_bayes_test_accuracy"] <= 1
    assert all(answer["prediction"] in told.json["labels"] for answer in told.json["answers"])
    assert {answer["question"] for answer in told.json["faq"]} == {answer["text"] for answer in told.json["answers"]}
    assert all(answer["nearest"] and answer["answer"] for answer in told.json["faq"])
    assert len(told.json["similar"]) <= 3
    assert (tmp_path / "demo" / "model" / "report.html").stat().st_size > 10_000
    again = call(capsys, "demo", "--out", tmp_path / "demo", "--language", language, "--resume", *quick)
    assert again.code == 0, again.err
    assert "accuracy on new questions" in again.out
    refused = call(capsys, "demo", "--out", tmp_path / "demo", "--json")
    assert refused.json["error"]["code"] == "out_not_empty"


def test_no_command_shows_the_help(capsys):
    told = call(capsys)
    assert told.code == 0
    assert "finetune" in told.out


# How a command can end.


def test_a_bug_of_ours_keeps_its_traceback():
    def broken() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        run(broken, ["--json"])


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted("stopped after step 3 of 9")])
def test_interrupted(stop, capsys):
    def stopped() -> None:
        raise stop

    assert run(stopped, []) == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.strip() == (str(stop) or "interrupted")


def test_sigterm_ends_a_command_as_ctrl_c_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert run(lambda: signal.raise_signal(signal.SIGTERM), ["--json"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "interrupted"
    assert told.err == "interrupted\n"


def test_helpers_under_torchrun_say_nothing_on_stdout(capsys, monkeypatch):
    def refused() -> None:
        raise UserError("no", code="x")

    monkeypatch.setenv("RANK", "1")
    assert run(refused, ["--json"]) == 2
    assert capsys.readouterr().out == ""


def test_reader_that_went_away_is_no_error(trained):
    command = f"{sys.executable} -m bertsmith predict --model out --input test.csv --output - | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=trained, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "rror" not in done.stderr


def test_json_knows_no_nan(capsys):
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (2, "字")}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": [2, "字"]}}


def test_error_says_the_same_twice(capsys):
    print_error(UserError("rule, fact, way out", code="some_code", where="train.csv:3"), as_json=True)
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "error": {"code": "some_code", "message": "rule, fact, way out", "where": "train.csv:3"}
    }
    assert told.err == "error: rule, fact, way out\n"


def test_equals_signs_and_words_both_give_values(files, capsys):
    words = arguments(files, epochs="1")
    signs = [
        "finetune",
        *(f"{name}={value}" for name, value in zip(words[1:-1:2], words[2::2], strict=False)),
        "--json",
    ]
    told = call(capsys, *signs)
    assert told.code == 0, told.err
    assert told.json["steps"] == 5
