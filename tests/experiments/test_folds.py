"""Cross-validation on a stand-in, and for each kind of task with tiny models."""

import json

import numpy as np
import pytest

from bertsmith import Classifier, Regressor, Tagger, cross_validate
from bertsmith.data import Record, fold_records, stratified_folds
from bertsmith.errors import UserError
from bertsmith.experiments import Folding, folds_recipe
from bertsmith.experiments import cross_validate as validate
from bertsmith.experiments.folds import pooled
from bertsmith.finetuning import Outputs
from bertsmith.recipes import Rows

from ..tiny import SHAPE, rows
from .conftest import records
from .inline import run_inline


def test_every_label_is_spread_evenly():
    labels = ["a"] * 11 + ["b"] * 7 + ["c"] * 3
    folds = stratified_folds(labels, folds=3, seed=0)
    for label in "abc":
        counts = np.bincount(folds[np.array(labels) == label], minlength=3)
        assert counts.max() - counts.min() <= 1
    assert np.bincount(folds).tolist() == [7, 7, 7]


def test_folds_hang_on_the_seed_and_the_texts_not_on_their_order():
    some = records(40)
    first = fold_records(some, folds=4, seed=1)
    assert (fold_records(some, folds=4, seed=1) == first).all()
    assert (fold_records(some, folds=4, seed=2) != first).any()
    turned = fold_records(some[::-1], folds=4, seed=1)[::-1]
    assert (turned == first).all()


