import yaml
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.report import RunReport, model_card
from bertsmith.report.markdown import code, fenced, inline

from .runs import full_run


def parts_of(card):
    _, header, body = card.split("---\n", 2)
    return yaml.safe_load(header), body


def test_the_header_is_what_the_hub_reads():
    run = full_run(base_model="someone/encoder")
    header, _ = parts_of(model_card(run, folder="runs/intents"))
    assert header["library_name"] == "transformers"
    assert header["pipeline_tag"] == "text-classification"
    assert header["language"] == ["zh"]
    assert header["base_model"] == "someone/encoder"
    assert header["metrics"] == ["accuracy", "f1"]
    dev, test = header["model-index"][0]["results"]
    assert (dev["dataset"]["split"], test["dataset"]["split"]) == ("dev", "test")
    assert test["metrics"][0] == {"type": "accuracy", "name": "Accuracy", "value": 0.968}


def test_the_words_say_how_good_and_how_to_use():
    _, body = parts_of(model_card(full_run(), folder="my runs/a"))
    assert body.startswith("\n# 客服问题 intents\n")
    assert "| test | 500 | Accuracy | 96.8 % | 95.2 to 98.2 % |" in body
    assert "bertsmith predict --model 'my runs/a' --input texts.csv" in body
    assert "Classifier.load('my runs/a')" in body
    assert "shortened 412 texts (20.6 %)" in body
    assert "stand in train.csv too" in body
    assert "the head is new" not in body


def test_a_pair_model_is_used_with_pairs():
    body = model_card(full_run(task="pair"), folder="out")
    assert 'PairClassifier.load(\'out\')\nmodel.predict([("a text", "another text")])' in body


def test_a_bare_run_has_a_card_too():
    bare = RunReport(title="t", task="classification", model="tiny", train_source="train.csv", train_texts=1)
    header, body = parts_of(model_card(bare, folder="out"))
    assert "model-index" not in header
    assert "## How good it is" not in body
    assert "1 text of `train.csv`" in body


def test_text_from_users_stays_text():
    card = model_card(full_run(title="# *x* <b>\n---\n\ud800", labels=("a`b", "``")), folder="out")
    header, body = parts_of(card)
    assert body.startswith("\n# \\# \\*x\\* \\<b\\> --- \ufffd\n")
    assert "`` a`b ``, ``` `` ```" in body
    assert header["model-index"][0]["name"].startswith("# *x* <b>")
    card.encode("utf-8")


@given(st.text("`ab \n"))
def test_fences_are_longer_than_what_they_hold(text):
    fence = fenced(text).split("\n", 1)[0]
    assert fence not in text
    assert code(text).startswith("`")
    assert "\n" not in inline(text) + code(text)
