"""`bertsmith pretrain` as a user meets it: every objective, from scratch and further, killed and resumed."""

import json
import subprocess
import sys
import time

import pytest
import torch
import yaml
from transformers import AutoModel, AutoModelForMaskedLM, ElectraForMaskedLM, ElectraForPreTraining

from bertsmith.pretraining import OBJECTIVES
from tests.tiny import call, environment
from tests.tiny import contents as contents_of_all

SENTENCES = [
    "我们昨天在北京吃了火锅，味道真的很好。",
    "今天的天气不错，适合出去走走！",
    "快递到了以后请给我打电话。",
    "这本书讲的是一个老人和大海的故事。",
    "PyTorch是一个深度学习框架，很多人都在用。",
    "你觉得这件衣服怎么样？",
    "他每天早上六点起床跑步。",
    "我想退掉上周买的电饭煲，因为它坏了。",
]
LEFT = {
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.txt", "recipe.yaml", "metrics.json", "log.jsonl", "report.html", "README.md"),
}


@pytest.fixture
def corpus(tmp_path):
    documents = ["\n".join(SENTENCES[(start + step) % 8] for step in range(3 + start % 3)) for start in range(60)]
    (tmp_path / "corpus.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    shape = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32}
    (tmp_path / "shape.json").write_text(json.dumps(shape))
    return tmp_path


def command(folder, objective, *more, start="--encoder", steps=3, out="out"):
    source = folder / "shape.json" if start == "--encoder" else start
    begin = ["--encoder", source] if start == "--encoder" else ["--model", source]
    sizes = ["--steps", steps, "--batch-size", 8, "--max-length", 32]
    given = ["--objective", objective, "--corpus", folder / "corpus.txt", *begin, *sizes, "--out", folder / out]
    free = ["--set", "objective.corrupt.replace.without_similar=random"] if objective == "macbert" else []
    aside = ["--set", "corpus.held_out_share=0.3", "--set", "start.vocabulary.size=300"]
    return ["pretrain", *map(str, given), *free, *aside, "--json", *more]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_from_random_weights(objective, corpus, capsys):
    told = call(capsys, *command(corpus, objective))
    assert told.code == 0, told.err
    summary = told.json
    assert {"out", "steps", "tokens", "loss", "losses", "seconds", "tokens_per_second"} <= summary.keys()
    assert summary["steps"] == 3
    assert summary["loss"]["heldout"] == pytest.approx(sum(summary["losses"].values()))
    assert set(contents(corpus / "out")) - {"generator"} == LEFT
    assert json.loads((corpus / "out" / "metrics.json").read_text()) == summary


def contents(folder):
    return [path.name for path in folder.iterdir()]


def test_transformers_reads_the_encoder_and_its_head(corpus, capsys):
    assert call(capsys, *command(corpus, "wwm")).code == 0
    model, report = AutoModelForMaskedLM.from_pretrained(corpus / "out", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert type(model).__name__ == "BertForMaskedLM"


def test_transformers_reads_both_halves_of_electra(corpus, capsys):
    assert call(capsys, *command(corpus, "electra")).code == 0
    for kind, folder in ((ElectraForPreTraining, "out"), (ElectraForMaskedLM, "out/generator")):
        _, report = kind.from_pretrained(corpus / folder, output_loading_info=True)
        assert not report["missing_keys"]
    halves = [AutoModel.from_pretrained(corpus / folder) for folder in ("out", "out/generator")]
    tables = [half.embeddings.word_embeddings.weight for half in halves]
    assert torch.equal(*tables)


def test_dropout_for_training_alone_is_not_saved(corpus, capsys):
    assert call(capsys, *command(corpus, "electra", "--set", "start.dropout=0")).code == 0
    for folder in ("out", "out/generator"):
        config = json.loads((corpus / folder / "config.json").read_text())
        assert (config["hidden_dropout_prob"], config["attention_probs_dropout_prob"]) == (0.1, 0.1)


def test_further_with_the_task_s_own_texts(corpus, capsys):
    assert call(capsys, *command(corpus, "roberta")).code == 0
    table = "\n".join(["text,label", *(f"{text},a" for text in SENTENCES * 4)])
    (corpus / "corpus.txt").rename(corpus / "raw.txt")
    (corpus / "task.csv").write_text(table + "\n", encoding="utf-8")
    given = command(corpus, "wwm", start=corpus / "out", out="further")
    given[given.index("--corpus") + 1] = str(corpus / "task.csv")
    told = call(capsys, *given)
    assert told.code == 0, told.err
    assert not any("is new" in note for note in told.json["notes"])
    missing = call(capsys, *command(corpus, "bert", start=corpus / "out", out="refused"))
    assert missing.code == 2
    assert "corpus.txt" in missing.err


def test_the_column_of_a_data_file_is_named_as_its_refusal_says(corpus, capsys):
    table = "".join(json.dumps({"sentence": text}) + "\n" for text in SENTENCES * 4)
    (corpus / "task.jsonl").write_text(table, encoding="utf-8")
    given = command(corpus, "roberta")
    given[given.index("--corpus") + 1] = str(corpus / "task.jsonl")
    refused = call(capsys, *given)
    assert "name it with --columns text=sentence" in refused.json["error"]["message"]
    told = call(capsys, *given, "--columns", "text=sentence")
    assert told.code == 0, told.err


def test_within_task_leaves_out_what_stands_in_dev_and_test(corpus, capsys):
    assert call(capsys, *command(corpus, "roberta")).code == 0
    for name, texts in (("train", SENTENCES), ("dev", SENTENCES[:2]), ("test", [SENTENCES[2], "别的文本"])):
        rows = "\n".join(f"{text},a" for text in texts)
        (corpus / f"{name}.csv").write_text(f"text,label\n{rows}\n", encoding="utf-8")
    line = ["pretrain", "--preset", "within-task", "--corpus", corpus / "train.csv", "--model", corpus / "out"]
    small = ["--max-length", 32, "--set", "corpus.held_out_share=0", "--out", corpus / "task", "--json"]
    aside = ["--exclude", corpus / "dev.csv", corpus / "test.csv"]
    told = call(capsys, *map(str, [*line, *aside, *small]))
    assert told.code == 0, told.err
    assert told.json["objective"] == "wwm"
    assert told.json["excluded"] == 3
    assert any("dev.csv, test.csv: 3 paragraphs" in note for note in told.json["notes"])
    recipe = yaml.safe_load((corpus / "task" / "recipe.yaml").read_text())
    assert recipe["budget"] == {"epochs": 20, "max_steps": 100_000}
    assert recipe["optimizer"]["lr"] == 5e-4, "the encoder is narrow; the paper's 5e-5 is for wide ones"
    assert (recipe["texts"]["batch_size"], recipe["texts"]["max_length"]) == (32, 32)
    assert told.json["steps"] == 20
    again = call(capsys, *map(str, [*line, *aside, *small, "--epochs", 2, "--overwrite"]))
    assert again.json["steps"] == 2


@pytest.mark.parametrize("preset", ["within-task", "nearby"])
def test_a_preset_goes_on_from_a_checkpoint(preset, corpus, capsys):
    told = call(capsys, *command(corpus, "wwm", "--preset", preset))
    assert told.code == 2
    assert ("--model" if preset == "within-task" else "cross-domain") in told.err


def test_the_objective_fits_the_checkpoint(corpus, capsys):
    assert call(capsys, *command(corpus, "electra")).code == 0
    line = ["pretrain", "--corpus", corpus / "corpus.txt", "--model", corpus / "out", "--out", corpus / "further"]
    told = call(capsys, *line, "--steps", "1", "--max-length", "32", "--json")
    assert told.code == 0, told.err
    assert told.json["objective"] == "electra"
    assert "objective: electra" in told.err


def test_a_new_head_is_said(corpus, capsys):
    assert call(capsys, *command(corpus, "roberta")).code == 0
    told = call(capsys, *command(corpus, "bert", start=corpus / "out", out="further"))
    assert told.code == 0, told.err
    assert any("relation" in note and "random weights" in note for note in told.json["notes"])


@pytest.mark.parametrize("objective", ["wwm", "electra"])
def test_killed_and_resumed_to_the_same_bytes(objective, corpus, capsys):
    given = command(corpus, objective, "--set", "snapshot_every=5", steps=40)
    assert call(capsys, *given).code == 0
    killed = command(corpus, objective, "--set", "snapshot_every=5", steps=40, out="killed")
    process = subprocess.Popen([sys.executable, "-m", "bertsmith", *killed], env=environment())
    until = time.monotonic() + 120
    while not (corpus / "killed" / "checkpoints" / "step-00000010").exists() and time.monotonic() < until:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (corpus / "killed" / "metrics.json").exists()
    told = call(capsys, "pretrain", "--out", corpus / "killed", "--resume", "--json")
    assert told.code == 0, told.err
    whole, resumed = ((corpus / name / "model.safetensors").read_bytes() for name in ("out", "killed"))
    assert resumed == whole
    assert told.json["steps"] == 40


@pytest.mark.slow
def test_workers_change_nothing(corpus, capsys):
    plain = call(capsys, *command(corpus, "unilm", steps=8))
    assert plain.code == 0, plain.err
    ahead = [*command(corpus, "unilm", "--set", "snapshot_every=4", steps=8, out="ahead"), "--set", "workers=1"]
    told = call(capsys, *ahead)
    assert told.code == 0, told.err
    assert told.json["losses"] == plain.json["losses"]
    one, other = ((corpus / name / "model.safetensors").read_bytes() for name in ("out", "ahead"))
    assert one == other


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "no text"), ("你好".encode("gb18030") * 400, "gb18030"), (b"a" * 3_000_000, "line")],
    ids=["empty", "another encoding", "one giant line"],
)
def test_a_broken_corpus_is_refused_before_anything_is_written(content, word, corpus, capsys):
    (corpus / "corpus.txt").write_bytes(content)
    told = call(capsys, *command(corpus, "wwm"))
    assert told.code == 2
    assert word in told.json["error"]["message"]
    assert not (corpus / "out").exists()


