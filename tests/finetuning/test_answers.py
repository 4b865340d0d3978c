"""Every kind of task: what it learns of rows, and how truth, outputs, figures and rows of answers agree."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.features import Features
from bertsmith.finetuning import (
    AIMS,
    Aim,
    Answers,
    Classification,
    MultiLabel,
    Outputs,
    Pair,
    Regression,
    Targets,
    prepare,
)
from bertsmith.finetuning.answers import AnyAnswers
from bertsmith.finetuning.documents import Truncate
from bertsmith.finetuning.task import require_fit
from bertsmith.heads import Linear
from bertsmith.losses import CrossEntropy
from bertsmith.text import train_vocabulary

LABELS = {
    "classification": ["b", "a", "b", "c"],
    "pair": ["1", "0", "1", "10"],
    "multilabel": [("b",), (), ("a", "b"), ("a",)],
    "regression": [3.0, -1.0, 7.5, 3.0],
}


def rows(aim: Aim) -> list[Record]:
    second = "two" if aim.pairs else None
    labels = LABELS[aim.name]
    return [Record("one", second, label, where=f"f:{number}") for number, label in enumerate(labels)]


AIMS_HERE = [
    Classification(),
    Pair(),
    Pair(symmetric=True),
    MultiLabel(),
    MultiLabel(threshold="per_label", tune_for="macro_f1"),
    MultiLabel(threshold=0.4),
    Regression(),
    Regression(texts="pair", symmetric=True),
]


@pytest.fixture(params=AIMS_HERE, ids=str)
def aim(request) -> Aim:
    return request.param


@pytest.fixture
def answers(aim) -> Answers:
    return aim.learn(rows(aim))


def test_what_is_learned_keeps_the_choices_and_survives_json(aim, answers):
    assert {name: getattr(answers, name) for name in type(aim).model_fields} == dict(aim)
    assert TypeAdapter(AnyAnswers).validate_json(answers.model_dump_json()) == answers
    assert AIMS[aim.name] is type(aim)


def test_outputs_that_know_everything_are_perfect(aim, answers):
    truth = answers.targets(rows(aim))
    outputs = answers.perfect(truth)
    assert all(value == pytest.approx(1.0) for value in answers.metrics(outputs, truth).values())
    assert answers.intervals(outputs, truth, seed=0).keys() == answers.metrics(outputs, truth).keys()
    for record, said in zip(rows(aim), outputs.split(), strict=True):
        assert answers.row(record, said)["prediction"] == pytest.approx(answers.truth_of(record))


def test_a_row_has_a_column_a_label_on_request(aim, answers):
    outputs = Outputs(np.full((1, len(answers.names)), 0.3, dtype=np.float32))
    row = answers.row(rows(aim)[0], outputs, probabilities=True)
    expected = set() if aim.name == "regression" else {f"probability_{label}" for label in answers.names}
    assert {name for name in row if name.startswith("probability_")} == expected


def test_labels_are_in_order_and_counted():
    answers = Classification().learn(rows(Classification()))
    assert answers.names == ("a", "b", "c")
    assert answers.facts(answers.targets(rows(Classification()))).counts == (1, 2, 1)
    assert Pair().learn(rows(Pair())).names == ("0", "1", "10")
    several = MultiLabel().learn(rows(MultiLabel()))
    facts = several.facts(several.targets(rows(MultiLabel())))
    assert (facts.labels, facts.counts, facts.items) == (("a", "b"), (2, 2), 4)


@pytest.mark.parametrize("label", ["z", ("a", "z")])
def test_an_unknown_label_is_refused(label):
    kind = MultiLabel() if isinstance(label, tuple) else Classification()
    with pytest.raises(UserError, match="f:9: label 'z' is not one this model knows"):
        kind.learn(rows(kind)).require_measurable([*rows(kind), Record("one", None, label, where="f:9")], "f")


def test_numbers_that_do_not_differ_have_no_figures():
    answers = Regression().learn(rows(Regression()))
    same = [Record("one", None, 3.5), Record("two", None, 3.5)]
    truth = answers.targets(same)
    outputs = Outputs(np.array([[0.1], [0.2]], dtype=np.float32))
    assert answers.metrics(outputs, truth) == answers.intervals(outputs, truth, seed=0) == {}
    with pytest.raises(UserError, match=r"^same\.csv: a correlation needs two numbers that differ, but all 2 are 3\.5"):
        answers.require_measurable(same, "same.csv")


def test_numbers_are_standardised_and_undone():
    answers = Regression().learn(rows(Regression()))
    truth = answers.targets(rows(Regression()))
    assert truth.values.mean() == pytest.approx(0, abs=1e-6)
    assert truth.values.std() == pytest.approx(1)
    np.testing.assert_allclose(answers.numbers(truth.values), LABELS["regression"], rtol=1e-6)
    off = answers.details(Outputs(truth.values + np.float32(1)), truth)
    assert off["mean_absolute_error"] == off["mean_error"] == pytest.approx(answers.scale)


# Thresholds.


def several(**choices: object) -> Answers:
    return MultiLabel(**choices).learn(rows(MultiLabel()))


CHANCES = Outputs(np.array([[0.2, 0.3], [0.1, 0.05], [0.3, 0.4], [0.35, 0.1]], dtype=np.float32))


def test_thresholds_are_tuned_on_request():
    truth = several().targets(rows(MultiLabel()))
    assert several().metrics(CHANCES, truth)["micro_f1"] == 0.0
    one = several().tuned(CHANCES, truth)
    assert one.cuts[0] == one.cuts[1]
    assert one.metrics(CHANCES, truth)["micro_f1"] > 0.8
    each = several(threshold="per_label").tuned(CHANCES, truth)
    assert each.metrics(CHANCES, truth) == {"micro_f1": 1.0, "macro_f1": 1.0}
    fixed = several(threshold=0.25)
    assert fixed.tuned(CHANCES, truth) == fixed
    assert fixed.cuts == (0.25, 0.25)


def test_confidence_is_the_chance_that_every_decision_is_right():
    row = several(threshold=0.25).row(rows(MultiLabel())[0], CHANCES.split()[0])
    assert row == {"prediction": ["b"], "confidence": pytest.approx(0.8 * 0.3, abs=1e-6)}


# Pairs without an order.


def test_both_orders_are_read_and_equally_long():
    tokenizer = train_vocabulary(["one two three four five six seven"] * 3, size=200)
    made = prepare(["one two three", "six"], ["four", "one two three four"], tokenizer, Truncate(), max_length=6)
    assert len(made.views) == 1
    both = Pair(symmetric=True).prepare(
        [Record("one two three", "four"), Record("six", "one two three four")], tokenizer, Truncate(), max_length=6
    )
    assert len(both.views) == 2
    assert tokenizer.tokens(both.views[1][0].sequences[0].token_ids)[1] == "four"
    assert [len(a) for a in both.views[0]] == [len(b) for b in both.views[1]]


@pytest.mark.parametrize("aim", [Classification(), Pair()])
def test_texts_and_pairs_are_not_mixed_up(aim):
    tokenizer = train_vocabulary(["one two three"] * 3, size=100)
    wrong = Record("one", None if aim.pairs else "two")
    with pytest.raises(UserError, match="this task reads"):
        aim.prepare([wrong], tokenizer, Truncate(), max_length=8)


# Parts that do not fit.


@pytest.mark.parametrize(
    ("aim", "features", "criterion", "said"),
    [
        (MultiLabel(), Features(), CrossEntropy(), "criterion cross_entropy does not fit task multilabel"),
        (Classification(), Features(pooling="tokens"), CrossEntropy(), "set features.pooling to cls"),
    ],
)
def test_parts_that_do_not_fit_are_refused(aim, features, criterion, said):
    with pytest.raises(ValueError, match=said):
        require_fit(aim, document=Truncate(), features=features, head=Linear(), criterion=criterion)


# Targets and outputs.


def test_targets_of_some_texts():
    ragged = Targets(np.arange(6), np.array([2, 0, 3, 1]))
    assert len(ragged) == 4
    assert ragged.of(np.array([2, 0])).tolist() == [2, 3, 4, 0, 1]
    assert [part.tolist() for part in ragged.split()] == [[0, 1], [], [2, 3, 4], [5]]
    plain = Targets(np.arange(6).reshape(3, 2))
    assert plain.of(np.array([2, 0])).tolist() == [[4, 5], [0, 1]]
    assert [part.tolist() for part in plain.split()] == [[[0, 1]], [[2, 3]], [[4, 5]]]


def test_outputs_of_each_text():
    values = np.arange(12.0).reshape(6, 2)
    ragged = Outputs(values, np.array([2, 0, 4]), np.arange(6))
    assert [len(part.values) for part in ragged.split()] == [2, 0, 4]
    assert [part.best.tolist() for part in ragged.split()] == [[0, 1], [], [2, 3, 4, 5]]
    assert [part.values.tolist() for part in Outputs(values).split()] == [[row] for row in values.tolist()]
