"""Recipes: put together from layers, written whole, read back the same."""

from pathlib import Path

import pytest
import yaml

from bertsmith.errors import UserError
from bertsmith.recipes import (
    FinetuneRecipe,
    Start,
    Vocabulary,
    finetune_recipe,
    merged,
    pretrain_recipe,
    recipe_yaml,
    require_same_run,
)
from bertsmith.recipes.start import begin

ENCODER = {"start": {"encoder": "tiny"}}
MODEL = {"start": {"model": "bert-base-chinese"}}


def test_yaml_round_trip_keeps_every_field(tmp_path):
    recipe = finetune_recipe(
        given={**ENCODER, "seed": 3}, settings=["optimizer.layer_decay=0.9", "data.columns.text=正文"]
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_yaml(recipe), encoding="utf-8")
    assert finetune_recipe(given={}, file=path) == recipe
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) == set(FinetuneRecipe.model_fields)


def test_later_layers_win(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("start: {model: a}\nseed: 1\noptimizer: {lr: 0.1, weight_decay: 0.2}\nbudget: {epochs: 7}\n")
    recipe = finetune_recipe(given={"optimizer": {"lr": 0.3}, "seed": 2}, file=path, settings=["seed=4"])
    assert (recipe.optimizer.lr, recipe.optimizer.weight_decay, recipe.budget.epochs, recipe.seed) == (0.3, 0.2, 7, 4)


def test_random_weights_change_the_defaults_and_nothing_that_was_said():
    assert finetune_recipe(given=MODEL).optimizer.lr == 5e-5
    recipe = finetune_recipe(given=ENCODER)
    assert (recipe.features.pooling, recipe.optimizer.lr, recipe.budget.epochs) == ("mean", 1e-3, 10)
    said = finetune_recipe(given={**ENCODER, "optimizer": {"lr": 0.5}}, settings=["features.pooling=max"])
    assert (said.features.pooling, said.optimizer.lr, said.budget.epochs) == ("max", 0.5, 10)


@pytest.mark.parametrize(("width", "rate", "pooling"), [(312, 3e-4, "mean"), (384, 5e-5, "cls")])
def test_narrow_encoders_change_the_defaults_and_nothing_that_was_said(width, rate, pooling, tmp_path):
    (tmp_path / "config.json").write_text(f'{{"hidden_size": {width}}}')
    start = {"start": {"model": str(tmp_path)}}
    recipe = finetune_recipe(given=start)
    assert (recipe.features.pooling, recipe.optimizer.lr, recipe.budget.epochs) == (pooling, rate, "auto")
    said = finetune_recipe(given={**start, "optimizer": {"lr": 0.5}}, settings=["features.pooling=max"])
    assert (said.features.pooling, said.optimizer.lr) == ("max", 0.5)
    tagging = finetune_recipe(given={**start, "task": "tagging"})
    assert (tagging.optimizer.lr, tagging.features) == (
        rate,
        finetune_recipe(given={**MODEL, "task": "tagging"}).features,
    )


@pytest.mark.parametrize("preset", [None, "within-task"])
def test_narrow_encoders_learn_further_at_a_higher_rate(preset, tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 256}')
    given = {"start": {"model": str(tmp_path)}, "corpus": {"paths": ["a.txt"]}}
    assert pretrain_recipe(objective="wwm", given=given, preset=preset).optimizer.lr == 5e-4
    said = pretrain_recipe(objective="wwm", given=given, preset=preset, settings=["optimizer.lr=0.5"])
    assert said.optimizer.lr == 0.5


def test_a_start_given_replaces_the_start_of_the_file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_yaml(finetune_recipe(given=ENCODER)))
    recipe = finetune_recipe(given=MODEL, file=path)
    assert (recipe.start.model, recipe.start.encoder) == ("bert-base-chinese", None)


@pytest.mark.parametrize("given", [{}, {"start": {}}, {"start": {"model": "a", "encoder": "b"}}])
def test_one_start_is_needed(given):
    with pytest.raises(UserError, match="give either model"):
        finetune_recipe(given=given)


def test_all_wrong_fields_are_listed():
    wrong = {**MODEL, "seed": -1, "document": {"keep": "middle"}, "colour": 3}
    with pytest.raises(UserError) as caught:
        finetune_recipe(given=wrong)
    assert all(part in caught.value.message for part in ("seed", "document.keep", "middle", "colour"))
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"just words", b""])
def test_recipe_that_cannot_be_read(content, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"recipe\.yaml") as caught:
        finetune_recipe(given={}, file=path)
    assert caught.value.code == "bad_recipe"


def test_parts_of_another_kind_replace_and_of_the_same_kind_merge():
    below = {"a": {"kind": "x", "one": 1}, "b": {"one": 1}}
    assert merged(below, {"a": {"kind": "y", "two": 2}}) == {"a": {"kind": "y", "two": 2}, "b": {"one": 1}}
    assert merged(below, {"a": {"two": 2}, "b": {"two": 2}}) == {
        "a": {"kind": "x", "one": 1, "two": 2},
        "b": {"one": 1, "two": 2},
    }
    assert below == {"a": {"kind": "x", "one": 1}, "b": {"one": 1}}


def test_going_on_may_change_only_how_often_to_save(tmp_path):
    stored = finetune_recipe(given=MODEL)
    require_same_run(stored.but(snapshot_every=7), stored, where=tmp_path / "recipe.yaml")
    with pytest.raises(UserError, match=r"seed is 1 and was 0.*--overwrite") as caught:
        require_same_run(stored.but(seed=1), stored, where=tmp_path / "recipe.yaml")
    assert caught.value.code == "other_run"


def test_rare_entries_are_a_setting():
    texts = ["我们我们", "你好"]
    sizes = [
        begin(Start(encoder="tiny", vocabulary=Vocabulary(min_frequency=least)), texts, seed=0).tokenizer.vocab_size
        for least in (1, 2, 3)
    ]
    assert sizes == [9, 7, 5]


def test_who_prepares_the_texts_may_change():
    given = {"start": {"encoder": "tiny"}, "corpus": {"paths": ["a.txt"]}}
    stored = pretrain_recipe(objective="wwm", given=given)
    again = stored.but(workers=3, processes=2, shards="elsewhere")
    require_same_run(again, stored, where=Path("recipe.yaml"))
    with pytest.raises(UserError, match="heldout_texts"):
        require_same_run(stored.but(heldout_texts=1), stored, where=Path("recipe.yaml"))


def test_training_reads_its_part_of_the_recipe():
    recipe = finetune_recipe(given={**MODEL, "seed": 9}, settings=["budget.max_steps=3", "selection.patience=2"])
    training = recipe.training
    assert (training.seed, training.budget.max_steps, training.selection.patience) == (9, 3, 2)
    assert training.optimizer == recipe.optimizer


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        (["criterion.kind=crf"], {"criterion.*": 1e-2}),
        (["criterion.kind=crf", "optimizer.kind=lamb", "optimizer.head_lr=0.001"], {"criterion.*": 1e-2}),
        (["criterion.kind=crf", "optimizer.rates={head.*: 0.001}"], {"head.*": 1e-3}),
        (["criterion.kind=crf", "optimizer.rates={}"], {}),
        ([], {}),
    ],
)
def test_a_crf_learns_at_its_own_rate_unless_rates_are_given(settings, rates, tmp_path):
    recipe = finetune_recipe(given={**MODEL, "task": "tagging"}, settings=settings)
    assert recipe.optimizer.rates == rates
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_yaml(recipe))
    assert finetune_recipe(given={}, file=path) == recipe
