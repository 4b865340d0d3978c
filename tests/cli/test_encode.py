"""`bertsmith encode` and `predict` of a sentence encoder as a user meets them."""

import json

import numpy as np
import pytest
import torch

from bertsmith.recipes import load_sentence_bundle, save_sentence_bundle

from ..sentences.samples import TEXTS, write_encoder
from ..tiny import call, spawn, write_table


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def texts(tmp_path):
    return write_table(tmp_path / "texts.csv", [(str(n), text) for n, text in enumerate(TEXTS)], "id,text")


def command(model, source, out, *more):
    return ["encode", "--model", model, "--input", source, "--output", out, "--device", "cpu", *more]


def test_a_row_for_every_text(model, texts, tmp_path, capsys):
    told = call(capsys, *command(model, texts, tmp_path / "v.npy", "--pooling", "mean", "--normalize", "--json"))
    assert told.code == 0, told.err
    found = np.load(tmp_path / "v.npy")
    assert {name: told.json[name] for name in ("out", "rows", "dim", "truncated")} == {
        "out": str(tmp_path / "v.npy"),
        "rows": len(TEXTS),
        "dim": 24,
        "truncated": {"texts": 0, "tokens": 0},
    }
    assert told.json["tokens_per_second"] > 0 < told.json["seconds"]
    assert (told.json["pooling"], told.json["normalized"], told.json["whitening"]) == ("mean", True, None)
    assert found.shape == (len(TEXTS), 24)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    again = call(capsys, *command(model, texts, tmp_path / "v2.npy", "--set", "pooling=p3", "--set", "normalize=true"))
    assert "8 vectors of 24 numbers (mean, length 1)" in again.out
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "v2.npy").read_bytes()


def test_the_default_pooling_is_said(model, texts, tmp_path, capsys):
    told = call(capsys, *command(model, texts, tmp_path / "v.npy", "--json"))
    assert "first-last-avg is taken" in told.err
    assert (told.json["pooling"], told.json["normalized"]) == ("first-last-avg", False)


def test_odd_texts_have_a_row_each(model, tmp_path, capsys):
    source = tmp_path / "texts.txt"
    source.write_text("one\n\n😀\n" + "walk " * 600 + "\n", encoding="utf-8")
    told = call(capsys, *command(model, source, tmp_path / "v.npy", "--pooling", "cls", "--json"))
    assert (told.json["rows"], told.json["blank"], told.json["unknown"]) == (4, 1, 1)
    assert told.json["truncated"] == {"texts": 1, "tokens": 90}
    assert "1 of 4 texts are blank" in told.err


def test_from_a_pipe(model, tmp_path):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    told = spawn(*command(model, "-", tmp_path / "v.npy", "--pooling", "cls", "--json"), input=lines)
    assert told.code == 0, told.err
    assert told.json["rows"] == len(TEXTS) == len(np.load(tmp_path / "v.npy"))


def test_whitened_by_the_texts_themselves_or_by_others(model, texts, tmp_path, capsys):
    more = ("--pooling", "mean", "--no-normalize", "--json")
    told = call(
        capsys, *command(model, texts, tmp_path / "w.npy", "--whiten", "4", *more, "--save", tmp_path / "white")
    )
    assert told.code == 0, told.err
    assert (told.json["dim"], told.json["whitening"]) == (4, 4)
    found = np.load(tmp_path / "w.npy")
    assert np.abs(np.cov(found.T) - np.eye(4)).max() < 1e-3
    assert "whitening fitted on 8 texts: 4 of 24 dimensions kept" in told.err
    again = call(capsys, *command(model, texts, tmp_path / "w.npy", *more, "--save", tmp_path / "white"))
    assert again.json["error"]["message"] == f"--save {tmp_path / 'white'} is not empty; choose another folder"
    assert call(capsys, *command(tmp_path / "white", texts, tmp_path / "v.npy", "--json")).code == 0
    assert np.allclose(np.load(tmp_path / "v.npy"), found, atol=1e-5)
    told = call(capsys, *command(model, texts, tmp_path / "o.npy", "--whiten-on", texts, "--whiten", "4", *more))
    assert np.allclose(np.load(tmp_path / "o.npy"), found, atol=1e-5)
    told = call(capsys, *command(model, texts, tmp_path / "full.npy", "--whiten", "--dim", "3", *more))
    assert (told.json["whitening"], told.json["dim"]) == (7, 3)


def test_prompts_come_before_the_texts(model, texts, tmp_path, capsys):
    bundle = load_sentence_bundle(model, pooling="mean").but(prompts={"query": "the man "})
    save_sentence_bundle(bundle, tmp_path / "model")
    for name in ("query", "the man "):
        assert call(capsys, *command(tmp_path / "model", texts, tmp_path / f"{name}.npy", "--prompt", name)).code == 0
    assert (tmp_path / "query.npy").read_bytes() == (tmp_path / "the man .npy").read_bytes()
    call(capsys, *command(tmp_path / "model", texts, tmp_path / "bare.npy"))
    assert (tmp_path / "query.npy").read_bytes() != (tmp_path / "bare.npy").read_bytes()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--pooling", "median"], "unknown_pooling"),
        (["--whiten", "500"], "whitening_rank"),
        (["--whiten", "3", "4"], "bad_usage"),
        (["--dim", "99"], "bad_setting"),
        (["--max-length", "2"], "too_short"),
        (["--columns", "text=question"], "missing_column"),
        (["--output", "v.csv"], "not_npy"),
        (["--set", "poolings=x"], "bad_setting"),
    ],
)
def test_refusals_leave_nothing_behind(model, texts, tmp_path, capsys, more, code, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = call(capsys, *command(model, texts, "v.npy", *more, "--json"))
    assert told.code == 2
    assert told.json["error"]["code"] in (code, "bad_usage")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.csv"]


def test_predict_says_how_similar_two_texts_are(model, tmp_path, capsys):
    save_sentence_bundle(load_sentence_bundle(model, pooling="mean"), tmp_path / "model")
    pairs = write_table(tmp_path / "p.csv", [("a", "1", "a"), ("the man walk", "2", "a story")], "text,id,text_pair")
    told = call(capsys, "predict", "--model", tmp_path / "model", "--input", pairs, "--json")
    assert told.code == 0, told.err
    first, second = told.json["predictions"]
    assert list(first) == ["text", "id", "text_pair", "similarity"]
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    bundle = load_sentence_bundle(tmp_path / "model")
    one, two = bundle.encode(["the man walk", "a story"], device=torch.device("cpu")).vectors
    cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    assert second["similarity"] == pytest.approx(float(cosine), abs=1e-5)
    told = call(capsys, "predict", "--model", tmp_path / "model", "--input", pairs, "--output", tmp_path / "o.csv")
    assert "2 rows answered, 0 shortened" in told.err
    assert (tmp_path / "o.csv").read_text().startswith("text,id,text_pair,similarity\n")
    single = write_table(tmp_path / "s.csv", [("a",)], "text")
    told = call(capsys, "predict", "--model", tmp_path / "model", "--input", single, "--json")
    assert (told.code, told.json["error"]["code"]) == (2, "missing_column")
    told = call(capsys, "predict", "--model", tmp_path / "model", "--input", pairs, "--probabilities", "--json")
    assert (told.code, told.json["error"]["code"]) == (2, "bad_usage")
