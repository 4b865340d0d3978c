"""Long texts from the command line: chunks in training, prediction and the bundle; auto says what and why."""

import json
from random import Random

import pytest
import torch

from bertsmith.data import Record
from bertsmith.recipes import load_bundle

from ..tiny import arguments, call, rows, write_table


@pytest.fixture
def long_files(files):
    """Texts of one to six times the usual length."""
    for seed, (name, number) in enumerate({"train": 40, "dev": 12, "test": 12}.items()):
        made, random = rows(number * 6, seed), Random(seed)
        by_label = {label: [text for text, own in made if own == label] for label in ("pos", "neg")}
        lines = [
            (" ".join(random.sample(by_label[label], 1 + place % 6)), label)
            for place, label in enumerate(["pos", "neg"] * (number // 2))
        ]
        write_table(files / f"{name}.csv", lines)
    return files


def longer(files, limit: int) -> tuple[int, int]:
    lines = (files / "train.csv").read_text().splitlines()[1:]
    sizes = [len(line.split(",")[0].split()) + 2 for line in lines]
    return sum(size > limit for size in sizes), sum(max(size - limit, 0) for size in sizes)


@pytest.mark.parametrize("join", ["mean", "max", "attention"])
def test_chunks_lose_nothing_and_are_read_again_as_in_training(join, long_files, capsys):
    options = {"max_length": "12", "truncation": "chunks", "batch_size": "8"}
    told = call(capsys, *arguments(long_files, "--set", f"document.join={join}", **options))
    assert told.code == 0, told.err
    assert told.json["truncated"]["tokens"] == 0
    assert told.json["document"]["kind"] == "chunks"
    number, _ = longer(long_files, 12)
    assert f"train: {number} of 40 texts are read in chunks of up to 12 tokens" in told.err
    stored = [json.loads(line) for line in (long_files / "out" / "predictions_test.jsonl").read_text().splitlines()]
    command = ["predict", "--model", long_files / "out", "--input", long_files / "test.csv", "--json"]
    again = call(capsys, *command).json["predictions"]
    assert [row["confidence"] for row in again] == pytest.approx([row["confidence"] for row in stored], abs=2e-6)
    bundle = load_bundle(long_files / "out")
    texts = [Record(row["text"]) for row in stored]
    alone = [bundle.outputs(bundle.prepare([text]), device=torch.device("cpu")).values.max() for text in texts]
    assert alone == pytest.approx([row["confidence"] for row in stored], abs=1e-5)
    page = (long_files / "out" / "report.html").read_text(encoding="utf-8")
    assert f"joined by {join}; nothing is lost" in page
    assert "are read in parts" in page


def test_what_is_beyond_the_last_chunk_is_counted(long_files, capsys):
    limited = ["--set", "document.most_chunks=2"]
    told = call(capsys, *arguments(long_files, *limited, max_length="12", truncation="chunks", epochs="1"))
    assert told.code == 0, told.err
    number, tokens = longer(long_files, 22)
    assert told.json["truncated"]["texts"] == number
    assert told.json["truncated"]["tokens"] == tokens
    assert f"{number} have more than 2, {tokens:,} tokens are lost" in told.err


@pytest.mark.parametrize(
    ("limit", "kind", "keep"), [(512, "truncate", "head"), (30, "truncate", "head_tail"), (8, "chunks", None)]
)
def test_auto_chooses_and_says_why(limit, kind, keep, long_files, capsys):
    told = call(capsys, *arguments(long_files, max_length=str(min(limit, 512)), truncation="auto", epochs="1"))
    assert told.code == 0, told.err
    assert (told.json["document"]["kind"], told.json["document"].get("keep")) == (kind, keep)
    assert "training text" in told.json["document"]["why"]
    assert f"document auto: {keep or kind}: " in told.err
    page = (long_files / "out" / "report.html").read_text(encoding="utf-8")
    assert "How long texts are read was chosen by the training texts" in page
    stored = json.loads((long_files / "out" / "config.json").read_text())["bertsmith"]["task"]["document"]
    assert stored["kind"] == kind
    assert "kind: auto" in (long_files / "out" / "recipe.yaml").read_text()


def test_pairs_are_not_cut_into_chunks(files, capsys):
    told = call(capsys, *arguments(files, task="pair", truncation="chunks"))
    assert told.code == 2
    assert "document chunks does not fit task pair; choose truncate or auto" in told.json["error"]["message"]
