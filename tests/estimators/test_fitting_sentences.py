"""`SentenceEncoder.fit`: the method follows from what is given."""

from itertools import pairwise

import numpy as np
import pytest

from bertsmith import SentenceEncoder
from bertsmith.cli import main
from bertsmith.errors import UserError
from bertsmith.estimators.items import items_of, usual_method

from ..tiny import arguments, write_files

TEXTS = [f"old film about a town {number} and people" for number in range(30)]
PAIRS = list(pairwise(TEXTS))
NUMBERS = [number % 5 for number in range(29)]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A tiny checkpoint."""
    folder = tmp_path_factory.mktemp("start")
    write_files(folder)
    assert main(arguments(folder, epochs="1")) == 0
    return str(folder / "out")


@pytest.mark.parametrize(
    ("items", "labels", "method", "kind"),
    [
        (TEXTS, None, "simcse", "texts"),
        (PAIRS, None, "ranking", "pairs"),
        (PAIRS, NUMBERS, "cosent", "scored"),
        (PAIRS, ["yes", "no"] * 14 + ["no"], "sbert", "labelled"),
        ([(*pair, TEXTS[0]) for pair in PAIRS], None, "simcse-supervised", "triplets"),
    ],
)
def test_the_method_that_needs_nothing_else(items, labels, method, kind):
    assert usual_method(items, labels) == method
    assert items_of(items, labels, method=method, name="train").kind == kind


def test_fit_moves_the_vectors_and_keeps_the_best(model, tmp_path):
    encoder = SentenceEncoder(model, pooling="mean", device="cpu")
    before = encoder.encode(TEXTS)
    encoder.fit(PAIRS, NUMBERS, dev=(PAIRS, NUMBERS), epochs=2, batch_size=8, settings=["precision=float32"])
    assert np.abs(encoder.encode(TEXTS) - before).max() > 1e-4
    assert set(encoder.result_.last.measured) == {"dev"}
    encoder.save(tmp_path / "out")
    np.testing.assert_allclose(SentenceEncoder.load(tmp_path / "out").encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


def test_what_the_encoder_was_told_holds_while_it_learns_and_afterwards(model):
    encoder = SentenceEncoder(model, pooling="first-last-avg", max_length=7, normalize=True, dim=5, device="cpu")
    encoder.fit(PAIRS, NUMBERS, epochs=1, settings=["budget.max_steps=1"])
    stage = encoder.result_.recipe.stages[0]
    assert (stage.features.pooling, encoder.result_.recipe.max_length) == ("mean", 7)
    assert stage.features == encoder.bundle.task.features
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-3)


def test_groups_of_any_size(model):
    groups = [TEXTS[start : start + 2 + start % 2] for start in range(0, 28, 3)]
    with pytest.raises(UserError, match="items have 2 or 3 texts"):
        SentenceEncoder(model).fit(groups)
    encoder = SentenceEncoder(model, device="cpu").fit(groups, method="simbert", epochs=1)
    assert "mlm" in encoder.bundle.heads


def test_what_does_not_fit(model):
    with pytest.raises(UserError, match="29 pairs but 1 labels"):
        SentenceEncoder(model).fit(PAIRS, [1.0])
    with pytest.raises(UserError, match="nothing to learn from"):
        SentenceEncoder(model).fit([])


@pytest.mark.parametrize(
    ("items", "labels", "method", "code"),
    [
        (PAIRS, [3] * 29, "cosent", "constant_scores"),
        (PAIRS, [3.0] * 29, "cosent", "constant_scores"),
        (TEXTS[:1] * 2, None, "simcse", "too_few_rows"),
        ([(TEXTS[0], TEXTS[1])], None, "ranking", "too_few_rows"),
    ],
)
def test_items_that_teach_nothing_are_refused(model, items, labels, method, code):
    encoder = SentenceEncoder(model, pooling="mean", device="cpu")
    with pytest.raises(UserError) as caught:
        encoder.fit(items, labels, method=method, dev=(PAIRS, NUMBERS), epochs=1)
    assert caught.value.code == code
