"""The data of a stage, the figures it is measured by, and recipes of methods."""

import json
from contextlib import nullcontext

import numpy as np
import pytest

from bertsmith.data import ItemFile, TextItem
from bertsmith.errors import UserError
from bertsmith.losses import AllPairs, InBatch
from bertsmith.recipes import METHODS, contrast_recipe, make_item_splits
from bertsmith.recipes.contrast_data import training_items
from bertsmith.recipes.contrast_measuring import FOUND, ItemMeasure
from bertsmith.recipes.contrast_model import learner_for
from bertsmith.recipes.contrast_schema import ContrastRecipe
from bertsmith.recipes.schema import recipe_yaml
from bertsmith.sentences.items import alike

START = {"start": {"model": "tiny-zh"}}


def file(kind, *items, labels=None, name="train.csv") -> ItemFile:
    given = labels or [None] * len(items)
    return ItemFile(kind, tuple(TextItem(tuple(t), label) for t, label in zip(items, given, strict=True)), name)


def recipe(method: str, *settings: str, **given) -> ContrastRecipe:
    return contrast_recipe(method=method, given={**START, **given}, settings=settings)


def known(items) -> set[tuple[int, int]]:
    """Places that are alike when all items are one batch."""
    return {tuple(pair) for pair in alike(items.classes[items.draw(0)], items.partners).tolist()}


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_recipes_and_can_be_written_and_read(method, tmp_path):
    more = {"teacher": "tiny-zh"} if method == "distill" else {}
    made = recipe(method, **more)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_yaml(made))
    assert contrast_recipe(method=None, given={}, file=path) == made
    assert made.batches.window == 1  # negatives are drawn at random, not by their length


@pytest.mark.parametrize(("width", "rates"), [(256, [2e-4, 2e-4]), (768, [3e-5, 2e-5])])
def test_narrow_encoders_learn_at_a_higher_rate_in_every_stage(width, rates, tmp_path):
    (tmp_path / "config.json").write_text(f'{{"hidden_size": {width}}}')
    given = {**START, "start": {"model": str(tmp_path)}, "then": ["cosent"]}
    recipe = contrast_recipe(method="simcse", given=given)
    assert [recipe.optimizer.lr, recipe.then[0].optimizer.lr] == rates
    assert contrast_recipe(method="simcse", given=given, settings=["optimizer.lr=0.5"]).optimizer.lr == 0.5


def test_the_values_of_the_papers(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 768}')
    made = {name: recipe(name, start={"model": str(tmp_path)}) for name in ("simcse", "simcse-su", "simbert", "cosent")}
    simcse, su, simbert, cosent = made.values()
    assert simcse.loss == InBatch(temperature=0.05)
    assert (simcse.optimizer.lr, simcse.max_length, simcse.dropout) == (3e-5, 32, 0.1)
    assert su.loss == AllPairs(scale=20)
    assert (su.optimizer.lr, su.batches.batch_size, su.dropout, su.data.sample) == (1e-5, 64, 0.3, 10_000)
    assert simbert.loss == AllPairs(scale=30)
    assert (simbert.optimizer.lr, simbert.optimizer.weight_decay, simbert.max_length) == (2e-6, 0.01, 32)
    assert simbert.generation is not None
    assert (cosent.loss.scale, cosent.batches.batch_size, cosent.budget.epochs) == (20, 32, 5)


def test_stages_have_their_own_method_and_the_files_of_the_first():
    made = recipe("simbert", "then=[simcse-su, {method: cosent, data: {train: scored.csv}}]", data={"train": "g.jsonl"})
    assert [stage.method for stage in made.stages] == ["simbert", "simcse-su", "cosent"]
    assert [stage.data.train for stage in made.stages] == ["g.jsonl", "g.jsonl", "scored.csv"]
    assert made.stages[1].data.sample == 10_000
    with pytest.raises(UserError, match="there is none"):
        recipe("simbert", "then=[simces]")


def test_equal_texts_and_known_positives_are_found():
    pairs = file("pairs", ("a", "b"), ("A", "c"), ("d", "b"))
    items = training_items(
        make_item_splits(pairs, recipe("ranking", "data.dev_share=0.01"), seed=0), recipe("ranking"), seed=0
    )
    # places: a 0, b 1; A 2, c 3; d 4, b 5
    found = known(items)
    assert {(0, 2), (0, 3), (2, 1), (0, 5), (1, 5), (4, 1)} <= found
    assert (0, 4) not in found
    assert (1, 3) not in found


