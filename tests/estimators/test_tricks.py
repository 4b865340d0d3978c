"""Tricks for every kind of task: sets of labels, numbers, pairs in both orders, tokens."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith import Classifier, PairClassifier, Regressor, Tagger, UserError

from ..tiny import SHAPE, rows
from .test_tagger import SPANS
from .test_tagger import TEXTS as MARKED

FIXED = ["precision=float32", "batches.batch_size=8", "budget.epochs=2"]
TRICKS = [
    *("adversarial.kind=fgm", "r_drop.alpha=1", "averaging.kind=ema", "averaging.decay=0.9"),
    *("freeze.kind=gradual", 'optimizer.rates={"head.*": 0.02}'),
]
TEXTS = [text for text, _ in rows(40)]
KINDS: dict[str, tuple[type, list[str], Any, Any]] = {
    "label": (Classifier, ["criterion.kind=focal"], TEXTS, [label for _, label in rows(40)]),
    "labels": (Classifier, [], TEXTS, [[label, "any"] for _, label in rows(40)]),
    "number": (Regressor, ["criterion.kind=huber"], TEXTS, [len(text) / 7 for text in TEXTS]),
    "pair": (
        PairClassifier,
        ["task.symmetric=true", "calibrate=true"],
        [(text, TEXTS[0]) for text in TEXTS],
        [label for _, label in rows(40)],
    ),
    "tokens": (Tagger, ["criterion.kind=cross_entropy"], MARKED, SPANS),
}


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_with_a_teacher_and_all_tricks(kind: str, shape: str, tmp_path: Path):
    make, settings, texts, truth = KINDS[kind]
    teacher = make(encoder=shape, lr=0.01, settings=[*FIXED, *settings]).fit(texts, truth)
    teacher.save(tmp_path / "teacher")
    tricks = [*FIXED, *settings, *TRICKS, f"distill.teacher={tmp_path / 'teacher'}"]
    one, two = (make(encoder=shape, lr=0.01, settings=tricks).fit(texts, truth) for _ in range(2))
    assert str(one.predict(texts[:9])) == str(two.predict(texts[:9]))
    assert np.isfinite(one.score(texts, truth))


def test_a_crf_refuses_r_drop(shape: str):
    with pytest.raises(UserError, match="criterion crf cannot compare two scorings"):
        Tagger(encoder=shape, settings=[*FIXED, "criterion.kind=crf", "r_drop.alpha=1"]).fit(MARKED, SPANS)


def test_a_teacher_of_marks_may_have_another_vocabulary_but_not_other_types(shape: str, tmp_path: Path):
    plain = [*FIXED, "criterion.kind=cross_entropy"]
    small = [*plain, "start.vocabulary.size=40"]
    teacher = Tagger(encoder=shape, settings=small).fit(MARKED, SPANS)
    teacher.save(tmp_path / "teacher")
    taught = [*plain, f"distill.teacher={tmp_path / 'teacher'}"]
    student = Tagger(encoder=shape, settings=taught).fit(MARKED, SPANS)
    sizes = [each.result_.bundle.tokenizer.vocab_size for each in (teacher, student)]
    assert sizes[0] < sizes[1]
    one_type = [[span for span in spans if span[2] == "PER"] for spans in SPANS]
    with pytest.raises(UserError, match="knows a label that the training texts do not have: 'B-LOC'") as caught:
        Tagger(encoder=shape, settings=taught).fit(MARKED, one_type)
    assert caught.value.code == "teacher_mismatch"
