"""`bertsmith contrast`: every method from a file to a folder, again and after a kill, alone and shared."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from ..tiny import KIND, SHAPE, WORDS, call, contents, environment
from .test_repeating import snapshots, started, wait_for_snapshot, weights

LEFT = {
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.txt", "recipe.yaml", "metrics.json", "log.jsonl", "report.html", "README.md", "modules.json"),
    *("sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json"),
}
FOUND = {"mrr", "recall@1", "recall@10", "hit@1", "hit@10", "ndcg@10"}


def sentences(number: int, seed: int) -> list[tuple[str, str]]:
    """Texts and whether they are kind."""
    random, made = Random(seed), []
    for place in range(number):
        kind = ("pos", "neg")[place % 2]
        made.append((" ".join(random.sample(WORDS, 5) + random.sample(KIND[kind], 2)), kind))
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Files of every kind, and a shape."""
    folder = tmp_path_factory.mktemp("contrast")
    (folder / "shape.json").write_text(json.dumps(SHAPE))
    texts = sentences(60, 0)
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text, _ in texts))
    lines = ["text,text_pair,label"]
    lines += [
        f"{one},{other},{(one_kind == other_kind) + place % 3}"
        for place, ((one, one_kind), (other, other_kind)) in enumerate(zip(texts, sentences(60, 1), strict=True))
    ]
    (folder / "scored.csv").write_text("\n".join(lines[:41]) + "\n")
    (folder / "dev.csv").write_text("\n".join([lines[0], *lines[41:]]) + "\n")
    named = [line.rpartition(",")[0] + f",{'same' if line[-1] == '1' else 'other'}" for line in lines[1:41]]
    (folder / "labelled.csv").write_text("\n".join([lines[0], *named]) + "\n")
    alike, unlike = sentences(40, 2), sentences(41, 3)[1:]
    triplets = [f"{a},{b},{c}" for (a, _), (b, _), (c, _) in zip(texts[:40], alike, unlike, strict=True)]
    (folder / "triplets.csv").write_text("\n".join(["anchor,positive,negative", *triplets]) + "\n")
    groups = [{"texts": [text, f"{text} indeed", f"so {text}"]} for text, _ in texts[:30]]
    (folder / "groups.jsonl").write_text("".join(json.dumps(group) + "\n" for group in groups))
    return folder


def command(data: Path, method: str, train: str, out: Path, *more: str | Path) -> list[str | Path]:
    start = () if "--model" in more or "--resume" in more else ("--encoder", data / "shape.json")
    exact = ("--set", "precision=float32", "--json", "--out", out)
    return ["contrast", "--method", method, "--train", data / train, *start, *exact, *more]


@pytest.mark.parametrize(
    ("method", "train", "figures"),
    [
        ("simcse", "texts.txt", set()),
        ("simcse-su", "scored.csv", set()),
        ("simcse-supervised", "triplets.csv", {"accuracy"}),
        ("simbert", "groups.jsonl", FOUND),
        ("cosent", "scored.csv", {"spearman", "pearson"}),
        ("sbert", "labelled.csv", set()),
        ("sbert-regression", "scored.csv", {"spearman", "pearson"}),
        ("triplet", "triplets.csv", {"accuracy"}),
        ("ranking", "groups.jsonl", FOUND),
    ],
)
def test_every_method_on_what_it_learns_from(data, tmp_path, capsys, method, train, figures):
    told = call(capsys, *command(data, method, train, tmp_path / "out", "--epochs", "1"))
    assert told.code == 0, told.err
    assert set(told.json.get("dev", {})) == figures
    assert told.json["method"] == method
    dense = (
        {"2_Dense/config.json", "2_Dense/model.safetensors"} if method in ("simcse-supervised", "simbert") else set()
    )
    left = set(contents(tmp_path / "out"))
    assert LEFT | dense <= left
    assert ("predictions_dev.jsonl" in left) == bool(figures)
    assert "checkpoints" not in {name.partition("/")[0] for name in left}
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["hidden_dropout_prob"] == 0.1, "dropout for training alone (simcse-su: 0.3) is not saved"
    if method == "simbert":
        kept = load_file(tmp_path / "out" / "model.safetensors")
        assert {"cls.predictions.bias", "bert.pooler.dense.weight"} <= set(kept)