def test_texts_of_groups_that_share_a_text_are_alike():
    groups = file("groups", ("a", "b"), ("b", "c"), ("d", "e"))
    stage = recipe("simbert")
    items = training_items(make_item_splits(groups, stage, seed=0), stage, seed=0)
    classes = dict(zip(items.texts, items.classes.tolist(), strict=True))
    assert classes["a"] == classes["b"] == classes["c"] != classes["d"] == classes["e"]


def test_excluded_texts_leave_groups_but_take_pairs_with_them(tmp_path):
    out = tmp_path / "dev.csv"
    out.write_text("text\nB\n")
    exclude = f"data.exclude=[{out}]"
    groups = make_item_splits(file("groups", ("a", "b", "c"), ("d", "b")), recipe("simbert", exclude), seed=0)
    assert [item.texts for item in groups.train.items] == [("a", "c")]
    assert any("1 of 2 groups" in note or "one text only" in note for note in groups.notes)
    pairs = make_item_splits(file("pairs", ("a", "b"), ("c", "d"), ("e", "f")), recipe("ranking", exclude), seed=0)
    assert [item.texts for item in pairs.train.items] == [("c", "d"), ("e", "f")]


def test_texts_are_read_once_and_sampled():
    texts = file("texts", *[(f"text {number % 20}",) for number in range(40)])
    made = make_item_splits(texts, recipe("simcse", "data.sample=7"), seed=3)
    again = make_item_splits(texts, recipe("simcse", "data.sample=7"), seed=3)
    assert len(made.train.items) == 7
    assert made.train.items == again.train.items
    assert any("20 texts stand there again" in note for note in made.notes)


def test_what_stands_in_dev_too_is_said():
    train = file("scored", ("a", "b"), ("c", "d"), labels=[1.0, 0.0])
    dev = file("scored", ("A", "x"), ("y", "z"), labels=[1.0, 0.0], name="dev.csv")
    made = make_item_splits(train, recipe("cosent", data={"dev": "dev.csv"}), dev=dev, seed=0)
    assert any("1 of 4 texts of dev.csv also stand in the training data" in note for note in made.notes)


VECTORS = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)


def test_figures_of_groups_and_of_an_encoder_to_which_all_is_the_same():
    measure = ItemMeasure.of(file("groups", ("a", "c"), ("b", "d")))
    order = [measure.numbered.texts.index(text) for text in ("a", "b", "c", "d")]
    vectors = np.zeros_like(VECTORS)
    vectors[order] = VECTORS
    found = measure.metrics(vectors)
    assert set(found) == set(FOUND) == set(measure.names)
    assert found["mrr"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)
    assert found["hit@1"] == 0
    flat = measure.metrics(np.ones((4, 1), dtype=np.float32))
    assert flat["hit@1"] == 0
    assert set(measure.intervals(vectors, seed=0)) == set(FOUND)


def test_figures_of_pairs_count_every_known_partner():
    measure = ItemMeasure.of(file("pairs", ("q", "a"), ("q", "b"), ("r", "c")))
    vectors = {"q": [1.0, 0.0], "a": [0.8, 0.6], "b": [0.6, 0.8], "r": [0.0, 1.0], "c": [-0.6, 0.8]}
    found = measure.metrics(np.array([vectors[text] for text in measure.numbered.texts], dtype=np.float32))
    assert found["recall@1"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["hit@1"] == pytest.approx(1 / 2)
    lines = list(measure.lines(np.array([vectors[text] for text in measure.numbered.texts], dtype=np.float32)))
    assert [line["text"] for line in lines] == ["q", "r"]


def test_figures_of_triplets():
    measure = ItemMeasure.of(file("triplets", ("a", "b", "d"), ("d", "a", "c")))
    vectors = dict(zip("abcd", VECTORS, strict=True))
    table = np.stack([vectors[text] for text in measure.numbered.texts])
    assert measure.metrics(table) == {"accuracy": 0.5}
    low, high = measure.intervals(table, seed=0)["accuracy"]
    assert low <= 0.5 <= high


def test_an_encoder_without_segments_does_not_learn_to_write(tmp_path):
    shape = tmp_path / "shape.json"
    sizes = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "intermediate_size": 16}
    texts, start = ["怎么退货", "如何退货"], {"start": {"encoder": str(shape)}}
    for segments in (2, 1):
        shape.write_text(json.dumps({**sizes, "type_vocab_size": segments}))
        made = recipe("simbert", **start)
        with nullcontext() if segments == 2 else pytest.raises(UserError, match="two segments"):
            learner_for(made, made.stages[0], made.start, texts, labels=())
