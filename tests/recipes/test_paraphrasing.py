"""From texts to ranked similar ones: told apart, counted, and refused where nothing sensible can be written."""

import json

import numpy as np
import pytest
import torch

from bertsmith import Paraphraser, UserError
from bertsmith.batch import pack
from bertsmith.cli import main
from bertsmith.encoder import load_checkpoint
from bertsmith.generation import AppendedMask, Beam, Sampling, Shifted, Written
from bertsmith.recipes import Judge, load_writing_model, paraphrase, paraphrase_recipe
from bertsmith.recipes import paraphrasing as module

from ..tiny import SHAPE, call
from ..writing import NEAR, write_model

CPU = torch.device("cpu")
TEXT = "退货多久能到账"
SHORT = ("limits.source=16", "limits.target=8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("writer"))


def recipe(folder, *settings: str, **given):
    return paraphrase_recipe(given={"model": str(folder), **given}, settings=[*SHORT, *settings])


def write_instead(monkeypatch, *texts: list[tuple[str, bool]]):
    """The writer writes these, whatever it is asked; returns nothing of the encoder's own."""
    made = iter(texts)

    def written(writer, sources, *_, **__):
        return [[_written(writer_tokens(writer), text, ended) for text, ended in next(made)] for _ in sources]

    monkeypatch.setattr(module, "sampled", written)


def writer_tokens(writer):
    return write_instead.tokenizer


def _written(tokenizer, text: str, ended: bool) -> Written:
    (made,) = tokenizer.tokenize([text])
    return Written(made.token_ids.astype(np.int64), -1.0, ended)


def test_by_hand(folder, monkeypatch):
    model = load_writing_model(folder)
    write_instead.tokenizer = model.tokenizer
    texts = [
        ("退款", True),
        (TEXT, True),
        ("怎么办理", True),
        ("退款", True),
        ("退货多久能到", False),
        ("[UNK]"[:0], True),
    ]
    write_instead(monkeypatch, texts)
    made = paraphrase(model, [TEXT], recipe(folder), device=CPU)
    (similar,) = made.similar
    assert {each.text for each in similar} == {"退款", "怎么办理", "退货多久能到"}
    counted = made.counted
    assert (counted.written, counted.unfinished, counted.copies, counted.repeated) == (6, 1, 1, 1)
    scores = [each.score for each in similar]
    assert scores == sorted(scores, reverse=True)
    for each in similar:
        assert each.score == pytest.approx(cosine(folder, TEXT, each.text), abs=1e-5)
    assert "did not end within 8 tokens and are given as they are" in made.counted.notes(recipe(folder))[0]


def cosine(folder, *texts: str) -> float:
    """[CLS] through the pooler without tanh, each text alone."""
    checkpoint, tokenizer = load_checkpoint(folder), load_writing_model(folder).tokenizer
    pooler = checkpoint.heads["pooler"]
    vectors = []
    for text in texts:
        (made,) = tokenizer.tokenize([text])
        with torch.inference_mode():
            first = checkpoint.encoder(pack([tokenizer.assemble(made.token_ids)]))[-1][0]
        vectors.append(pooler["weight"] @ first + pooler["bias"])
    return float(torch.cosine_similarity(vectors[0], vectors[1], dim=0))


def test_threshold_unfinished_and_keep(folder, monkeypatch):
    model = load_writing_model(folder)
    write_instead.tokenizer = model.tokenizer
    texts = [("退款", True), ("怎么办理", True), ("多久", False)]
    write_instead(monkeypatch, texts, texts, texts)
    (all_three,) = paraphrase(model, [TEXT], recipe(folder), device=CPU).similar
    between = (all_three[0].score + all_three[1].score) / 2
    made = paraphrase(model, [TEXT], recipe(folder, threshold=between), device=CPU)
    assert [each.text for each in made.similar[0]] == [all_three[0].text]
    assert made.counted.below_threshold == 2
    made = paraphrase(model, [TEXT], recipe(folder, "limits.keep_unfinished=false", keep=1), device=CPU)
    assert len(made.similar[0]) == 1
    assert made.similar[0][0].text != "多久"


def test_same_seed_same_texts_whatever_the_company(folder):
    model = load_writing_model(folder)
    texts = [TEXT, "退款", "怎么办理退货"]
    together = paraphrase(model, texts, recipe(folder), device=CPU).similar
    for text, similar in zip(texts, together, strict=True):
        alone = paraphrase(model, [text], recipe(folder), device=CPU).similar[0]
        assert [each.text for each in alone] == [each.text for each in similar]
        assert text not in {each.text for each in similar}
        assert len({each.text for each in similar}) == len(similar) <= 20
    other = paraphrase(model, texts, recipe(folder, seed=1), device=CPU).similar
    assert other != together


def test_enough_is_drawn_for_what_is_wanted(folder):
    assert recipe(folder).decoding == Sampling(count=100, top_k=5)
    assert recipe(folder, keep=150).decoding.count == 750
    assert recipe(folder, "decoding.kind=beam", keep=30).decoding == Beam(width=30)
    assert recipe(folder, "decoding.count=7").decoding.count == 7


def test_vectors_of_a_model_without_simberts_pooler(tmp_path):
    unilm = load_writing_model(write_model(tmp_path / "unilm", form=AppendedMask()))
    assert unilm.sentences.task.pooling == "first-last-avg"
    assert any("does not say how its vectors are pooled" in note for note in unilm.notes)
    bare = load_writing_model(write_model(tmp_path / "bare", without="pooler"))
    assert bare.sentences.task.pooling == "cls"
    assert any("no pooler" in note for note in bare.notes)
    asked = load_writing_model(write_model(tmp_path / "asked"), pooling="mean")
    assert asked.sentences.task.pooling == "mean"
    assert not asked.sentences.task.projections


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"form": None}, "not_generative", "form.kind=shifted"),
        ({"without": "mlm"}, "no_language_model", "contrast --method simbert"),
        ({"without": "mlm", "form": None}, "no_language_model", "bertsmith convert --trained-as simbert"),
    ],
)
def test_models_that_cannot_write_are_refused(changes, code, word, tmp_path):
    with pytest.raises(UserError, match=word) as caught:
        load_writing_model(write_model(tmp_path, **changes))
    assert caught.value.code == code


