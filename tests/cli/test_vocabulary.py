"""`bertsmith vocabulary` as a user meets it."""

import pytest

from bertsmith.recipes import load_bundle
from tests.tiny import call


def test_a_fine_tuned_model_pruned_answers_as_before(trained, tmp_path, capsys):
    small = ["vocabulary", "prune", "--model", trained / "out", "--corpus", trained / "train.csv"]
    told = call(capsys, *small, "--out", tmp_path / "small", "--json")
    assert told.code == 0, told.err
    assert set(told.json) == {"out", "rows", "bytes", "added", "corpus", "seconds", "notes"}
    assert told.json["corpus"]["became_unknown"] == 0
    assert told.json["rows"]["after"] <= told.json["rows"]["before"]
    assert load_bundle(tmp_path / "small").labels == load_bundle(trained / "out").labels
    answers = []
    for number, model in enumerate((trained / "out", tmp_path / "small")):
        output = tmp_path / f"{number}.csv"
        line = ["predict", "--model", model, "--input", trained / "train.csv", "--output", output]
        assert call(capsys, *line).code == 0
        answers.append(output.read_text())
    assert answers[0] == answers[1]
    again = call(capsys, *small, "--out", tmp_path / "small", "--json")
    assert again.json["error"]["code"] == "out_not_empty"
    assert again.json["error"]["message"].endswith("is not empty; choose another folder")


def test_extended_for_people(trained, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("blockbuster\n", encoding="utf-8")
    line = ["vocabulary", "extend", "--model", trained / "out", "--words", tmp_path / "words.txt"]
    told = call(capsys, *line, "--out", tmp_path / "larger")
    assert told.code == 0, told.err
    assert "new: blockbuster" in told.out
    assert (tmp_path / "larger" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("prune",), "--corpus"),
        (("extend",), "words"),
        (("prune", "--corpus", "no.txt"), "no.txt"),
        (("prune", "--corpus", "train.csv", "--size", "5"), "special tokens"),
        (("extend", "--words", "bad.txt"), "would never be a token"),
        (("extend", "--words", "bad.txt", "--corpus", "train.csv"), "either"),
    ],
)
def test_what_will_not_do_is_refused_and_leaves_nothing(arguments, word, trained, tmp_path, capsys, monkeypatch):
    (tmp_path / "bad.txt").write_text("two words\n", encoding="utf-8")
    (tmp_path / "train.csv").write_text((trained / "train.csv").read_text(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    action, *more = arguments
    told = call(capsys, "vocabulary", action, "--model", trained / "out", "--out", "new", *more)
    assert told.code == 2
    assert word in told.err
    assert not (tmp_path / "new").exists()
