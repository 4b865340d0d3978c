"""Tagging from the command line: CoNLL and spans in, a measured tagger out, answers in the format that came."""

import json
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from bertsmith import Tagger
from bertsmith.data import read_tagged
from bertsmith.recipes import load_bundle
from bertsmith.text.tags import SCHEMES, Span

from ..tiny import Told, arguments, call
from .test_repeating import started, wait_for_snapshot, weights

NAMES = {"PER": ["anna", "bert", "clara lee"], "LOC": ["rome", "new york"]}
WORDS = ["film", "was", "a", "story", "about", "old", "town", "people"]
TRAINED = {"epochs": "10", "lr": "0.01", "batch_size": "8"}
SPANS = ("train", "dev", "test")


def made(number: int, seed: int) -> list[dict]:
    """Texts with one or two names among other words."""
    random = Random(seed)
    rows = []
    for _ in range(number):
        text, spans = "", []
        for _ in range(random.randint(3, 7)):
            kind = random.choice([None, None, "PER", "LOC"])
            word = random.choice(WORDS if kind is None else NAMES[kind])
            text += " " if text else ""
            if kind:
                spans.append([len(text), len(text) + len(word), kind])
            text += word
        rows.append({"text": text, "spans": spans})
    return rows


def write_spans(folder: Path, rows: dict[str, list[dict]] | None = None) -> dict[str, Path]:
    paths = {}
    for seed, (name, number) in enumerate({"train": 48, "dev": 16, "test": 16}.items()):
        paths[name] = folder / f"{name}.jsonl"
        lines = rows[name] if rows else made(number, seed)
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in lines))
    return paths


def write_conll(folder: Path, scheme: str) -> dict[str, Path]:
    paths = {}
    for seed, (name, number) in enumerate({"train": 48, "dev": 16, "test": 16}.items()):
        paths[name] = folder / f"{name}.conll"
        content = ""
        for row in made(number, seed):
            tokens = row["text"].split()
            starts = [sum(len(word) + 1 for word in tokens[:place]) for place in range(len(tokens))]
            places = {start: place for place, start in enumerate(starts)}
            spans = [Span(places[s], places[s] + row["text"][s:e].count(" ") + 1, kind) for s, e, kind in row["spans"]]
            tags = SCHEMES[scheme].write(spans, len(tokens))
            content += "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True)) + "\n"
        paths[name].write_text(content)
    return paths


def run(files: Path, capsys, paths: dict[str, Path], *settings: str) -> dict:
    more = [part for each in settings for part in ("--set", each)]
    told = call(capsys, *arguments(files, *more, task="tagging", **TRAINED, **paths))
    assert told.code == 0, told.err
    return told.json


def used(files: Path, capsys, command: str, *more: str | Path) -> Told:
    return call(capsys, command, "--model", files / "out", *more)


@pytest.mark.parametrize(
    "settings",
    [(), ("criterion.kind=crf", "optimizer.rates={'criterion.*': 0.05}"), ("criterion.kind=crf", "head.kind=bilstm")],
    ids=["linear", "crf", "bilstm-crf"],
)
def test_spans(settings, files, capsys):
    paths = write_spans(files)
    told = run(files, capsys, paths, *settings)
    assert set(told["dev"]) == {"precision", "recall", "f1"}
    assert told["test"]["f1"] > 0.9
    assert told["labels"] == ["LOC", "PER"]
    stored = [json.loads(line) for line in (files / "out" / "predictions_test.jsonl").read_text().splitlines()]
    for row in stored:
        assert all(
            row["text"][start:end] == text
            for (start, end, _), text in zip(row["prediction"], row["entities"], strict=True)
        )
        assert len(row["confidence"]) == len(row["prediction"])
        assert all(0 < sure <= 1 for sure in row["confidence"])
    measured = used(files, capsys, "evaluate", "--data", paths["test"], "--json").json
    assert measured["metrics"] == pytest.approx(told["test"], abs=1e-9)
    assert measured["intervals"]["f1"][0] <= measured["metrics"]["f1"] <= measured["intervals"]["f1"][1]
    assert [row["label"] for row in measured["per_class"]] == ["LOC", "PER"]
    people = used(files, capsys, "evaluate", "--data", paths["test"])
    assert "wrong spans" in people.out
    given = used(files, capsys, "predict", "--input", paths["test"], "--json").json["predictions"]
    assert [row["prediction"] for row in given] == [row["prediction"] for row in stored]
    page = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert "Type by type (test)" in page
    assert "token-classification" in (files / "out" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["BIO", "BMES"])
def test_conll_comes_back_as_conll(scheme, files, capsys):
    paths = write_conll(files, scheme)
    told = run(files, capsys, paths, "criterion.kind=crf", "optimizer.rates={'criterion.*': 0.05}")
    assert told["test"]["f1"] > 0.9
    output = files / "answers.conll"
    assert used(files, capsys, "predict", "--input", paths["test"], "--output", output).code == 0
    printed = used(files, capsys, "predict", "--input", paths["test"])
    assert printed.out == output.read_text()
    for mine, theirs in zip(read_tagged(output, broken="refused"), read_tagged(paths["test"]), strict=True):
        assert mine.row["tokens"] == theirs.row["tokens"]
    again = used(files, capsys, "evaluate", "--data", output, "--json").json
    assert again["metrics"]["f1"] == 1.0


