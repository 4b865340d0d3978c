"""The tagger for Python: spans or tags in, spans or tags out, with scikit-learn's manners."""

import json

import numpy as np
import pytest
from sklearn.base import clone

from bertsmith import Classifier, Tagger, UserError
from bertsmith.estimators import Entity

from ..cli.test_tagging import made
from ..tiny import SHAPE

ROWS = made(48, 0)
TEXTS = [row["text"] for row in ROWS]
SPANS = [[tuple(span) for span in row["spans"]] for row in ROWS]
SETTINGS = ("precision=float32", "batches.batch_size=8", "criterion.kind=crf", "budget.epochs=10")


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


@pytest.fixture(scope="module")
def tagger(shape):
    return Tagger(encoder=shape, lr=0.01, settings=SETTINGS).fit(TEXTS, SPANS)


def test_spans_are_found_again_and_after_saving(tagger, tmp_path):
    assert tagger.score(TEXTS, SPANS) > 0.9
    assert tagger.classes_.tolist() == ["LOC", "PER"]
    found = tagger.predict(TEXTS[:5])
    assert all(isinstance(span, tuple) for spans in found for span in spans)
    tagger.save(tmp_path / "out")
    again = Tagger.load(tmp_path / "out")
    assert again.predict(TEXTS[:5]) == found
    with pytest.raises(UserError, match="load it with Tagger"):
        Classifier.load(tmp_path / "out")


def test_entities_tell_text_and_confidence(tagger):
    for text, spans, entities in zip(TEXTS, tagger.predict(TEXTS), tagger.entities(TEXTS), strict=True):
        assert [entity[:3] for entity in entities] == spans
        assert all(isinstance(entity, Entity) and text[entity.start : entity.end] == entity.text for entity in entities)
        assert all(0 < entity.confidence <= 1 for entity in entities)


def test_tokens_and_tags(shape):
    tokens = [text.split() for text in TEXTS]
    tags = [["B-" + kind if (kind := _kind(word)) else "O" for word in words] for words in tokens]
    model = Tagger(encoder=shape, lr=0.01, settings=SETTINGS).fit(tokens, tags, dev=(tokens[:9], tags[:9]))
    found = model.predict(tokens[:7])
    assert [len(answer) for answer in found] == [len(words) for words in tokens[:7]]
    assert np.mean([a == b for one, two in zip(found, tags, strict=False) for a, b in zip(one, two, strict=True)]) > 0.9
    assert model.predict([]) == []
    assert isinstance(model.predict(TEXTS[:1])[0], list)


def _kind(word):
    return {"anna": "PER", "bert": "PER", "rome": "LOC"}.get(word)


def test_parameters_are_cloned():
    model = Tagger("somewhere", lr=1e-4, settings=("criterion.kind=crf",))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("texts", "marks", "told"),
    [
        (["anna was"], [[(0, 9, "PER")]], r"train\[0\]: span \[0, 9"),
        (["anna was"], [], "1 texts but 0 lists"),
        ([["anna"]], [["B-PER", "O"]], "1 tokens but 2 tags"),
        ([["anna"]], [["PER"]], "'PER' is no tag"),
        ([["anna", "was"]], [["I-PER", "B-LOC"]], r"train\[0\]: I-PER cannot stand"),
        ([["anna", ""]], [["O", "O"]], r"inputs\[0\] holds"),
        ([[]], [[]], "is empty"),
    ],
)
def test_what_does_not_fit_is_refused(shape, texts, marks, told):
    with pytest.raises(UserError, match=told):
        Tagger(encoder=shape).fit(texts, marks)


def test_not_fitted():
    with pytest.raises(UserError, match="not fitted"):
        Tagger("somewhere").predict(["a"])