def test_groups_and_equal_texts_share_a_fold():
    some = [Record(f"text {number // 2}", None, "ab"[number % 4 // 2]) for number in range(40)]
    folds = fold_records(some, folds=3, seed=0)
    by_text = {(record.text, fold) for record, fold in zip(some, folds.tolist(), strict=True)}
    assert len(by_text) == 20
    with pytest.raises(ValueError, match="at least two folds"):
        stratified_folds(["a", "b"], folds=1, seed=0)
    several = [Record(str(number), None, "ab"[number % 2], {"who": str(number % 5)}) for number in range(40)]
    grouped = fold_records(several, folds=3, seed=0, group_column="who")
    assert len({(n % 5, fold) for n, fold in enumerate(grouped.tolist())}) == 5


def test_numbers_are_spread_by_size():
    numbers = [float(number) for number in range(100)]
    folds = stratified_folds(numbers, folds=5, seed=0)
    means = [np.mean(np.array(numbers)[folds == fold]) for fold in range(5)]
    assert np.bincount(folds).tolist() == [20] * 5
    assert max(means) - min(means) < 6


def test_outputs_come_back_in_the_order_of_the_rows():
    fold_of = np.array([1, 0, 1, 0])
    one, two = (Outputs(np.array([[value], [value + 1]], dtype=np.float32)) for value in (10, 20))
    assert pooled([one, two], fold_of).values[:, 0].tolist() == [20, 10, 21, 11]
    one = Outputs(np.ones((3, 1), dtype=np.float32), np.array([1, 2]), np.array([7, 8, 9]))
    two = Outputs(np.zeros((2, 1), dtype=np.float32), np.array([0, 2]), np.array([1, 2]))
    found = pooled([one, two], fold_of)
    assert found.counts.tolist() == [0, 1, 2, 2]
    assert found.best.tolist() == [7, 1, 2, 8, 9]


def test_too_few_rows_are_refused(runner, recipe):
    same = [Record("the same", None, "a")] * 5 + [Record("other", None, "b")] * 5
    with pytest.raises(UserError, match="10 rows fill only 2 of 5 folds, since equal texts"):
        validate(recipe, Folding(), Rows(tuple(same), "few.csv"), runner())


def test_a_failed_fold_is_told(runner, recipe):
    failing = recipe.but(optimizer=recipe.optimizer.but(lr=2.0))
    with pytest.raises(UserError, match="fold 1 of 2 failed, so some rows have no answer: the loss is not finite"):
        validate(failing, Folding(k=2), Rows(tuple(records(24)), "rows"), runner())


def test_wrong_foldings_are_refused():
    with pytest.raises(UserError, match="greater than or equal to 2"):
        folds_recipe(given={"start": {"encoder": "tiny"}, "folds": {"k": 1}})


@pytest.fixture
def shape(tmp_path, monkeypatch):
    run_inline(monkeypatch)
    path = tmp_path / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return path


def settings(*more):
    return ["precision=float32", "budget.epochs=4", "optimizer.lr=0.01", "batches.batch_size=8", *more]


def test_an_estimator_is_cross_validated_and_answers_as_all_its_folds(shape, tmp_path):
    texts, labels = map(list, zip(*rows(36), strict=True))
    made = Classifier(encoder=str(shape), settings=settings())
    classifier, found = cross_validate(made, texts, labels, k=2, processes=2, folder=tmp_path / "folds")
    assert not hasattr(made, "_bundle")
    assert len(found.metrics) == 2
    assert found.mean["accuracy"] == pytest.approx(np.mean([each["accuracy"] for each in found.metrics]))
    answered = found.measured.outputs.values.argmax(1)
    truth = np.array([sorted(set(labels)).index(label) for label in labels])
    assert found.measured.metrics["accuracy"] == pytest.approx(np.mean(answered == truth))
    for fold in range(2):
        held = found.fold_of == fold
        assert found.metrics[fold]["accuracy"] == pytest.approx(np.mean((answered == truth)[held]))
        alone = found.ensemble.members[fold]
        other = [Record(texts[row]) for row in np.flatnonzero(held)]
        said = alone.outputs(alone.prepare(other), device=alone.model.encoder.embeddings.token.weight.device)
        np.testing.assert_allclose(said.values, found.measured.outputs.values[held], atol=1e-5)
    assert classifier.predict(texts[:3]).shape == (3,)
    assert (tmp_path / "folds" / "trials.jsonl").exists()
    _, again = cross_validate(made, texts, labels, k=2, folder=tmp_path / "folds")
    assert again.outcomes == found.outcomes
    with pytest.raises(UserError, match="36 texts but 2 groups"):
        cross_validate(made, texts, labels, groups=[1, 2])


def test_numbers_are_cross_validated_on_the_fold_itself(shape):
    texts, _ = map(list, zip(*rows(24), strict=True))
    numbers = [float(len(text.split())) for text in texts]
    regressor, found = cross_validate(
        Regressor(encoder=str(shape), settings=settings()), texts, numbers, k=2, select_on="fold"
    )
    assert set(found.mean) == {"spearman", "pearson"}
    assert "a little too good" in found.notes[-1]
    assert regressor.predict(texts).shape == (24,)


def test_a_fold_of_equal_numbers_has_no_figure_of_its_own(shape):
    texts = [text for text, _ in rows(24)]
    truth = [0.0] * 23 + [1.0]
    regressor = Regressor(encoder=str(shape), settings=settings("data.dev_share=0.4", "budget.epochs=1"))
    with pytest.raises(UserError, match="a correlation needs two numbers that differ, but all"):
        cross_validate(regressor, texts, truth, k=2)
    _, found = cross_validate(regressor, texts, [1.0] * 3 + [0.0] * 21, k=4)
    assert {} in found.metrics
    assert set(found.measured.metrics) == {"spearman", "pearson"}


def test_a_label_that_only_the_fold_has_may_be_weighed(shape):
    texts, labels = map(list, zip(*rows(24), strict=True))
    weighted = settings("criterion.class_weights=balanced", "budget.epochs=1")
    made = Classifier(encoder=str(shape), settings=weighted)
    _, found = cross_validate(made, texts, [*labels[:-1], "alone"], k=2)
    assert len(found.metrics) == 2


def test_taggers_are_cross_validated(shape):
    tokens = [text.split() for text, _ in rows(24)]
    tags = [["B-X" if word in ("film", "town", "a") else "O" for word in words] for words in tokens]
    tagger, found = cross_validate(
        Tagger(encoder=str(shape), settings=settings("criterion.kind=crf")), tokens, tags, k=2, processes=2
    )
    assert set(found.mean) == {"precision", "recall", "f1"}
    assert len(found.measured.outputs) == 24
    assert len(tagger.predict(tokens[:2])) == 2
