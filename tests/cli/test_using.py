"""A trained folder in use: predictions, metrics, transformers; and what the options of training change."""

import csv
import io
import json
import re
import warnings

import numpy as np
import pytest
import torch

from bertsmith.batch import pack
from bertsmith.data import Record, read_records
from bertsmith.encoder import load_checkpoint
from bertsmith.recipes import load_bundle

from ..tiny import arguments, call, contents, rows, write_table

FIELDS = ("prediction", "confidence")


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def table(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What training leaves.


def test_folder_holds_what_the_contract_lists(trained):
    assert set(contents(trained / "out")) == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
        *("vocab.txt", "recipe.yaml", "metrics.json", "log.jsonl", "predictions_dev.jsonl", "predictions_test.jsonl"),
        *("report.html", "README.md"),
    }


def test_metrics_json_is_what_the_command_prints(files, capsys):
    told = call(capsys, *arguments(files, epochs="1"))
    assert told.code == 0, told.err
    assert told.json == json.loads((files / "out" / "metrics.json").read_text())
    assert {"out", "dev", "test", "labels", "train_texts", "truncated", "seconds", "tokens_per_second", "seed"} <= set(
        told.json
    )
    assert set(told.json["dev"]) == set(told.json["test"]) == {"accuracy", "macro_f1", "auc"}
    assert told.json["labels"] == ["neg", "pos"]
    assert told.json["train_texts"] == 40
    assert told.json["truncated"]["texts"] == told.json["truncated"]["tokens"] == 0


def test_people_get_words(files, capsys):
    command = [part for part in arguments(files, epochs="1") if part != "--json"]
    told = call(capsys, *command)
    assert re.search(r"^test +accuracy \d\.\d{4}  macro_f1", told.out, re.MULTILINE)
    assert str(files / "out") in told.out
    assert "training for 5 steps" in told.err


def test_log_has_every_step(trained):
    log = lines((trained / "out" / "log.jsonl").read_text())
    assert [line["step"] for line in log if "loss" in line] == list(range(1, 11))
    assert [line["step"] for line in log if "evaluation" in line] == [5, 10]


# Using it.


def test_csv_keeps_columns_and_order(trained, tmp_path, capsys):
    source = tmp_path / "new.csv"
    source.write_text('id,text,note\n7,"good, and fine","a ""quote"""\n3,bad,\n7,"two\nlines",x\n', encoding="utf-8")
    told = call(capsys, "predict", "--model", trained / "out", "--input", source, "--output", tmp_path / "out.csv")
    assert told.code == 0, told.err
    before, after = table(source), table(tmp_path / "out.csv")
    assert list(after[0]) == ["id", "text", "note", *FIELDS]
    assert [{name: row[name] for name in before[0]} for row in after] == before
    assert "3 rows answered" in told.err


@pytest.mark.parametrize("name", ["answers.csv", "answers.tsv", "answers.jsonl", "answers.jsonl.gz", "answers.parquet"])
def test_every_format_says_the_same(name, trained, tmp_path, capsys):
    output = tmp_path / name
    told = call(
        capsys, "predict", "--model", trained / "out", "--input", trained / "test.csv", "--output", output, "--json"
    )
    assert told.code == 0, told.err
    assert told.json == {"out": str(output), "rows": 14, "truncated": {"texts": 0, "tokens": 0}}
    expected = lines((trained / "out" / "predictions_test.jsonl").read_text())
    found = [record.row for record in read_records(output)]
    assert [row["prediction"] for row in found] == [line["prediction"] for line in expected]
    assert [float(row["confidence"]) for row in found] == pytest.approx(
        [line["confidence"] for line in expected], abs=2e-6
    )