def test_a_user_may_know_better(tmp_path):
    folder = write_model(tmp_path, form=None)
    model = load_writing_model(folder, form=Shifted())
    assert paraphrase(model, [TEXT], recipe(folder), device=CPU).similar[0]


def test_no_mask_token_to_ask_with(tmp_path):
    folder = write_model(tmp_path, form=AppendedMask())
    words = (folder / "vocab.txt").read_text(encoding="utf-8")
    for name in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text(words.replace("[MASK]", "[gap]"), encoding="utf-8")
    with pytest.raises(UserError, match=r"asked for by a \[MASK\]"):
        load_writing_model(folder)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_to_write_about(folder, text):
    with pytest.raises(UserError, match="text 2 is"):
        paraphrase(load_writing_model(folder), [TEXT, text], recipe(folder), device=CPU)


def test_long_and_unknown_texts_are_said(folder):
    made = paraphrase(load_writing_model(folder), [TEXT * 9, "😀😀"], recipe(folder), device=CPU)
    assert (made.counted.truncated_texts, made.counted.truncated_tokens) == (1, 63 - 14)
    notes = " ".join(made.counted.notes(recipe(folder)))
    assert "1 of 2 texts are longer than 16 tokens" in notes
    assert "no token the vocabulary knows" in notes
    assert "[UNK]" not in "".join(each.text for some in made.similar for each in some)


def test_more_tokens_than_positions(tmp_path):
    folder = write_model(tmp_path, positions=20)
    with pytest.raises(UserError, match="more than the 20 positions"):
        paraphrase(load_writing_model(folder), [TEXT], recipe(folder), device=CPU)


