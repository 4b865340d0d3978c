"""`bertsmith sts`: figures as scipy gives them, sets recognised, tables and page."""

import numpy as np
import pytest
from scipy import stats

from bertsmith.recipes import load_sentence_bundle, read_pairs

from ..sentences.samples import TEXTS, write_encoder
from ..tiny import call, write_table

PAIRS = [(TEXTS[n % 8], TEXTS[(n * 3 + 1) % 8], str((n * 5) % 6)) for n in range(16)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "set").mkdir()
    return write_table(tmp_path / "set" / "test.csv", PAIRS, "sentence1,sentence2,score")


def cosines(model, pooling):
    bundle = load_sentence_bundle(model, pooling=pooling, normalize=True)
    device = bundle.embedder.encoder.embeddings.token.weight.device
    sides = [bundle.encode([pair[place] for pair in PAIRS], device=device).vectors for place in (0, 1)]
    return (sides[0] * sides[1]).sum(1)


SCORES = np.array([float(pair[2]) for pair in PAIRS])


def test_figures_of_several_poolings(model, pairs, capsys):
    told = call(capsys, "sts", "--model", model, "--data", pairs, "--pooling", "cls", "p4", "max", "--json")
    assert told.code == 0, told.err
    assert "read as text=sentence1, text_pair=sentence2, label=score" in told.err
    assert [each["pooling"] for each in told.json["sets"]] == ["cls", "first-last-avg", "max"]
    for found in told.json["sets"]:
        expected = cosines(model, found["pooling"])
        assert found["data"] == str(pairs)
        assert (found["pairs"], found["whitening"]) == (16, None)
        assert found["spearman"] == pytest.approx(stats.spearmanr(SCORES, expected)[0], abs=1e-6)
        assert found["pearson"] == pytest.approx(stats.pearsonr(SCORES, expected)[0], abs=1e-5)
        assert found["interval"][0] <= found["spearman"] <= found["interval"][1]
    assert told.json["mean"] == pytest.approx(np.mean([each["spearman"] for each in told.json["sets"]]))
    assert [each["std"] for each in told.json["means"]] == [None] * 3


def test_seeds_are_averaged(model, pairs, tmp_path, capsys):
    others = [write_encoder(tmp_path / f"seed{seed}", seed=seed) for seed in (1, 2)]
    told = call(capsys, "sts", "--model", model, *others, "--data", pairs, "--pooling", "mean", "--json")
    values = [each["spearman"] for each in told.json["sets"]]
    (mean,) = told.json["means"]
    assert mean["mean"] == pytest.approx(np.mean(values))
    assert mean["std"] == pytest.approx(np.std(values, ddof=1))
    assert [each["model"] for each in told.json["sets"]] == [str(path) for path in (model, *others)]
    told = call(capsys, "sts", "--model", model, *others, "--data", pairs, "--pooling", "mean")
    assert (
        f"mean of 1 set(s): {100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f} over 3 models" in told.out
    )


def test_whitening_is_labelled(model, pairs, capsys):
    run = ("sts", "--model", model, "--data", pairs, "--pooling", "mean", "cls", "--json")
    told = call(capsys, *run, "--whiten", "4")
    assert all((each["whitening"], each["transductive"]) == (4, True) for each in told.json["sets"])
    assert "transductive: the whitening is fitted on the texts it is measured on" in told.json["notes"]
    other = call(capsys, *run, "--whiten", "4", "--whiten-on", pairs)
    assert not any(each["transductive"] for each in other.json["sets"])
    for ours, theirs in zip(told.json["sets"], other.json["sets"], strict=True):
        assert ours["spearman"] == pytest.approx(theirs["spearman"], abs=1e-6)
    told = call(capsys, *run, "--whiten")
    assert all(each["whitening"] == 7 for each in told.json["sets"])


def test_a_known_set_and_its_published_cells(model, tmp_path, capsys):
    (tmp_path / "LCQMC").mkdir()
    rows = [(f"今天{n}", f"天气{n}", str(n % 2)) for n in range(8)]
    data = write_table(tmp_path / "LCQMC" / "test.csv", rows, "text,text_pair,label")
    told = call(capsys, "sts", "--model", model, "--data", data, "--pooling", "P1", "--json")
    (found,) = told.json["sets"]
    assert found["set"] == "lcqmc"
    cells = {(each["model"], each["method"]): each["spearman"] for each in found["published"]}
    assert cells["BERT", "raw"] == pytest.approx(0.4171)
    assert cells["SimBERT", "SimCSE"] == pytest.approx(0.7487)
    told = call(capsys, "sts", "--model", model, "--data", data, "--pooling", "P1")
    assert "published for lcqmc: BERT 41.71 raw, 48.92 whitening, 69.99 SimCSE" in told.out