def test_dev_and_test_of_their_own_and_what_is_said(data, tmp_path, capsys):
    more = ("--dev", data / "dev.csv", "--test", data / "dev.csv", "--exclude", data / "dev.csv", "--steps", "3")
    told = call(capsys, *command(data, "cosent", "scored.csv", tmp_path / "out", *more))
    assert told.code == 0, told.err
    assert set(told.json["dev"]) == set(told.json["test"]) == {"spearman", "pearson"}
    assert told.json["steps"] == 3
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions_test.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    assert set(rows[0]) == {"text", "text_pair", "label", "similarity"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Answers and truth (test)" in page
    assert "sentence-similarity" in (tmp_path / "out" / "README.md").read_text()


def test_excluded_texts_are_left_out_and_counted(data, tmp_path, capsys):
    (tmp_path / "few.txt").write_text((data / "texts.txt").read_text().partition("\n")[0].upper() + "\n")
    told = call(capsys, *command(data, "simcse", "texts.txt", tmp_path / "out", "--exclude", tmp_path / "few.txt"))
    assert told.json["items"] == 59
    assert any("they also stand in few.txt" in note and "1 texts" in note for note in told.json["notes"])
    everything = call(capsys, *command(data, "simcse", "texts.txt", tmp_path / "no", "--exclude", data / "texts.txt"))
    assert everything.code == 2
    assert "nothing is left to learn from" in everything.json["error"]["message"]
    assert not (tmp_path / "no").exists()


def test_a_sentence_encoder_is_gone_on_from(data, tmp_path, capsys):
    first = call(capsys, *command(data, "simcse-supervised", "triplets.csv", tmp_path / "one", "--epochs", "1"))
    assert first.code == 0, first.err
    more = ("--model", tmp_path / "one", "--epochs", "1", "--lr", "1e-9")
    told = call(capsys, *command(data, "cosent", "scored.csv", tmp_path / "two", *more))
    assert told.code == 0, told.err
    assert told.json["pooling"] == "cls"
    name = Path("2_Dense") / "model.safetensors"
    assert_close(load_file(tmp_path / "two" / name), load_file(tmp_path / "one" / name), atol=1e-6, rtol=0)
    taught = ("--teacher", tmp_path / "one", "--epochs", "1", "--dev", data / "dev.csv")
    told = call(capsys, *command(data, "distill", "texts.txt", tmp_path / "three", *taught))
    assert told.code == 0, told.err
    assert "spearman" in told.json["dev"]


@pytest.mark.parametrize(
    ("method", "train", "more", "code", "words"),
    [
        ("simcsee", "texts.txt", (), "bad_usage", "there are simcse, simcse-su"),
        ("cosent", "texts.txt", (), "wrong_items", "this holds single texts, but the method learns from pairs with a"),
        ("simcse", "texts.txt", ("--dropout", "0"), "no_dropout", "set --dropout 0.1"),
        ("simcse", "texts.txt", ("--dev", "texts.txt"), "wrong_items", "cannot be measured"),
        ("distill", "texts.txt", (), "bad_setting", "needs a teacher: give --teacher"),
        ("ranking", "scored.csv", (), "bad_setting", "data.positive_from=4"),
        ("cosent", "scored.csv", ("--set", "matryoshka=[4,99]"), "bad_setting", "vectors have 16"),
        ("cosent", "scored.csv", ("--set", "selection.metric=mrr"), "bad_setting", "gives pearson, spearman"),
        ("simbert", "groups.jsonl", ("--set", "features=mean"), "bad_setting", "would read the target"),
        ("ranking", "triplets.csv", ("--set", "loss.kind=all_pairs"), "wrong_items", "items have 3 texts each"),
    ],
)
def test_what_does_not_fit_is_refused(data, tmp_path, capsys, method, train, more, code, words):
    told = call(
        capsys, *command(data, method, train, tmp_path / "out", *(data / x if x == "texts.txt" else x for x in more))
    )
    assert told.code == 2, told.err
    assert told.json["error"]["code"] == code
    assert words in told.json["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_dry_run_trains_nothing(data, tmp_path, capsys):
    told = call(capsys, *command(data, "simcse", "texts.txt", tmp_path / "out", "--dry-run"))
    assert told.code == 0, told.err
    assert told.json["items"] == 60
    assert told.json["recipe"]["loss"]["temperature"] == 0.05
    assert not (tmp_path / "out").exists()


SECOND = "then=[{method: simcse, batches: {batch_size: 8}, budget: {epochs: 4}}]"
TWO_STAGES = ("--set", SECOND, "--epochs", "2", "--batch-size", "8", "--set", "snapshot_every=8")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """SimBERT followed by SimCSE, undisturbed."""
    from bertsmith.cli import main

    out = tmp_path_factory.mktemp("whole") / "out"
    assert main([str(part) for part in command(data, "simbert", "groups.jsonl", out, *TWO_STAGES)]) == 0
    return out


def test_the_same_command_gives_the_same_bytes(data, whole, tmp_path, capsys):
    told = call(capsys, *command(data, "simbert", "groups.jsonl", tmp_path / "again", *TWO_STAGES))
    assert told.code == 0, told.err
    assert weights(tmp_path / "again") == weights(whole)
    one, two = (contents(folder) for folder in (whole, tmp_path / "again"))
    assert set(one) == set(two)
    assert [stage["method"] for stage in told.json["stages"]] == ["simbert"]
    timed = {"log.jsonl", "log_1.jsonl", "metrics.json", "report.html", "README.md"}
    assert {name for name in one if one[name] != two[name]} <= timed


def test_killed_in_the_second_stage_and_resumed(data, whole, tmp_path, capsys):
    out = tmp_path / "killed"
    process = started([str(part) for part in command(data, "simbert", "groups.jsonl", out, *TWO_STAGES)])
    wait_for_snapshot(process, out, 8, folder="checkpoints/stage-2")
    process.kill()
    process.communicate()
    assert not (out / "model.safetensors").exists()
    told = call(capsys, "contrast", "--out", out, "--resume", "--json")
    assert told.code == 0, told.err
    assert "going on after step" in told.err
    assert weights(out) == weights(whole)
    assert set(contents(out)) == set(contents(whole))
    again = call(capsys, "contrast", "--out", out, "--resume", "--json")
    assert "complete" in again.err
    assert again.json == json.loads((out / "metrics.json").read_text())


def test_the_recipe_of_a_run_repeats_it(whole, tmp_path, capsys):
    told = call(capsys, "contrast", "--recipe", whole / "recipe.yaml", "--out", tmp_path / "new", "--json")
    assert told.code == 0, told.err
    assert weights(tmp_path / "new") == weights(whole)
    assert (tmp_path / "new" / "recipe.yaml").read_bytes() == (whole / "recipe.yaml").read_bytes()


@pytest.mark.distributed
def test_two_processes_give_what_one_gives(data, tmp_path, capsys):
    steady = ("--set", "features=mean", "--set", "optimizer.eps=1e-3")
    more = ("--dev", data / "dev.csv", "--epochs", "2", "--batch-size", "16", "--dropout", "0", *steady)
    one = call(capsys, *command(data, "simcse-supervised", "triplets.csv", tmp_path / "one", *more))
    assert one.code == 0, one.err
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "bertsmith"]
    done = subprocess.run(
        [*torchrun, *map(str, command(data, "simcse-supervised", "triplets.csv", tmp_path / "two", *more))],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["dev"] == pytest.approx(one.json["dev"], abs=1e-6)
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    assert not snapshots(tmp_path / "two")
