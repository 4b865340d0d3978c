"""`bertsmith paraphrase` and `bertsmith convert` as a user meets them."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from ..tiny import SHAPE, call
from ..writing import NEAR, write_model

FIXTURES = Path(__file__).parents[1] / "encoder" / "tensorflow" / "fixtures"
TEXT = "退货多久能到账"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("writer"))


def test_the_object(model, capsys):
    line = ["paraphrase", "--model", model, TEXT, "退款", "--n", "3", "--json", *NEAR]
    told = call(capsys, *line)
    assert told.code == 0, told.err
    assert [each["text"] for each in told.json["results"]] == [TEXT, "退款"]
    for result in told.json["results"]:
        assert [set(each) for each in result["similar"]] == [{"text", "score"}] * 3
        scores = [each["score"] for each in result["similar"]]
        assert scores == sorted(scores, reverse=True)
        assert all(-1 <= score <= 1 for score in scores)
        assert result["text"] not in [each["text"] for each in result["similar"]]
    assert told.json["written"] == 200
    assert told.err == ""
    assert call(capsys, *line).json == told.json
    assert call(capsys, *line, "--seed", "1").json["results"] != told.json["results"]


def test_for_people(model, capsys):
    told = call(capsys, "paraphrase", "--model", model, TEXT, "--n", "2", *NEAR, "--set", "decoding.kind=beam")
    assert told.code == 0, told.err
    first, *similar = told.out.splitlines()
    assert first == TEXT
    assert len(similar) == 2
    assert float(similar[0].split()[0]) >= float(similar[1].split()[0])


def test_an_faq_grows_row_by_row(model, tmp_path, capsys):
    (tmp_path / "faq.csv").write_text(f"question,answer\n{TEXT},a1\n怎么办理,a2\n", encoding="utf-8")
    line = ["paraphrase", "--model", model, "--input", tmp_path / "faq.csv", "--columns", "text=question", "--n", "3"]
    told = call(capsys, *line, *NEAR, "--output", tmp_path / "more.csv", "--json")
    assert told.code == 0, told.err
    assert told.json["texts"] == 2
    with (tmp_path / "more.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == ["a1"] * 3 + ["a2"] * 3
    assert set(rows[0]) == {"question", "answer", "similar", "score"}
    assert call(capsys, *line, *NEAR, "--output", tmp_path / "more.jsonl").code == 0
    nested = [json.loads(row) for row in (tmp_path / "more.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [[each["text"] for each in row["similar"]] for row in nested] == [
        [row["similar"] for row in rows if row["question"] == question] for question in (TEXT, "怎么办理")
    ]
    whole = call(capsys, *line, *NEAR, "--json").json
    assert [result["similar"] for result in whole["results"]] == [row["similar"] for row in nested]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "bad_usage"),
        ((TEXT, "--input", "x.csv"), "bad_usage"),
        ((TEXT, "--output", "x.csv"), "bad_usage"),
        ((" ",), "blank_text"),
        ((TEXT, "--set", "decoding.top_k=0"), "bad_setting"),
        ((TEXT, "--set", "limits.target=99"), "too_long"),
        (("--input", "no.csv"), "missing_file"),
    ],
)
def test_refusals(arguments, code, model, capsys):
    told = call(capsys, "paraphrase", "--model", model, *NEAR, *arguments, "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == code


def test_a_fine_tuned_classifier_does_not_write(trained, capsys):
    told = call(capsys, "paraphrase", "--model", trained / "out", "a text", "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == "no_language_model"


def test_any_model_of_unilm_writes(tmp_path, capsys):
    lines = ["我们昨天在北京吃了火锅，味道真的很好。", "今天的天气不错，适合出去走走！", "快递到了以后请给我打电话。"]
    (tmp_path / "corpus.txt").write_text("\n\n".join("\n".join(lines * 4) for _ in range(12)) + "\n", encoding="utf-8")
    (tmp_path / "shape.json").write_text(json.dumps(SHAPE))
    shape = ["--encoder", tmp_path / "shape.json", "--set", "start.vocabulary.size=120", "--max-length", "32"]
    for objective, form in (("unilm", {"kind": "appended_mask"}), ("bert", None)):
        out = tmp_path / objective
        line = ["pretrain", "--objective", objective, "--corpus", tmp_path / "corpus.txt", *shape, "--steps", "2"]
        told = call(capsys, *line, "--batch-size", "4", "--out", out, "--json")
        assert told.code == 0, told.err
        config = json.loads((out / "config.json").read_text())
        assert config.get("bertsmith", {}).get("generation", {}).get("form") == form
        said = call(capsys, "paraphrase", "--model", out, "今天的天气", "--n", "2", "--json", *NEAR)
        if form is None:
            assert said.json["error"]["code"] == "not_generative"
        else:
            assert said.code == 0, said.err
            assert len(said.json["results"][0]["similar"]) == 2


def test_simbert_trained_here_writes_and_still_does_after_simcse(tmp_path, capsys):
    groups = [[f"{name}怎么退货", f"如何退掉{name}", f"{name}能退吗"] for name in ("锅", "书", "鞋", "灯", "包", "笔")]
    lines = "".join(json.dumps({"texts": group}, ensure_ascii=False) + "\n" for group in groups)
    (tmp_path / "groups.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "shape.json").write_text(json.dumps(SHAPE))
    shape = ["--encoder", tmp_path / "shape.json", "--set", "start.vocabulary.size=60", "--set", "precision=float32"]
    line = ["contrast", "--method", "simbert", "--train", tmp_path / "groups.jsonl", *shape, "--batch-size", "4"]
    # enough to learn one sentence by heart: the one that most groups have
    learned = [*line, "--steps", "40", "--lr", "0.03", "--out", tmp_path / "out", "--json"]
    told = call(capsys, *learned)
    assert told.code == 0, told.err
    said = call(capsys, "paraphrase", "--model", tmp_path / "out", "书怎么退货", "--n", "3", "--json", *NEAR)
    assert said.code == 0, said.err
    assert said.json["unfinished"] < said.json["written"] / 2
    similar = said.json["results"][0]["similar"]
    assert any("退" in each["text"] for each in similar)
    both = [*line, "--then", "simcse", "--steps", "2", "--out", tmp_path / "both", "--json"]
    assert call(capsys, *both).code == 0
    assert call(capsys, "paraphrase", "--model", tmp_path / "both", "书怎么退货", "--json", *NEAR).code == 0


# convert


def test_a_published_simbert_is_converted_and_writes(tmp_path, capsys):
    line = ["convert", "--from", FIXTURES / "simbert", "--out", tmp_path / "out", "--json"]
    told = call(capsys, *line, "--trained-as", "simbert")
    assert told.code == 0, told.err
    assert told.json["family"] == "bert"
    assert told.json["heads"] == ["pooler", "mlm"]
    assert told.json["parity"] == {"tensors": 38, "largest_difference": 0.0}
    assert told.json["variables"] == 46
    short = ["--set", "limits.source=8", "--set", "limits.target=6"]
    said = call(capsys, "paraphrase", "--model", tmp_path / "out", "退货多久", "--json", *short)
    assert said.code == 0, said.err
    assert said.json["results"][0]["similar"]
    again = call(capsys, *line)
    assert again.json["error"]["code"] == "out_not_empty"


def test_convert_for_people_and_by_recipe(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(f"source: {FIXTURES / 'bert' / 'bert_model.ckpt'}\n", encoding="utf-8")
    told = call(capsys, "convert", "--recipe", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert told.code == 0, told.err
    assert "left out: 9 of the optimizer" in told.out
    assert "largest difference after writing 0" in told.out
    told = call(capsys, "convert", "--from", FIXTURES / "simbert", "--out", tmp_path / "sim")
    assert "say --trained-as simbert" in told.out


def test_transformers_reads_what_was_converted(tmp_path, capsys):
    from transformers import AutoModelForPreTraining

    for name in ("bert", "albert", "electra"):
        told = call(capsys, "convert", "--from", FIXTURES / name, "--out", tmp_path / name, "--json")
        assert told.code == 0, told.err
        _, info = AutoModelForPreTraining.from_pretrained(tmp_path / name, output_loading_info=True)
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
    generator = call(
        capsys, "convert", "--from", FIXTURES / "electra", "--part", "generator", "--out", tmp_path / "g", "--json"
    )
    assert generator.json["heads"] == ["mlm"]
    assert generator.json["other_part"] == 38


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "bad_usage"),
        (("--from", "no/such"), "not_found"),
        (("--from", FIXTURES / "electra", "--trained-as", "simbert"), "no_language_model"),
        (("--from", FIXTURES / "bert", "--config", "no.json"), "missing_file"),
    ],
)
def test_convert_refuses_and_leaves_nothing(arguments, code, tmp_path, capsys):
    told = call(capsys, "convert", *arguments, "--out", tmp_path / "out", "--json")
    assert told.code == 2
    assert told.json["error"]["code"] == code
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_that_does_not_belong(tmp_path, capsys):
    shutil.copytree(FIXTURES / "bert", tmp_path / "bert")
    line = ["convert", "--from", tmp_path / "bert", "--out", tmp_path / "out", "--json"]
    (tmp_path / "bert" / "vocab.txt").unlink()
    assert call(capsys, *line).json["error"]["code"] == "no_tokenizer"
    told = call(capsys, *line, "--set", f"tokenizer={FIXTURES / 'roformer'}")
    assert told.json["error"]["code"] == "vocabulary_mismatch"
    assert not (tmp_path / "out").exists()
    assert call(capsys, *line, "--set", f"tokenizer={FIXTURES / 'simbert'}").code == 0