def test_parts_are_joined_and_a_missing_one_is_said(model, tmp_path, capsys):
    (tmp_path / "STS12").mkdir()
    rows = [(*pair, ("MSRpar", "OnWN")[n % 2]) for n, pair in enumerate(PAIRS)]
    data = write_table(tmp_path / "STS12" / "test.csv", rows, "sentence1,sentence2,score,subset")
    told = call(capsys, "sts", "--model", model, "--data", data, data, "--pooling", "mean", "--json")
    found = told.json["sets"][0]
    assert found["spearman"] == pytest.approx(stats.spearmanr(SCORES, cosines(model, "mean"))[0], abs=1e-6)
    assert found["subsets"]["OnWN"]["pairs"] == 8
    assert found["partial"]
    assert any("partial: 16 of 3,108 pairs (parts MSRpar, OnWN), not comparable" in note for note in told.json["notes"])
    assert any("none to compare with published" in note for note in told.json["notes"])


@pytest.mark.parametrize(
    ("folder", "text", "known"),
    [
        ("en_stsb/test.tsv", "a man", None),
        ("zh_stsb_cnsd/test.tsv", "一个人", "zh-stsb"),
        ("STS-B/STS-B.test.tsv", "一个人", "zh-stsb"),
        ("BQ/BQ.test.tsv", "一个人", "bq"),
        ("PAWSX/test.tsv", "一个人", "pawsx"),
        ("sts_2016/test.tsv", "a man", "sts16"),
        ("questions/test.tsv", "a man", None),
    ],
)
def test_sets_are_known_by_their_names(tmp_path, folder, text, known):
    path = tmp_path / folder
    path.parent.mkdir()
    path.write_text(f"sentence1\tsentence2\tscore\n{text}\t{text}!\t1\n{text}\t{text}?\t2\n", encoding="utf-8")
    assert read_pairs(path).known == known


def test_the_page(model, pairs, tmp_path, capsys):
    page = tmp_path / "sts.html"
    told = call(capsys, "sts", "--model", model, "--data", pairs, "--pooling", "mean", "cls", "--report", page)
    assert told.code == 0, told.err
    text = page.read_text(encoding="utf-8")
    for words in ("Correlations", "Means", "Alignment and uniformity", "Similarity by score", "95 % bootstrap"):
        assert words in text
    assert text.count("<svg") == 3
    assert "http" not in text.replace("http://www.w3.org", "").replace("http-equiv", "")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("text,text_pair,label\na,b,1\nc,d,1\n", "constant_scores"),
        ("text,text_pair,label\na,b,1\nc,d,entailment\n", "bad_score"),
        ("text,label\na,1\n", "missing_column"),
        ("text,text_pair,label\n", "empty_file"),
    ],
)
def test_refusals(model, tmp_path, capsys, content, code):
    (tmp_path / "bad.csv").write_text(content)
    told = call(capsys, "sts", "--model", model, "--data", tmp_path / "bad.csv", "--json")
    assert (told.code, told.json["error"]["code"]) == (2, code)


def test_a_model_without_a_pooler_is_named(tmp_path, pairs, capsys):
    model = write_encoder(tmp_path, pooler=False)
    told = call(capsys, "sts", "--model", model, "--data", pairs, "--pooling", "mean", "pooler", "--json")
    assert (told.code, told.json["error"]["code"]) == (2, "no_pooler")
    assert told.json["error"]["where"] == str(model)
    assert told.json["error"]["message"].startswith(f"{model} has no pooler")


def test_without_data_or_model(capsys, pairs):
    for given, missing in ((("--data", pairs), "no models: give --model"), (("--model", "x"), "no data: give --data")):
        told = call(capsys, "sts", *given, "--json")
        assert (told.code, told.json["error"]["code"]) == (2, "bad_usage")
        assert missing in told.json["error"]["message"]