def test_stdin_to_stdout(trained, capsys, monkeypatch):
    texts = [{"text": "good film", "n": 1}, {"text": "a bad town", "n": [2]}]
    stdin = io.TextIOWrapper(io.BytesIO("".join(json.dumps(text) + "\n" for text in texts).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    told = call(capsys, "predict", "--model", trained / "out", "--input", "-", "--output", "-")
    assert told.code == 0, told.err
    found = lines(told.out)
    assert [{"text": row["text"], "n": row["n"]} for row in found] == texts
    assert all(set(row) == {"text", "n", *FIELDS} for row in found)


def test_json_holds_all_answers_and_probabilities_on_request(trained, capsys):
    command = ["predict", "--model", trained / "out", "--input", trained / "test.csv", "--json"]
    plain, full = call(capsys, *command).json, call(capsys, *command, "--probabilities").json
    assert plain["rows"] == len(plain["predictions"]) == 14
    for row in full["predictions"]:
        chances = {label: row[f"probability_{label}"] for label in ("neg", "pos")}
        assert sum(chances.values()) == pytest.approx(1.0, abs=2e-6)
        assert chances[row["prediction"]] == row["confidence"] == max(chances.values())


def test_a_text_alone_is_answered_as_in_company(trained):
    bundle = load_bundle(trained / "out")
    told = [Record(text) for text, _ in rows(40, seed=5)]
    cpu = torch.device("cpu")
    together = bundle.outputs(bundle.prepare(told), device=cpu).values
    alone = [bundle.outputs(bundle.prepare([record]), device=cpu).values[0] for record in told]
    np.testing.assert_allclose(np.stack(alone), together, atol=1e-5)


def test_evaluation_agrees_with_training_and_with_the_predictions(trained, capsys):
    told = call(capsys, "evaluate", "--model", trained / "out", "--data", trained / "test.csv", "--json").json
    stored = json.loads((trained / "out" / "metrics.json").read_text())
    assert {"metrics", "intervals", "rows"} <= set(told)
    assert told["metrics"] == pytest.approx(stored["test"], abs=1e-6)
    assert told["rows"] == 14
    answers = lines((trained / "out" / "predictions_test.jsonl").read_text())
    right = sum(line["label"] == line["prediction"] for line in answers)
    assert told["metrics"]["accuracy"] == right / 14
    assert sum(map(sum, told["confusion"])) == 14
    assert sum(told["confusion"][place][place] for place in range(2)) == right
    for name, (low, high) in told["intervals"].items():
        assert low <= told["metrics"][name] <= high


def test_evaluation_for_people(trained, capsys):
    told = call(capsys, "evaluate", "--model", trained / "out", "--data", trained / "test.csv")
    assert "95 % interval" in told.out
    assert "confusion (rows: true" in told.out


def test_unseen_label_cannot_be_evaluated(trained, tmp_path, capsys):
    source = write_table(tmp_path / "odd.csv", [("fine", "pos"), ("fine", "sportz")])
    told = call(capsys, "evaluate", "--model", trained / "out", "--data", source, "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == "unseen_label"
    assert told.json["error"]["where"] == f"{source}:3"


# transformers.


def quiet_transformers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
    return transformers


def test_transformers_loads_the_encoder(trained):
    transformers = quiet_transformers()
    model = transformers.AutoModel.from_pretrained(trained / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(trained / "out")
    bundle = load_bundle(trained / "out")
    ours = load_checkpoint(trained / "out").encoder
    for text, _ in rows(3, seed=8):
        (reading,) = bundle.prepare([Record(text)]).readings
        (example,) = reading.sequences
        inputs = tokenizer(text, return_tensors="pt")
        assert inputs["input_ids"][0].tolist() == example.token_ids.tolist()
        with torch.no_grad():
            theirs = model(**inputs).last_hidden_state[0]
            torch.testing.assert_close(ours(pack([example])).last, theirs, atol=1e-5, rtol=1e-5)


def test_transformers_loads_the_classifier_on_the_pooler(files, capsys):
    transformers = quiet_transformers()
    told = call(capsys, *arguments(files, "--set", "features.pooling=pooler", "--set", "ngrams=null"))
    assert told.code == 0, told.err
    model = transformers.AutoModelForSequenceClassification.from_pretrained(files / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(files / "out")
    assert model.config.id2label == {0: "neg", 1: "pos"}
    bundle = load_bundle(files / "out")
    texts = [text for text, _ in rows(6, seed=9)]
    ours = bundle.outputs(bundle.prepare(list(map(Record, texts))), device=torch.device("cpu")).values
    with torch.no_grad():
        theirs = model(**tokenizer(texts, return_tensors="pt", padding=True)).logits.softmax(-1)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


# What options change.


def pair_files(folder) -> None:
    for name, number in {"train": 30, "dev": 10, "test": 10}.items():
        made = rows(number, len(name))
        lines = [(a, b, ("no", "yes")[la == lb]) for (a, la), (b, lb) in zip(made, reversed(made), strict=True)]
        lines += [(a, a, "yes") for a, _ in made[:4]]
        write_table(folder / f"{name}.csv", lines, header="one,two,same")


def test_pairs(files, capsys):
    pair_files(files)
    columns = "text=one,text_pair=two,label=same"
    told = call(capsys, *arguments(files, task="pair", columns=columns))
    assert told.code == 0, told.err
    assert told.json["labels"] == ["no", "yes"]
    (first, *_) = lines((files / "out" / "predictions_test.jsonl").read_text())
    assert set(first) == {"text", "text_pair", "label", *FIELDS}
    used = ["--model", files / "out", "--columns", columns, "--json"]
    answers = call(capsys, "predict", "--input", files / "test.csv", *used).json["predictions"]
    stored = lines((files / "out" / "predictions_test.jsonl").read_text())
    assert [row["prediction"] for row in answers] == [row["prediction"] for row in stored]
    measured = call(capsys, "evaluate", "--data", files / "test.csv", *used).json
    assert measured["metrics"] == pytest.approx(told.json["test"], abs=1e-6)
    (reading,) = load_bundle(files / "out").prepare([Record("good film", "bad film")]).readings
    assert reading.sequences[0].segment_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("keep", ["head", "tail", "head_tail"])
def test_shortening_is_counted(keep, files, capsys):
    texts = rows(40)
    told = call(capsys, *arguments(files, max_length="6", truncation=keep, epochs="1"))
    assert told.code == 0, told.err
    lost = [len(text.split()) - 4 for text, _ in texts if len(text.split()) > 4]
    assert told.json["truncated"]["texts"] == told.json["truncated"]["splits"]["train"]["texts"] == len(lost)
    assert told.json["truncated"]["tokens"] == sum(lost)
    assert f"{len(lost)} of 40 texts are longer than 6 tokens" in told.err
    report = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert f"{sum(lost):,}" in report


def test_rates_by_depth_reach_the_report(files, capsys):
    told = call(
        capsys, *arguments(files, "--set", "optimizer.layer_decay=0.5", head_lr="0.004", lr="0.002", epochs="1")
    )
    assert told.code == 0, told.err
    report = (files / "out" / "report.html").read_text(encoding="utf-8")
    for rate in ("0.004", "0.002", "0.001"):
        assert f">{rate}<" in report


def test_balanced_classes_change_what_is_learned_of_uneven_ones(files, capsys):
    balanced = ("--set", "criterion.class_weights=balanced")
    made = [row for place, row in enumerate(rows(40)) if row[1] == "pos" or place % 4 == 1]
    write_table(files / "train.csv", made)
    for name, more in {"plain": (), "balanced": balanced}.items():
        assert call(capsys, *arguments(files, *more, out=files / name, epochs="1")).code == 0
    one, two = ((files / name / "model.safetensors").read_bytes() for name in ("plain", "balanced"))
    assert one != two


def test_first_layers_and_last_layer_averaged(files, capsys):
    average = ("--set", "features.layers={kind: average, numbers: [0, -1]}", "--set", "features.pooling=max")
    told = call(capsys, *arguments(files, *average, epochs="1"))
    assert told.code == 0, told.err
    used = call(capsys, "evaluate", "--model", files / "out", "--data", files / "test.csv", "--json").json
    assert used["metrics"] == pytest.approx(told.json["test"], abs=1e-6)


def test_a_part_is_set_aside_where_no_dev_file_is_given(files, capsys):
    told = call(capsys, *arguments(files, dev=None, epochs="1"))
    assert told.code == 0, told.err
    assert told.json["train_texts"] == 36
    assert "no --dev: 4 of 40 rows of train.csv were set aside" in told.err
    assert len(lines((files / "out" / "predictions_dev.jsonl").read_text())) == 4


def test_further_training_of_a_finished_model(trained, tmp_path, capsys):
    told = call(capsys, *arguments(trained, encoder=None, model=trained / "out", out=tmp_path / "more", epochs="1"))
    assert told.code == 0, told.err
    assert any("classifier" in note for note in told.json["notes"])


def test_a_dry_run_shows_groups_and_recipe_and_writes_nothing(files, capsys):
    told = call(capsys, *arguments(files, "--dry-run", "--set", "optimizer.layer_decay=0.5"))
    assert told.code == 0, told.err
    assert not (files / "out").exists()
    assert told.json["rows"] == {"train": 40, "dev": 12, "test": 14}
    rates = {group["name"]: group["rate"] for group in told.json["groups"]}
    assert rates["embeddings"] == pytest.approx(rates["layer 1"] / 2)
    assert told.json["recipe"]["optimizer"]["layer_decay"] == 0.5
    people = call(capsys, *[part for part in arguments(files, "--dry-run") if part != "--json"])
    assert re.search(r"^embeddings +0\.001", people.out, re.MULTILINE)
    assert "layer_decay: 1.0" in people.out


def test_a_group_column_that_is_not_there_is_refused(files, capsys):
    told = call(capsys, *arguments(files, "--set", "data.group_column=cluster", dev=None))
    assert told.code == 2
    assert "no column 'cluster'" in told.json["error"]["message"]