def test_long_texts_lose_nothing(files, capsys):
    """Every text far longer than a window: as good as in one piece, in training and prediction."""
    rows = {}
    for seed, (name, number) in enumerate({"train": 8, "dev": 3, "test": 3}.items()):
        rows[name] = []
        for place in range(number):
            text, spans = "", []
            for part in made(6, 100 * seed + place):
                offset = len(text) + bool(text)
                text += (" " if text else "") + part["text"]
                spans += [[start + offset, end + offset, kind] for start, end, kind in part["spans"]]
            rows[name].append({"text": text, "spans": spans})
    paths = write_spans(files, rows)
    told = run(
        files,
        capsys,
        paths,
        "document.overlap=4",
        "document.max_length=12",
        "batches.batch_size=2",
        "budget.epochs=20",
        "criterion.kind=crf",
    )
    assert told["truncated"] == {"texts": 0, "tokens": 0, "splits": {n: {"texts": 0, "tokens": 0} for n in SPANS}}
    assert told["test"]["recall"] > 0.8


def test_transformers_loads_a_linear_tagger(files, capsys):
    paths = write_spans(files)
    run(files, capsys, paths)
    theirs = AutoModelForTokenClassification.from_pretrained(files / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(files / "out")
    text = made(1, 9)[0]["text"]
    with torch.no_grad():
        best = theirs(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1].argmax(-1)
    row = used(files, capsys, "predict", "--input", paths["test"], "--json", "--probabilities").json["predictions"][0]
    assert row["tag_probabilities"]
    bundle = load_bundle(files / "out")
    assert tuple(theirs.config.id2label[number] for number in range(theirs.num_labels)) == bundle.labels
    tags = Tagger.load(files / "out").predict([text.split()])[0]
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"][1:-1]
    firsts = [number for number, (start, _) in enumerate(offsets) if start == 0 or text[start - 1] == " "]
    assert [bundle.labels[best[number]] for number in firsts] == tags


def test_check_reads_spans_and_tags(files, capsys):
    paths = write_conll(files, "BIO")
    clean = call(capsys, "check", "--task", "tagging", "--train", paths["train"], "--json").json
    assert not [finding for finding in clean["findings"] if finding["level"] == "error"]
    assert "tags in BIO" in next(finding["what"] for finding in clean["findings"] if finding["code"] == "spans")
    paths["train"].write_text("a\tO\nb\tI-PER\n\nc\tB-LOC\n")
    told = call(capsys, "check", "--task", "tagging", "--train", paths["train"], "--json")
    assert told.code == 2
    found = {finding["code"]: finding for finding in json.loads(told.out.splitlines()[0])["findings"]}
    assert found["broken_tags"]["where"] == f"{paths['train']}:2"
    rows = files / "cut.jsonl"
    rows.write_text('{"text": "iphone seven", "spans": [[0, 3, "X"]]}\n{"text": "other", "spans": [[0, 5, "X"]]}\n')
    cut = call(capsys, "check", "--task", "tagging", "--train", rows, "--json").json
    assert "cut_words" in {finding["code"] for finding in cut["findings"]}


def test_refusals(files, capsys):
    paths = write_spans(files)
    paths["test"].write_text('{"text": "anna", "spans": [[0, 4, "NEW"]]}\n')
    told = call(capsys, *arguments(files, task="tagging", **paths))
    assert (told.code, told.json["error"]["code"]) == (2, "unseen_label")
    paths = write_spans(files)
    paths["train"].write_text('{"text": "anna was", "spans": [[0, 4, "A"], [2, 8, "B"]]}\n')
    told = call(capsys, *arguments(files, task="tagging", **paths))
    assert (told.code, told.json["error"]["where"]) == (2, f"{paths['train']}:1")
    paths["train"].write_text('{"text": "anna was", "spans": []}\n')
    told = call(capsys, *arguments(files, task="tagging", **paths))
    assert (told.code, told.json["error"]["code"]) == (2, "one_label")


def test_a_killed_run_ends_with_the_same_bytes(files, capsys, tmp_path):
    settings = ("criterion.kind=crf", "head.kind=bilstm", "snapshot_every=1", "start.dropout=0.1")
    paths = write_spans(files)
    run(files, capsys, paths, *settings)
    more = [part for each in settings for part in ("--set", each)]
    out = tmp_path / "killed"
    process = started(arguments(files, *more, task="tagging", **TRAINED, **paths, out=out))
    wait_for_snapshot(process, out, 7)
    process.kill()
    process.communicate()
    told = call(capsys, "finetune", "--out", out, "--resume", "--json")
    assert told.code == 0, told.err
    assert weights(out) == weights(files / "out")


@pytest.mark.parametrize("head", ["linear", "bilstm"])
def test_parts_of_an_update_give_the_same_gradient(head, files, capsys):
    """How many tokens are packed at once changes memory, not the loss: sums over units, divided once."""
    paths = write_spans(files)
    found = []
    for number, tokens in enumerate((10_000, 24)):
        settings = ("criterion.kind=crf", f"head.kind={head}", "head.dropout=0", "start.dropout=0")
        more = [part for each in (*settings, f"batches.max_tokens={tokens}") for part in ("--set", each)]
        out = files / f"out-{number}"
        told = call(capsys, *arguments(files, *more, task="tagging", epochs="1", batch_size="8", out=out, **paths))
        assert told.code == 0, told.err
        found.append(load_file(out / "model.safetensors"))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], atol=1e-4, rtol=0, msg=name)