def test_macbert_wants_similar_words(corpus, capsys):
    given = [part for part in command(corpus, "macbert") if "without_similar" not in part]
    given.remove("--set")
    told = call(capsys, *given)
    assert told.code == 2
    assert "--similar" in told.json["error"]["message"]
    assert "`bertsmith similar`" in told.json["error"]["message"]
    assert not (corpus / "out").exists()


@pytest.mark.parametrize("objective", ["wwm", "bert"])
def test_with_nothing_held_out_the_losses_are_those_of_training(objective, corpus, capsys):
    told = call(capsys, *command(corpus, objective, "--set", "corpus.held_out_share=0"))
    assert told.code == 0, told.err
    assert told.json["loss"]["heldout"] is None
    assert len(told.json["losses"]) == (2 if objective == "bert" else 1)
    assert sum(told.json["losses"].values()) == pytest.approx(told.json["loss"]["last"])


def test_what_is_counted_is_in_log_and_report(corpus, capsys):
    told = call(capsys, *command(corpus, "electra", steps=12))
    assert told.code == 0, told.err
    lines = [json.loads(line) for line in (corpus / "out" / "log.jsonl").read_text().splitlines()]
    counted = [line for line in lines if "counted" in line]
    assert [(line["step"], line["updates"]) for line in counted] == [(10, 10), (12, 2)]
    assert {"generator_accuracy", "replaced_share"} <= counted[0]["counted"].keys()
    assert "Generator" in (corpus / "out" / "report.html").read_text()
    assert "degraded_share" not in told.json


