"""Tagging on the model: only first tokens get tags, long texts are one chain, answers keep to the scheme."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.testing import assert_close

from bertsmith.batch import Example
from bertsmith.data import Marks, Record
from bertsmith.finetuning import (
    LabelledBatch,
    Reading,
    Tagging,
    TaggingAnswers,
    Windows,
    pack_readings,
    predict,
)
from bertsmith.text import train_vocabulary
from bertsmith.text.tags import SCHEMES, Span

from .samples import VOCABULARY, tuner

CPU = torch.device("cpu")
TOKENIZER = train_vocabulary(["彭小军认为国内银行 unbelievable words 1963"] * 5, size=120)
ANSWERS = {"kind": "tagging", "types": ("ORG", "PER"), "scheme": "BIO", "units": "words"}
PARTS = {"features": {"pooling": "tokens"}, "document": {"kind": "windows"}}
HEADS: list[dict[str, Any]] = [
    {},
    {"criterion": {"kind": "crf"}},
    {"criterion": {"kind": "crf"}, "head": {"kind": "bilstm", "hidden": 4, "dropout": 0.0}},
]


def tagger(**changes: object):
    model = tuner(answers=ANSWERS, **{**PARTS, **changes})
    generator = torch.Generator().manual_seed(3)
    for parameter in model.criterion.parameters():
        parameter.data.normal_(generator=generator)
    return model


def readings(lengths, seed=0):
    """Texts of one or two windows with some of their tokens to be tagged."""
    random = np.random.default_rng(seed)
    made = []
    for number, length in enumerate(lengths):
        parts = [length] if number % 2 else [length, length + 1]
        sequences = tuple(Example(random.integers(5, VOCABULARY, n), np.zeros(n, dtype=np.int64)) for n in parts)
        made.append(Reading(sequences, tuple(np.flatnonzero(random.random(n) < 0.6) for n in parts)))
    return made


@pytest.mark.parametrize("parts", HEADS, ids=["linear", "crf", "bilstm-crf"])
def test_prediction_does_not_depend_on_company(parts):
    model, texts = tagger(**parts), readings([3, 7, 5, 2])
    together = predict(model, [texts], device=CPU)
    for one, text in zip(together.split(), texts, strict=True):
        alone = predict(model, [[text]], device=CPU)
        assert_close(one.values, alone.values, atol=1e-6, rtol=0)
        assert one.best.tolist() == alone.best.tolist()
        assert len(one.best) == text.items


@pytest.mark.parametrize("parts", HEADS, ids=["linear", "crf", "bilstm-crf"])
def test_tokens_without_a_tag_do_not_reach_the_loss(parts):
    """Sub-words, special tokens and padding (there is none) have no row, no gradient, no share in the CRF."""
    model, texts = tagger(**parts), pack_readings(readings([4, 6]))
    targets = torch.zeros(len(texts.places), dtype=torch.int64)
    seen: list[torch.Tensor] = []
    features = model.features.forward

    def watched(*given):
        seen.append(features(*given).detach().requires_grad_())
        return seen[-1]

    model.features.forward = watched
    loss = model(LabelledBatch(texts, targets))["loss"]
    loss.backward()
    untagged = torch.ones(texts.num_tokens, dtype=torch.bool)
    untagged[texts.places] = False
    assert untagged.any()
    assert (seen[0].grad[untagged] == 0).all()
    assert (seen[0].grad[~untagged] != 0).any()
    changed = seen[0].detach().clone()
    changed[untagged] = 1e4
    model.features.forward = lambda *given: changed
    assert torch.equal(model(LabelledBatch(texts, targets))["loss"], loss)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(["BIO", "BIOES", "BMES"]))
def test_crf_predictions_never_break_the_scheme_across_windows(seed, scheme):
    model = tuner(answers={**ANSWERS, "scheme": scheme}, seed=seed, criterion={"kind": "crf"}, **PARTS)
    model.head.linear.weight.data *= 1000
    names = model.task.labels
    for one in predict(model, [readings([9, 5, 8], seed)], device=CPU).split():
        assert not list(SCHEMES[scheme].problems([names[number] for number in one.best]))


def record(text, *spans, units=None):
    marks = Marks(tuple(Span(*span) for span in spans), units)
    return Record(text, None, tuple(sorted({span.type for span in marks.spans})), {}, "train[0]", marks)


def test_learning_types_scheme_and_units():
    words = [record("彭小军 in unbelievable", (0, 3, "PER"), (7, 19, "ORG"))] * 3
    learned = Tagging().learn(words)
    assert (learned.types, learned.scheme, learned.units) == (("ORG", "PER"), "BIO", "words")
    assert learned.names == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    cut = record("unbelievable", (0, 2, "PER"))
    assert Tagging().learn([*words, cut]).units == "characters"
    assert Tagging(units="words", scheme="BIOES").learn([cut]).scheme == "BIOES"
    assert "1 spans begin or end inside a unit" in Tagging(units="words").learn([cut]).notes("train", [cut])[0]


def test_targets_windows_and_rows_agree():
    answers = TaggingAnswers(types=("ORG", "PER"), scheme="BIO", units="words")
    rows = [record("彭小军 unbelievable 国内银行", (0, 3, "PER"), (17, 21, "ORG")), record("words")]
    prepared = answers.prepare(rows, TOKENIZER, Windows(overlap=2), max_length=6)
    truth = answers.targets(rows, prepared)
    assert [reading.items for reading in prepared.readings] == truth.counts.tolist() == [8, 1]
    assert len(prepared.readings[0].sequences) > 1
    outputs = answers.perfect(truth)
    assert answers.metrics(outputs, truth) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    first, second = outputs.split()
    told = answers.row(rows[0], first, probabilities=True)
    assert told["prediction"] == answers.truth_of(rows[0]) == [[0, 3, "PER"], [17, 21, "ORG"]]
    assert told["entities"] == ["彭小军", "国内银行"]
    assert told["confidence"] == [1.0, 1.0]
    assert len(told["tag_probabilities"]) == 8
    assert "predicted_tags" not in told
    assert answers.row(rows[1], second)["prediction"] == []
    details = answers.details(outputs, truth)
    assert details["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert details["errors"] == {"missed": 0, "invented": 0, "type": 0, "boundary": 0}


def test_tokens_of_a_file_are_the_units_and_get_tags_back():
    answers = TaggingAnswers(types=("ORG", "PER"), scheme="BMES", units="words")
    row = record("unbelievable1963", (0, 16, "PER"), units=((0, 12), (12, 14), (14, 16)))
    truth = answers.targets([row])
    assert [answers.names[number] for number in truth.values] == ["B-PER", "M-PER", "E-PER"]
    (one,) = answers.perfect(truth).split()
    assert answers.row(row, one)["predicted_tags"] == ["B-PER", "M-PER", "E-PER"]


def test_spans_that_cannot_be_found_count_as_missed():
    answers = TaggingAnswers(types=("PER",), scheme="BIO", units="words")
    truth = answers.targets([record("unbelievable words", (0, 2, "PER"), (13, 18, "PER"))])
    found = answers.metrics(answers.perfect(truth), truth)
    assert found == {"precision": 0.5, "recall": 0.5, "f1": 0.5}


def test_confidence_is_that_of_the_least_sure_tag():
    answers = TaggingAnswers(types=("PER",), scheme="BIO", units="words")
    row = record("彭小军", (0, 3, "PER"))
    (one,) = answers.perfect(answers.targets([row])).split()
    one.values[:] = [[0.1, 0.9, 0.0], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]]
    assert answers.row(row, one)["confidence"] == [0.6]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValidationError, match=r"set features\.pooling to tokens"):
        tuner(answers=ANSWERS)
    with pytest.raises(ValidationError, match="choose linear, mlp or bilstm"):
        tuner(answers=ANSWERS, features={"pooling": "tokens"}, head={"kind": "text_cnn"})
    with pytest.raises(ValidationError, match="document truncate does not fit task tagging; choose windows"):
        tuner(answers=ANSWERS, features={"pooling": "tokens"})


def test_a_long_document_is_encoded_in_parts(monkeypatch):
    model = tagger(criterion={"kind": "crf"})
    texts = readings([6] * 9)
    whole = predict(model, [texts], device=CPU)
    monkeypatch.setattr("bertsmith.finetuning.model.TOKENS_AT_ONCE", 15)
    parts = predict(model, [texts], device=CPU)
    assert_close(parts.values, whole.values, atol=1e-6, rtol=0)
    assert parts.best.tolist() == whole.best.tolist()