def test_the_python_front(folder):
    front = Paraphraser(folder, settings=SHORT)
    first = front.generate([TEXT, "退款"], n=4)
    assert [len(some) for some in first] == [4, 4]
    assert first[0][0].score >= first[0][1].score
    assert front.counted_.texts == 2
    assert Paraphraser(folder, settings=SHORT).generate([TEXT], n=4)[0] == first[0]
    assert front.set_params(samples=5).generate([TEXT], n=4)[0] != first[0]
    assert front.counted_.written == 5
    assert front.get_params()["samples"] == 5
    with pytest.raises(UserError, match="list of texts"):
        front.generate(TEXT)
    with pytest.raises(UserError, match=r"inputs\[0\]"):
        front.generate([" "])
    with pytest.raises(UserError, match="count"):
        Paraphraser(folder, settings=["decoding.count=0"]).generate([TEXT])


# A judge.


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A classifier of pairs, trained for a moment."""
    folder = tmp_path_factory.mktemp("judge")
    rows = [f"退货多久{end},怎么办理{end},{number % 2}" for number, end in enumerate("退货款多久能到账怎么办理" * 2)]
    (folder / "pairs.csv").write_text("\n".join(["text,text_pair,label", *rows]) + "\n", encoding="utf-8")
    (folder / "shape.json").write_text(json.dumps(SHAPE))
    line = ["finetune", "--task", "pair", "--encoder", folder / "shape.json", "--train", folder / "pairs.csv"]
    sizes = ["--epochs", "1", "--set", "start.vocabulary.size=60", "--set", "precision=float32"]
    assert main([str(part) for part in (*line, *sizes, "--out", folder / "out")]) == 0
    return folder / "out"


def test_a_judge_says_what_means_the_same(folder, judge):
    model = load_writing_model(folder)
    plain = paraphrase(model, [TEXT, "退款"], recipe(folder, keep=5), device=CPU)
    asked = Judge.load(str(judge))
    made = paraphrase(model, [TEXT, "退款"], recipe(folder, keep=5), device=CPU, judge=asked)
    ours, theirs = ([[each[:2] for each in some] for some in one.similar] for one in (made, plain))
    assert ours == theirs
    for text, some in zip([TEXT, "退款"], made.similar, strict=True):
        chances = asked([text] * len(some), [each.text for each in some], device=CPU)
        assert [each.equivalent for each in some] == pytest.approx(chances.tolist(), abs=1e-5)
    judged = made.counted.judged()
    assert judged["pairs"] == made.counted.given == 10
    share = np.mean([each.equivalent >= 0.5 for some in made.similar for each in some])
    assert judged["equivalent"] == pytest.approx(share)
    assert 0 <= judged["one_edit"] <= 1
    front = Paraphraser(folder, settings=(*SHORT, f"judge={judge}"))
    assert front.generate([TEXT], n=5)[0] == list(made.similar[0])


def test_the_judge_in_the_object(folder, judge, capsys):
    line = ["paraphrase", "--model", folder, TEXT, "--n", "3", "--judge", judge]
    told = call(capsys, *line, *NEAR, "--json")
    assert told.code == 0, told.err
    (result,) = told.json["results"]
    assert [set(each) for each in result["similar"]] == [{"text", "score", "equivalent"}] * 3
    assert set(told.json["judged"]) == {"pairs", "equivalent", "one_edit"}
    assert 0 < told.json["distinct_2"] <= 1
    assert "edits of one character" in call(capsys, *line, *NEAR).err


@pytest.mark.parametrize(("label", "match"), [("yes", "knows the labels 0, 1, not 'yes'")])
def test_judges_that_cannot(judge, label, match, folder):
    with pytest.raises(UserError, match=match):
        Judge.load(str(judge), label=label)
    with pytest.raises(UserError, match="no fine-tuned task"):
        Judge.load(str(folder))
    assert recipe(folder, "judge_label=1").judge_label == "1"
    with pytest.raises(UserError, match="put the label in quotes"):
        recipe(folder, "judge_label=yes")
    assert recipe(folder, 'judge_label="yes"').judge_label == "yes"