def test_too_many_words_without_similar_ones_are_warned_of_once(corpus, capsys):
    told = call(capsys, *command(corpus, "macbert", steps=24))
    assert told.code == 0, told.err
    assert told.json["degraded_share"] == 1
    assert told.err.count("100% of the words that were to become similar") == 1
    assert "bertsmith similar" in (corpus / "out" / "report.html").read_text()


def test_no_corpus_is_said_in_the_words_of_the_command(corpus, capsys):
    told = call(capsys, "pretrain", "--objective", "wwm", "--encoder", "tiny", "--out", corpus / "out")
    assert told.code == 2
    assert "--corpus" in told.err


def test_an_unknown_objective_names_the_known(corpus, capsys):
    told = call(capsys, *command(corpus, "brt"))
    assert told.code == 2
    assert "spanbert" in told.err


def test_another_objective_in_its_place_leaves_no_old_generator(corpus, capsys):
    assert call(capsys, *command(corpus, "electra")).code == 0
    assert (corpus / "out" / "generator").is_dir()
    assert call(capsys, *command(corpus, "wwm", "--overwrite")).code == 0
    assert set(contents(corpus / "out")) == LEFT


@pytest.mark.parametrize(
    ("objective", "max_length", "code"), [("wwm", "3", "bad_setting"), ("bert", "32", "too_few_documents")]
)
def test_a_refusal_costs_nobody_an_old_model(objective, max_length, code, corpus, capsys):
    assert call(capsys, *command(corpus, "wwm")).code == 0
    before = contents_of_all(corpus / "out")
    (corpus / "corpus.txt").write_text("\n".join(SENTENCES * 40) + "\n", encoding="utf-8")
    given = command(corpus, objective, "--overwrite", "--set", "corpus.held_out_share=0")
    given[given.index("--max-length") + 1] = max_length
    told = call(capsys, *given)
    assert told.code == 2
    assert told.json["error"]["code"] == code
    assert contents_of_all(corpus / "out") == before


def test_one_document_is_refused_in_the_words_of_the_command(corpus, capsys):
    (corpus / "corpus.txt").write_text("\n".join(SENTENCES * 4) + "\n", encoding="utf-8")
    given = command(corpus, "bert", "--set", "corpus.held_out_share=0")
    refused = call(capsys, *given).json["error"]
    assert refused["where"] == "corpus.txt"
    assert "--set corpus.documents=line" in refused["message"]
    told = call(capsys, *given, "--set", "corpus.documents=line", "--overwrite")
    assert told.code == 0, told.err


def test_a_complete_run_is_told_again(corpus, capsys):
    first = call(capsys, *command(corpus, "wwm"))
    again = call(capsys, "pretrain", "--out", corpus / "out", "--resume", "--json")
    assert again.code == 0
    assert again.json == first.json
    assert "complete" in again.err


def test_token_vectors_of_random_weights(corpus, capsys):
    told = call(capsys, *command(corpus, "wwm", "--set", "token_vectors.least_count=2"))
    assert told.code == 0, told.err
    assert any("learned by word2vec" in note for note in told.json["notes"])
    again = call(capsys, *command(corpus, "wwm", "--set", "token_vectors.least_count=2", out="again"))
    assert again.code == 0
    assert (corpus / "out" / "model.safetensors").read_bytes() == (corpus / "again" / "model.safetensors").read_bytes()
    further = command(corpus, "wwm", "--set", "token_vectors.window=3", start=str(corpus / "out"), out="further")
    refused = call(capsys, *further)
    assert refused.code == 2
    assert "a checkpoint has learned its own" in refused.err
